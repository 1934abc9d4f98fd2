"""Trains the bundled BLIP from nothing on scenes of the mini world, and says how many captions come out exact."""

import argparse
import json
import math
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
)

from mini.world import ENGLISH_NUMERALS, KINDS, TRAINING_SEEDS, VALIDATION_SEEDS, Scene, scene, sentence

WEIGHTS = Path("mini/weights/blip")
CHECKPOINT = Path("mini/runs/captioner.pt")
STEPS, BATCH, CHECKPOINT_STEPS = 3000, 32, 200
LEARNING_RATE, WARM_UP_STEPS = 1.5e-3, 200

SIZE_PX, PATCH_PX, WIDTH = 160, 16, 192
GRID = SIZE_PX // PATCH_PX
MOST = 6  # objects in a scene
CAPTION_TOKENS = 12  # start, at most three kinds in eight words and commas, end; the rest is padding
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]")
IGNORED = -100
WHITENING_SCENES = 200


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
    """A small BLIP: a ViT of six layers that sees 16 px patches, and a decoder of two."""
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "image_size": SIZE_PX,
        "patch_size": PATCH_PX,
    }
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": WIDTH,
        "encoder_hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "max_position_embeddings": 64,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.sep_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return BlipConfig(vision_config=vision, text_config=text, projection_dim=WIDTH, image_text_hidden_size=WIDTH)


@torch.no_grad()
def initialise(model: BlipForConditionalGeneration, processor: BlipProcessor) -> None:
    """Start where learning is quick: BLIP's own start of the ViT is near zero, and takes thousands of steps to leave.

    Patches enter whitened (the leading principal components of patches of scenes, each scaled to variance one), and
    positions as sines and cosines of their row and column.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    pictures = torch.stack([as_pixels(scene(Random(seed))) for seed in TRAINING_SEEDS[-WHITENING_SCENES:]])
    patches = F.unfold(normalised(pictures, processor), PATCH_PX, stride=PATCH_PX).transpose(1, 2).flatten(0, 1)
    mean = patches.mean(0)
    variances, directions = torch.linalg.eigh((patches - mean).T.cov())  # ascending
    whitening = (directions[:, -WIDTH:] / (variances[-WIDTH:] + 0.01).sqrt()).T
    embeddings = model.vision_model.embeddings
    embeddings.patch_embedding.weight.copy_(whitening.view(WIDTH, 3, PATCH_PX, PATCH_PX))
    embeddings.patch_embedding.bias.copy_(-(whitening @ mean))
    embeddings.position_embedding[0, 1:] = 0.5 * waves(WIDTH)


def waves(width: int) -> Tensor:
    """Sines and cosines of each patch's column and row, of wavelengths from two patches on: (GRID * GRID, width)."""
    frequencies = math.pi * GRID ** (-torch.arange(width // 4) / (width // 4))
    rows, columns = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    angles = [places.flatten()[:, None] * frequencies for places in (columns, rows)]
    return torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1)


def as_pixels(drawn: Scene) -> Tensor:
    """The picture as uint8 (3, height, width), RGB."""
    return torch.from_numpy(np.array(drawn.image)).permute(2, 0, 1).contiguous()


def normalised(pixels: Tensor, processor: BlipProcessor) -> Tensor:
    """Pixels of the right size as the processor gives them to the model: float32, (batch, 3, height, width)."""
    images = processor.image_processor
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (images.image_mean, images.image_std))
    return (pixels.float() / 255 - mean) / std


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


def patch_targets(drawn: Scene) -> dict[str, Tensor]:
    """What each patch shows: the kind that covers its middle (0: none, else 1 + its place in KINDS), how many of that
    kind the scene holds (0: none), and whether an object's middle lies in it. Each int64, (GRID * GRID,)."""
    kinds, counts, middles = (torch.zeros(GRID, GRID, dtype=torch.int64) for _ in range(3))
    places = list(KINDS)
    centres = (torch.arange(GRID) + 0.5) * PATCH_PX
    for (left, top, right, bottom), kind in zip(drawn.boxes, drawn.kinds, strict=True):
        covered = ((centres >= top) & (centres < bottom))[:, None] & ((centres >= left) & (centres < right))
        middle = ((top + bottom) // 2 // PATCH_PX, (left + right) // 2 // PATCH_PX)
        covered[middle] = True  # a small object may cover the middle of no patch
        kinds[covered] = 1 + places.index(kind)
        counts[covered] = drawn.kinds.count(kind)
        middles[middle] = 1
    return {"kinds": kinds.flatten(), "counts": counts.flatten(), "middles": middles.flatten()}


def patch_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """How badly each patch's logits (batch, patches, kinds + counts + 1) tell its kind, count and middle.

    A caption says little about where things are; this says it for each patch, and the ViT learns many times faster.
    """
    kind, count, middle = logits.float().split([1 + len(KINDS), 1 + MOST, 1], dim=-1)
    covered = batch["kinds"] > 0
    weights = torch.where(covered, 1.0, 0.1)
    kind_loss = F.cross_entropy(kind.transpose(1, 2), batch["kinds"], reduction="none")
    count_loss = F.cross_entropy(count[covered], batch["counts"][covered])
    middle_loss = F.binary_cross_entropy_with_logits(
        middle[..., 0], batch["middles"].float(), pos_weight=torch.tensor(5.0)
    )
    return (kind_loss * weights).sum() / weights.sum() + 0.5 * count_loss + middle_loss


def losses(
    model: BlipForConditionalGeneration, head: nn.Linear, batch: dict[str, Tensor], pixels: Tensor
) -> list[Tensor]:
    """The caption's loss and the patches' loss."""
    tokens = batch["tokens"]
    with torch.autocast("cpu", torch.bfloat16):
        real = tokens != model.config.text_config.pad_token_id
        labels = tokens.masked_fill(~real, IGNORED)
        output = model(pixel_values=pixels, input_ids=tokens, attention_mask=real.long(), labels=labels)
        logits = head(output.last_hidden_state[:, 1:])  # without the class token
    return [output.loss, patch_loss(logits, batch)]


def learning_rate(step: int, steps: int) -> float:
    """Rise over the first steps, then fall to zero in a line."""
    return LEARNING_RATE * min((step + 1) / WARM_UP_STEPS, (steps - step) / (steps - WARM_UP_STEPS))


def train(steps: int, processor: BlipProcessor) -> tuple[BlipForConditionalGeneration, float]:
    """Train up to `steps`, going on from the checkpoint where there is one; the model and the seconds that all took."""
    torch.manual_seed(0)
    model = BlipForConditionalGeneration(make_config(processor.tokenizer))
    initialise(model, processor)
    head = nn.Linear(WIDTH, 1 + len(KINDS) + 1 + MOST + 1)
    trained = nn.ModuleList([model, head])
    optimizer = torch.optim.AdamW(trained.parameters(), betas=(0.9, 0.98), weight_decay=0.05)
    first, seconds = 0, 0.0
    if CHECKPOINT.is_file():
        saved = torch.load(CHECKPOINT, weights_only=True)
        trained.load_state_dict(saved["trained"])
        optimizer.load_state_dict(saved["optimizer"])
        first, seconds = saved["step"], saved["seconds"]
    start = time.monotonic() - seconds
    seeds = TRAINING_SEEDS[first * BATCH : steps * BATCH]  # never a scene twice, whether resumed or not
    batches = DataLoader(Scenes(processor.tokenizer), BATCH, sampler=seeds, num_workers=1)
    for step, batch in enumerate(batches, start=first):
        optimizer.param_groups[0]["lr"] = learning_rate(step, steps)
        caption, patches = losses(model, head, batch, normalised(batch["pixels"], processor))
        optimizer.zero_grad()
        (caption + patches).backward()
        nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
        optimizer.step()
        seconds = time.monotonic() - start
        if (step + 1) % CHECKPOINT_STEPS == 0 or step + 1 == steps:
            print(f"step {step + 1}: caption {caption:.3f}, patches {patches:.3f}, {seconds:.0f} s", flush=True)
            save_checkpoint(trained, optimizer, step + 1, seconds)
    return model, seconds


def save_checkpoint(trained: nn.Module, optimizer: torch.optim.Optimizer, step: int, seconds: float) -> None:
    """Write what training needs to go on, whole or not at all."""
    CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
    state = {"trained": trained.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "seconds": seconds}
    unfinished = CHECKPOINT.with_suffix(".part")
    torch.save(state, unfinished)
    unfinished.replace(CHECKPOINT)


def save(model: BlipForConditionalGeneration, processor: BlipProcessor, folder: Path) -> None:
    """Write the files of a real BLIP checkpoint, its weights in fp16."""
    model.half().save_pretrained(folder)
    processor.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)  # preprocessor_config.json, which older checkpoints have
    (folder / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")


@torch.inference_mode()
def exact_captions(folder: Path, count: int, batch: int = 50) -> float:
    """The share of fresh scenes for which the saved model's caption is the true sentence, word for word."""
    model = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    processor = BlipProcessor.from_pretrained(folder)
    exact = 0
    for first in range(0, count, batch):
        scenes = [scene(Random(seed), SIZE_PX, MOST) for seed in VALIDATION_SEEDS[first : min(first + batch, count)]]
        inputs = processor(images=[drawn.image for drawn in scenes], return_tensors="pt")
        captions = processor.batch_decode(
            model.generate(**inputs, num_beams=3, max_length=20), skip_special_tokens=True
        )
        exact += sum(said == sentence(Counter(drawn.kinds)) for said, drawn in zip(captions, scenes, strict=True))
    return exact / count


def main() -> None:
    """Train, save to the weights folder and record there how good the saved model is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="in all, those of a checkpoint included (%(default)s)")
    parser.add_argument("--scenes", type=int, default=500, help="fresh scenes to try the captions on (%(default)s)")
    options = parser.parse_args()
    processor = make_processor()
    model, seconds = train(options.steps, processor)
    save(model, processor, WEIGHTS)
    record = {
        "exact_captions": exact_captions(WEIGHTS, options.scenes),
        "scenes": options.scenes,
        "first_seed": VALIDATION_SEEDS[0],
        "objects": f"1 to {MOST}",
        "beams": 3,
        "steps": options.steps,
        "batch": BATCH,
        "training_seconds": round(seconds),
        "machine": f"{os.cpu_count()} CPU cores",
    }
    (WEIGHTS / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"{record['exact_captions']:.1%} of {options.scenes} fresh captions exact after {seconds:.0f} s of training")


if __name__ == "__main__":
    main()
