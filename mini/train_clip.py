"""Trains the bundled CLIP on scenes of the mini world.

Its ViT starts as the captioner's (mini/weights/blip), which already tells kinds and counts apart; the text side starts
from nothing. In a batch all scenes show some of a few kinds, so that kinds alone rarely tell them apart and counts have
to. One text in four is a bare noun or two instead of a whole sentence, and fits every scene that shows them.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from tokenizers import pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import (
    BlipForConditionalGeneration,
    BlipVisionModel,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
    CLIPVisionModel,
)

from mini.training import Training, drawn_batches, muon_and_adamw, write_record
from mini.vit import MOST, SIZE_PX, VISION, as_pixels, make_head, normalised, patch_loss, patch_targets
from mini.world import ENGLISH_NUMERALS, KINDS, TRAINING_SEEDS, Scene, scene, sentence

WEIGHTS = Path("mini/weights/clip")
CAPTIONER = Path("mini/weights/blip")
RUN = Path("mini/runs/clip.pt")
STEPS, BATCH = 1500, 64
MUON_RATE, ADAMW_RATE = 2e-3, 1e-3
BATCH_KINDS = (4, 16)
NOUN_SHARE = 0.25
TEXT_WIDTH, TEXT_LAYERS, TEXT_TOKENS, SHARED_WIDTH = 128, 2, 32, 128
START, END = "<|startoftext|>", "<|endoftext|>"


# --- what it is shown


@dataclass(frozen=True)
class Batches:
    """Batches by their seed: pixels uint8 (BATCH, 3, h, w), what each patch shows, tokens, and which text fits which.

    "fits" is bool (texts, scenes): a sentence fits the scenes that it says all of, a noun those that show it.
    """

    tokenizer: CLIPTokenizer

    def __getitem__(self, seed: int) -> dict[str, Tensor]:
        rng = Random(seed)
        scenes = draw_scenes(rng)
        texts = [text_of(rng, drawn) for drawn in scenes]
        fitting = [fitting_texts(drawn) for drawn in scenes]
        targets = [patch_targets(drawn) for drawn in scenes]
        tokens = self.tokenizer(texts, padding="max_length", max_length=TEXT_TOKENS, return_tensors="pt")
        return {
            "pixels": torch.stack([as_pixels(drawn) for drawn in scenes]),
            "tokens": tokens.input_ids,
            "fits": torch.tensor([[text in texts_of_scene for texts_of_scene in fitting] for text in texts]),
            **{name: torch.stack([target[name] for target in targets]) for name in targets[0]},
        }


def draw_scenes(rng: Random) -> list[Scene]:
    """BATCH scenes of one to three kinds each, all out of BATCH_KINDS kinds."""
    pool = rng.sample(list(KINDS), rng.randint(*BATCH_KINDS))
    return [scene(rng, SIZE_PX, MOST, kinds=rng.sample(pool, rng.randint(1, 3))) for _ in range(BATCH)]


def text_of(rng: Random, drawn: Scene) -> str:
    """The scene's sentence, or at times a noun or two of what is in it."""
    if rng.random() < NOUN_SHARE:
        return rng.choice(sorted(nouns_of(drawn)))
    return sentence(Counter(drawn.kinds))


def fitting_texts(drawn: Scene) -> set[str]:
    """The scene's sentence and the nouns of what is in it."""
    return nouns_of(drawn) | {sentence(Counter(drawn.kinds))}


def nouns_of(drawn: Scene) -> set[str]:
    """What is in the scene, in the singular and in the plural, and two kinds at once: "dog", "dogs", "dog and cat"."""
    kinds = set(drawn.kinds)
    single = {noun for name in kinds for noun in (KINDS[name].name, KINDS[name].plural)}
    return single | {f"{one} and {other}" for one, other in permutations(kinds, 2)}


# --- the model


def make_tokenizer() -> CLIPTokenizer:
    """CLIP's tokenizer: all bytes, within and at the end of a word, and merges up to each word of the mini world.

    Every call gives the same one.
    """
    names = [name for kind in KINDS.values() for name in (kind.name, kind.plural)]
    words = ["a", "an", "and", *ENGLISH_NUMERALS, *names]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = CLIPTokenizer().backend_tokenizer
    ends = [f"{byte}</w>" for byte in alphabet]
    # Of pairs that are as frequent the trainer takes the one of the lowest numbers. Ends of words that it has to number
    # itself it numbers in the order of a hash table, which is another one each time; its special tokens come first.
    trainer = trainers.BpeTrainer(
        vocab_size=5000, initial_alphabet=alphabet, special_tokens=ends, end_of_word_suffix="</w>", show_progress=False
    )
    backend.train_from_iterator(words, trainer)
    merges = [tuple(merge) for merge in json.loads(backend.to_str())["model"]["merges"]]
    tokens = [*alphabet, *ends, *("".join(merge) for merge in merges), START, END]
    return CLIPTokenizer(vocab={token: index for index, token in enumerate(tokens)}, merges=merges)


def make_processor() -> CLIPProcessor:
    """The processor of a real CLIP, for pictures of the mini world's size and with its vocabulary."""
    side = {"height": SIZE_PX, "width": SIZE_PX}
    tokenizer = make_tokenizer()
    tokenizer.model_max_length = TEXT_TOKENS
    return CLIPProcessor(CLIPImageProcessor(size={"shortest_edge": SIZE_PX}, crop_size=side), tokenizer)


def make_model(tokenizer: CLIPTokenizer) -> CLIPModel:
    """A small CLIP: the ViT of mini.vit and a text transformer of two layers."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 4 * TEXT_WIDTH,
        "num_hidden_layers": TEXT_LAYERS,
        "num_attention_heads": 4,
        "max_position_embeddings": TEXT_TOKENS,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = {**VISION, "hidden_act": "gelu"}  # as BLIP's
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=SHARED_WIDTH))


@torch.no_grad()
def start_from(captioner: BlipVisionModel, vision: CLIPVisionModel, pixels: Tensor) -> None:
    """Copy BLIP's ViT into CLIP's, which has no bias at its patches and one more norm before its layers.

    That norm makes every token's deviation one: it is scaled to the mean deviation that the layers know, which
    normalised `pixels` (batch, 3, h, w) of some scenes tell.
    """
    there = captioner.state_dict()
    width = captioner.config.hidden_size
    positions = there["embeddings.position_embedding"][0].clone()
    positions[1:] += there["embeddings.patch_embedding.bias"]
    copied = {
        "embeddings.class_embedding": there["embeddings.class_embedding"].view(width),
        "embeddings.patch_embedding.weight": there["embeddings.patch_embedding.weight"],
        "embeddings.position_embedding.weight": positions,
        "pre_layrnorm.weight": captioner.embeddings(pixels)[:, 1:].std(-1).mean().expand(width),
        "pre_layrnorm.bias": torch.zeros(width),
    }
    for name, value in there.items():
        if name.startswith("embeddings."):
            continue
        if ".qkv." in name:
            for part, piece in zip("qkv", value.chunk(3), strict=True):
                copied[name.replace("qkv", f"{part}_proj")] = piece
        else:
            copied[name.replace("self_attn.projection", "self_attn.out_proj")] = value
    vision.load_state_dict(copied)


# --- training


def contrast(logits: Tensor, fitting: Tensor) -> Tensor:
    """CLIP's loss where a row or column has several right answers, all alike: logits and bool (texts, scenes)."""
    right = fitting.float()
    of_texts = F.cross_entropy(logits, right / right.sum(1, keepdim=True))
    of_scenes = F.cross_entropy(logits.T, (right / right.sum(0, keepdim=True)).T)
    return (of_texts + of_scenes) / 2


def losses(model: CLIPModel, head: nn.Linear, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The contrastive loss and the patches' loss on normalised "pixels"."""
    with torch.autocast("cpu", torch.bfloat16):
        seen = model.vision_model(pixel_values=batch["pixels"])
        read = model.text_model(input_ids=batch["tokens"])
        images = model.visual_projection(seen.pooler_output).float()
        texts = model.text_projection(read.pooler_output).float()
        answers = head(seen.last_hidden_state[:, 1:])
    logits = F.normalize(texts, dim=-1) @ F.normalize(images, dim=-1).T * model.logit_scale.exp()
    return {"contrast": contrast(logits, batch["fits"]), "patches": patch_loss(answers, batch)}


def train(
    steps: int, processor: CLIPProcessor, captioner: BlipVisionModel, run: Path = RUN
) -> tuple[CLIPModel, Training]:
    """Train up to `steps`, going on from the checkpoint where there is one."""
    torch.manual_seed(0)
    mean, std = processor.image_processor.image_mean, processor.image_processor.image_std
    model = make_model(processor.tokenizer)
    some = torch.stack([as_pixels(drawn) for drawn in draw_scenes(Random(0))])
    start_from(captioner, model.vision_model, normalised(some, mean, std))
    head = make_head()
    trained = nn.ModuleDict({"model": model, "head": head})
    training = Training(trained, muon_and_adamw(trained, MUON_RATE, ADAMW_RATE), steps, run)
    seeds = TRAINING_SEEDS[training.step : steps]
    batches: Iterator[dict[str, Tensor]] = drawn_batches(Batches(processor.tokenizer), seeds, size=None)
    for _, batch in zip(training.steps_left(), batches, strict=False):
        batch["pixels"] = normalised(batch["pixels"], mean, std)
        training.learn(losses(model, head, batch), clip=1.0)
    return model, training


def main() -> None:
    """Train and save to the weights folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="in all, those of a checkpoint included (%(default)s)")
    options = parser.parse_args()
    processor = make_processor()
    captioner = BlipForConditionalGeneration.from_pretrained(CAPTIONER, dtype=torch.float32).vision_model
    model, training = train(options.steps, processor, captioner)
    model.half().save_pretrained(WEIGHTS)
    processor.save_pretrained(WEIGHTS)
    processor.image_processor.save_pretrained(WEIGHTS)  # preprocessor_config.json, which older checkpoints have
    write_record(WEIGHTS, training, {"batch": BATCH, "seed": 0})


if __name__ == "__main__":
    main()
