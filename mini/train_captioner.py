"""Trains the bundled BLIP from nothing on scenes of the mini world."""

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from torch import Tensor, nn
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
)

from mini.training import Training, drawn_batches, muon_and_adamw, write_record
from mini.vit import (
    HEADS,
    MOST,
    SIZE_PX,
    VISION,
    WIDTH,
    as_pixels,
    make_head,
    normalised,
    patch_loss,
    patch_targets,
    waves,
    whitening,
)
from mini.world import ENGLISH_NUMERALS, KINDS, TRAINING_SEEDS, Scene, scene, sentence
from pipelines.core.terminal import settle

WEIGHTS = Path("mini/weights/blip")
RUN = Path("mini/runs/captioner.pt")
STEPS, BATCH = 10_000, 32
MUON_RATE, ADAMW_RATE = 5e-3, 1.5e-3
CAPTION_TOKENS = 12  # start, at most three kinds in eight words and commas, end; the rest is padding
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]")
IGNORED = -100


def vocabulary() -> list[str]:
    """BERT's special tokens, BLIP's start token [DEC], and every word that an English sentence can hold."""
    words = [",", "a", "an", "and", *ENGLISH_NUMERALS]
    names = [name for kind in KINDS.values() for name in (kind.name, kind.plural)]
    return [*SPECIAL_TOKENS, *words, *dict.fromkeys(names)]


def make_processor() -> BlipProcessor:
    """The processor of a real BLIP, for pictures of the mini world's size and with its vocabulary."""
    ids = {token: index for index, token in enumerate(vocabulary())}
    tokenizer = BertTokenizer(vocab=ids, bos_token="[DEC]", model_max_length=64)
    return BlipProcessor(BlipImageProcessor(size={"height": SIZE_PX, "width": SIZE_PX}), tokenizer)


def make_config(tokenizer: BertTokenizer) -> BlipConfig:
    """A small BLIP: the ViT of mini.vit and a decoder of two layers."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "encoder_hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "max_position_embeddings": 64,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return BlipConfig(vision_config=VISION, text_config=text, projection_dim=WIDTH, image_text_hidden_size=WIDTH)


@torch.no_grad()
def initialise(model: BlipForConditionalGeneration, images: BlipImageProcessor) -> None:
    """Start where learning is quick: BLIP's own start of the ViT, near zero, takes thousands of steps to leave."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    weight, bias = whitening(images.image_mean, images.image_std)
    embeddings = model.vision_model.embeddings
    embeddings.patch_embedding.weight.copy_(weight)
    embeddings.patch_embedding.bias.copy_(bias)
    embeddings.position_embedding[0, 1:] = 0.5 * waves()


@dataclass(frozen=True)
class Scenes:
    """Training examples by their seed: pixels, the caption's tokens and what each patch shows."""

    tokenizer: BertTokenizer

    def __getitem__(self, seed: int) -> dict[str, Tensor]:
        drawn = scene(Random(seed), SIZE_PX, MOST)
        return {"pixels": as_pixels(drawn), "tokens": self.tokens(drawn), **patch_targets(drawn)}

    def tokens(self, drawn: Scene) -> Tensor:
        """[DEC], the sentence, [SEP], padding: what `generate` starts from and what it should go on with."""
        caption = sentence(Counter(drawn.kinds))
        ids = self.tokenizer(caption, padding="max_length", max_length=CAPTION_TOKENS, return_tensors="pt").input_ids[0]
        ids[0] = self.tokenizer.bos_token_id
        return ids


def losses(model: BlipForConditionalGeneration, head: nn.Linear, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The caption's loss and the patches' loss on normalised "pixels"."""
    tokens = batch["tokens"]
    with torch.autocast("cpu", torch.bfloat16):
        real = tokens != model.config.text_config.pad_token_id
        labels = tokens.masked_fill(~real, IGNORED)
        output = model(pixel_values=batch["pixels"], input_ids=tokens, attention_mask=real.long(), labels=labels)
        answers = head(output.last_hidden_state[:, 1:])  # without the class token
    return {"caption": output.loss, "patches": patch_loss(answers, batch)}


def train(steps: int, processor: BlipProcessor, run: Path = RUN) -> tuple[BlipForConditionalGeneration, Training]:
    """Train up to `steps`, going on from the checkpoint where there is one."""
    torch.manual_seed(0)
    images = processor.image_processor
    model = BlipForConditionalGeneration(make_config(processor.tokenizer))
    initialise(model, images)
    head = make_head()
    trained = nn.ModuleDict({"model": model, "head": head})
    training = Training(trained, muon_and_adamw(trained, MUON_RATE, ADAMW_RATE), steps, run)
    seeds = TRAINING_SEEDS[training.step * BATCH : steps * BATCH]  # never a scene twice, whether resumed or not
    batches = drawn_batches(Scenes(processor.tokenizer), seeds, BATCH)
    for _, batch in zip(training.steps_left(), batches, strict=False):
        batch["pixels"] = normalised(batch["pixels"], images.image_mean, images.image_std)
        training.learn(losses(model, head, batch), clip=1.0)
    return model, training


def save(model: BlipForConditionalGeneration, processor: BlipProcessor, folder: Path) -> None:
    """Write the files of a real BLIP checkpoint, its weights in fp16."""
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)  # preprocessor_config.json, which older checkpoints have
    (folder / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")


def main() -> None:
    """Train and save to the weights folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="in all, those of a checkpoint included (%(default)s)")
    options = parser.parse_args()
    processor = make_processor()
    model, training = train(options.steps, processor)
    save(model, processor, WEIGHTS)
    write_record(WEIGHTS, training, {"batch": BATCH, "objects": f"1 to {MOST}", "seed": 0})


if __name__ == "__main__":
    settle()
    main()
