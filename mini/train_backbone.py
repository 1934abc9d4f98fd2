"""Trains the small timm backbone of anomaly detection's mini profile, from nothing, in a few minutes.

It never sees a defect. On bare textures and scene backgrounds it finds what was pasted: glyphs, and strips and spots
cut from elsewhere in the same or another picture and made flatter, darker or lighter (CutPaste, Li et al., CVPR 2021).
Each feature level has its own linear head, so that what is learned lies in the level itself, where PatchCore reads it.

Tried before, and worse on both sample textures: to say which kind of glyph or which bare surface each cell shows. That
is learned as quickly, but tells the levels little of what is foreign to a surface.
"""

import argparse
import json
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw
from sklearn.metrics import roc_auc_score
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import save_for_hf
from torch import Tensor, nn

from mini.draw_samples import SIZE_PX
from mini.textures import DEFECTS, TEXTURES, Picture, defect, texture
from mini.training import Training
from mini.world import KINDS, TRAINING_SEEDS, VALIDATION_SEEDS, background, glyph, pose

ARCHITECTURE = "test_resnet"
WEIGHTS = Path("mini/weights/backbone")
RUN = Path("mini/runs/backbone.pt")
STEPS, BATCH, RATE = 1200, 16, 3e-3
CROP_PX = 96  # enough to know a texture by, and a third of the time
LEVELS = (1, 2, 3, 4)  # strides 4, 8, 16 and 32
READ_LEVELS = (2, 3)  # the ones that PatchCore is tried with, strides 8 and 16
GROUNDS = (*TEXTURES, "scene")
MOST_PASTED = 6
SEEN_FROM = 80  # of 255: less opaque, a pasted pixel counts as bare


@dataclass(frozen=True)
class Example:
    """A picture, RGB uint8 (H, W, 3), its pasted pixels, bool (H, W), and its ground's place in GROUNDS."""

    image: Picture
    pasted: np.ndarray
    ground: int


def draw(rng: random.Random) -> Example:
    """A bare ground with up to MOST_PASTED things pasted on it."""
    name = rng.choice([*TEXTURES, *GROUNDS])
    picture, other = draw_ground(rng, name), draw_ground(rng, rng.choice(GROUNDS))
    pasted = np.zeros((CROP_PX, CROP_PX), bool)
    for _ in range(rng.randint(0, MOST_PASTED)):
        thing = cut_out(rng, rng.choice([picture, other])) if rng.random() < 0.6 else faint_glyph(rng)
        left, top = rng.randint(0, CROP_PX - thing.width), rng.randint(0, CROP_PX - thing.height)
        picture.paste(thing, (left, top), thing)
        seen = np.asarray(thing.getchannel("A")) > SEEN_FROM
        pasted[top : top + thing.height, left : left + thing.width] |= seen
    return Example(np.asarray(picture), pasted, GROUNDS.index(name))


def draw_ground(rng: random.Random, name: str) -> Image.Image:
    """A bare texture or the background of a scene."""
    if name == "scene":
        return background(rng, CROP_PX)
    return Image.fromarray(texture(name, np.random.default_rng(rng.randrange(2**40)), CROP_PX))


def cut_out(rng: random.Random, source: Image.Image) -> Image.Image:
    """A strip or spot (RGBA) of 6 to 30 px from somewhere in `source`, its relief and its brightness changed."""
    side = rng.randint(6, 30)
    left, top = rng.randint(0, CROP_PX - side), rng.randint(0, CROP_PX - side)
    pixels = np.asarray(source.crop((left, top, left + side, top + side)), np.float32)
    brightness = rng.choice([rng.uniform(0.3, 0.8), rng.uniform(1.2, 1.8)])
    changed = (pixels - pixels.mean()) * rng.uniform(0.2, 1.5) + pixels.mean() * brightness
    piece = Image.fromarray(np.clip(changed, 0, 255).astype(np.uint8))
    piece.putalpha(faded(outline(rng, side), rng.uniform(0.6, 1)))
    return piece


def outline(rng: random.Random, side: int) -> Image.Image:
    """A filled bar or ellipse, thin or broad, turned at random: L, `side` x `side`."""
    twice = 2 * side  # drawn large, so that its edges come out smooth
    width = twice * rng.choice([rng.uniform(0.03, 0.12), rng.uniform(0.3, 1)]) + 2
    shape = Image.new("L", (twice, twice), 0)
    pen = ImageDraw.Draw(shape)
    (pen.ellipse if rng.random() < 0.5 else pen.rectangle)((side - width / 2, 0, side + width / 2, twice), fill=255)
    return shape.rotate(rng.uniform(0, 180)).resize((side, side), Image.Resampling.BILINEAR)


def faint_glyph(rng: random.Random) -> Image.Image:
    """A glyph (RGBA) of 6 to 48 px, small ones as often as large ones, half of them more or less transparent."""
    drawn = pose(rng, glyph(rng.choice(list(KINDS))), int(6 * 8 ** rng.random()))
    drawn.putalpha(faded(drawn.getchannel("A"), rng.choice([1.0, rng.uniform(0.4, 1.0)])))
    return drawn


def faded(alpha: Image.Image, opacity: float) -> Image.Image:
    """The mask with all its values times `opacity`, 0..1."""
    return alpha.point([int(value * opacity) for value in range(256)])


def normalised(images: Sequence[Picture]) -> Tensor:
    """RGB uint8 pictures as the network's input, float32 (B, 3, H, W)."""
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
    return (pixels - mean) / std


def levels_of(model: nn.Module, images: Tensor, indices: Sequence[int]) -> list[Tensor]:
    """The feature maps (B, C, h, w) of the levels `indices`."""
    maps: list[Tensor] = model.forward_intermediates(images, indices=list(indices), intermediates_only=True)
    return maps


def level_loss(logits: Tensor, examples: Sequence[Example]) -> Tensor:
    """How badly one level's logits (B, 1 + GROUNDS, h, w) tell which cells have something pasted, and what is bare.

    A cell of which a quarter is covered counts as pasted in full, one with less in part.
    """
    pasted = torch.from_numpy(np.stack([example.pasted for example in examples])).float()
    share = (4 * F.adaptive_avg_pool2d(pasted, logits.shape[-2:])).clamp(max=1)
    found = F.binary_cross_entropy_with_logits(logits[:, 0], share, reduction="none")
    grounds = torch.tensor([example.ground for example in examples])[:, None, None].expand_as(share)
    named = F.cross_entropy(logits[:, 1:], grounds, reduction="none")
    return (found * torch.where(share > 0, 2.0, 1.0)).mean() + 0.2 * (named * (share == 0)).mean()


def train(steps: int) -> tuple[nn.Module, float]:
    """Train up to `steps`; the network and the seconds that all of them took."""
    model = timm.create_model(ARCHITECTURE, num_classes=0)
    widths = [model.feature_info[index]["num_chs"] for index in LEVELS]
    heads = nn.ModuleList(nn.Conv2d(width, 1 + len(GROUNDS), 1) for width in widths)
    trained = nn.ModuleList([model, heads])
    training = Training(trained, [{"params": trained.parameters(), "lr": RATE}], steps, RUN)
    for step in training.steps_left():
        rng = random.Random(TRAINING_SEEDS[step])
        examples = [draw(rng) for _ in range(BATCH)]
        levels = levels_of(model, normalised([example.image for example in examples]), LEVELS)
        losses = [level_loss(head(level), examples) for head, level in zip(heads, levels, strict=True)]
        by_level = " ".join(f"{loss.item():.3f}" for loss in losses)
        training.learn(torch.stack(losses).sum(), clip=5.0, note=f"by level {by_level}")
    return model, training.seconds


@torch.inference_mode()
def patch_features(model: nn.Module, images: Sequence[Picture]) -> Tensor:
    """PatchCore's features (B, patches, C): the read levels, each averaged over 3x3 cells, at the finer one's size."""
    fine, coarse = (F.avg_pool2d(level, 3, 1, 1) for level in levels_of(model, normalised(images), READ_LEVELS))
    coarse = F.interpolate(coarse, fine.shape[-2:], mode="bilinear")
    return torch.cat([fine, coarse], 1).flatten(2).transpose(1, 2)


def image_auroc(model: nn.Module, name: str, first_seed: int, train_images: int = 30, test_images: int = 80) -> float:
    """Image AUROC of a plain nearest-neighbour PatchCore on the texture `name`, drawn afresh from `first_seed` on.

    The bank is all of the normal images' patches; half of the test images have a defect, of all kinds in turn.
    """
    rngs = [np.random.default_rng(first_seed + number) for number in range(train_images + test_images)]
    images = [texture(name, rng, SIZE_PX) for rng in rngs]
    for number in range(train_images, train_images + test_images, 2):
        kind = list(DEFECTS)[number // 2 % len(DEFECTS)]
        images[number], _ = defect(images[number], kind, rngs[number])
    bank = patch_features(model, images[:train_images]).flatten(0, 1)
    distances = [torch.cdist(patch_features(model, [image])[0], bank) for image in images[train_images:]]
    scores = [each.amin(1).max().item() for each in distances]
    return float(roc_auc_score([number % 2 == 0 for number in range(test_images)], scores))


def figures(model: nn.Module) -> dict[str, float]:
    """Image AUROC by texture on seeds that training never saw."""
    model.eval()
    return {name: round(image_auroc(model, name, VALIDATION_SEEDS[0]), 3) for name in TEXTURES}


def save(model: nn.Module) -> None:
    """Write a timm folder: fp16 safetensors and config.json."""
    size = (3, SIZE_PX, SIZE_PX)
    data = {"input_size": size, "mean": IMAGENET_DEFAULT_MEAN, "std": IMAGENET_DEFAULT_STD, "crop_pct": 1.0}
    described = {"pretrained_cfg": {"tag": "mini_world"}}
    save_for_hf(model.half(), WEIGHTS, described, safe_serialization=True, data_config=data)


def main() -> None:
    """Train, save to the weights folder, load from there and record how good that is on fresh drawings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (%(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    untrained = figures(timm.create_model(ARCHITECTURE, num_classes=0))
    torch.manual_seed(options.seed)
    model, seconds = train(options.steps)
    save(model)
    record = {
        "image_auroc": figures(timm.create_model(f"local-dir:{WEIGHTS}", pretrained=True)),
        "image_auroc_of_random_weights": untrained,
        "feature_levels": list(READ_LEVELS),
        "steps": options.steps,
        "batch": BATCH,
        "seed": options.seed,
        "training_seconds": round(seconds),
        "machine": f"{os.cpu_count()} CPU cores, {options.threads} threads",
    }
    (WEIGHTS / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
