"""Trains the small timm backbone of anomaly detection's mini profile, from nothing, in a few minutes.

It never sees a defect. On bare textures and scene backgrounds it finds what was pasted: glyphs, and strips and spots
cut from elsewhere in the same or another picture, flatter, darker, lighter or tinted (CutPaste, Li et al., CVPR 2021).
Each feature level has its own linear head, so that what is learned lies in the level itself, where PatchCore reads it.

Tried before, and worse on both sample textures: to say which kind of glyph or which bare surface each cell shows. That
is learned as quickly, but tells the levels little of what is foreign to a surface.
"""

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import save_for_hf
from torch import Tensor, nn

from mini.draw_samples import SIZE_PX
from mini.textures import TEXTURES, Picture, texture
from mini.training import Training, drawn_batches, write_record
from mini.world import KINDS, TRAINING_SEEDS, background, glyph, pose
from pipelines.core.terminal import settle

ARCHITECTURE = "test_resnet"
WEIGHTS = Path("mini/weights/backbone")
RUN = Path("mini/runs/backbone.pt")
STEPS, BATCH, RATE = 5000, 16, 3e-3
CROP_PX = 96  # enough to know a texture by, and a third of the time
LEVELS = (1, 2, 3, 4)  # strides 4, 8, 16 and 32
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
    """A strip or spot (RGBA) of 6 to 30 px from somewhere in `source`, its relief, brightness and tint changed.

    A third of them are about as bright as before, so that what is only flatter has to be found too.
    """
    side = rng.randint(6, 30)
    left, top = rng.randint(0, CROP_PX - side), rng.randint(0, CROP_PX - side)
    pixels = np.asarray(source.crop((left, top, left + side, top + side)), np.float32)
    brightness = rng.choice([rng.uniform(0.3, 0.8), rng.uniform(0.8, 1.2), rng.uniform(1.2, 1.8)])
    tint = np.array([rng.gauss(1, 0.05) for _ in range(3)], np.float32)
    changed = ((pixels - pixels.mean((0, 1))) * rng.uniform(0.1, 1.5) + pixels.mean((0, 1)) * brightness) * tint
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
    turned = shape.rotate(rng.uniform(0, 180)).resize((side, side), Image.Resampling.BILINEAR)
    return turned.filter(ImageFilter.GaussianBlur(rng.choice([0, rng.uniform(0, side / 8)])))


def faint_glyph(rng: random.Random) -> Image.Image:
    """A glyph (RGBA) of 6 to 48 px, small ones as often as large ones, half of them more or less transparent."""
    drawn = pose(rng, glyph(rng.choice(list(KINDS))), int(6 * 8 ** rng.random()))
    drawn.putalpha(faded(drawn.getchannel("A"), rng.choice([1.0, rng.uniform(0.4, 1.0)])))
    return drawn


def faded(alpha: Image.Image, opacity: float) -> Image.Image:
    """The mask with all its values times `opacity`, 0..1."""
    return alpha.point([int(value * opacity) for value in range(256)])


def normalised(pixels: Tensor) -> Tensor:
    """RGB uint8 pictures (B, H, W, 3) as the network's input, float32 (B, 3, H, W)."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
    return (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std


def level_loss(logits: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """How badly one level's logits (B, 1 + GROUNDS, h, w) tell which cells have something pasted, and what is bare.

    A cell of which a quarter is covered counts as pasted in full, one with less in part.
    """
    share = (4 * F.adaptive_avg_pool2d(batch["pasted"].float(), logits.shape[-2:])).clamp(max=1)
    found = F.binary_cross_entropy_with_logits(logits[:, 0], share, reduction="none")
    grounds = batch["ground"][:, None, None].expand_as(share)
    named = F.cross_entropy(logits[:, 1:], grounds, reduction="none")
    return (found * torch.where(share > 0, 2.0, 1.0)).mean() + 0.2 * (named * (share == 0)).mean()


@dataclass(frozen=True)
class Examples:
    """Training examples by their seed: uint8 picture (H, W, 3), bool pasted pixels (H, W), the ground's place."""

    def __getitem__(self, seed: int) -> dict[str, Tensor]:
        drawn = draw(random.Random(seed))
        return {
            "pixels": torch.from_numpy(drawn.image.copy()),
            "pasted": torch.from_numpy(drawn.pasted),
            "ground": torch.tensor(drawn.ground),
        }


def train(steps: int, run: Path = RUN) -> tuple[nn.Module, Training]:
    """Train up to `steps`, going on from the checkpoint where there is one."""
    model = timm.create_model(ARCHITECTURE, num_classes=0)
    widths = [model.feature_info[index]["num_chs"] for index in LEVELS]
    heads = nn.ModuleList(nn.Conv2d(width, 1 + len(GROUNDS), 1) for width in widths)
    trained = nn.ModuleList([model, heads])
    training = Training(trained, [torch.optim.AdamW(trained.parameters(), lr=RATE)], steps, run)
    seeds = TRAINING_SEEDS[training.step * BATCH : steps * BATCH]
    for _, batch in zip(training.steps_left(), drawn_batches(Examples(), seeds, BATCH), strict=False):
        levels = model.forward_intermediates(normalised(batch["pixels"]), indices=list(LEVELS), intermediates_only=True)
        losses = [level_loss(head(level), batch) for head, level in zip(heads, levels, strict=True)]
        training.learn({f"level {number}": loss for number, loss in zip(LEVELS, losses, strict=True)}, clip=5.0)
    return model, training


def save(model: nn.Module) -> None:
    """Write a timm folder: fp16 safetensors and config.json."""
    size = (3, SIZE_PX, SIZE_PX)
    data = {"input_size": size, "mean": IMAGENET_DEFAULT_MEAN, "std": IMAGENET_DEFAULT_STD, "crop_pct": 1.0}
    described = {"pretrained_cfg": {"tag": "mini_world"}}
    save_for_hf(model.half(), WEIGHTS, described, safe_serialization=True, data_config=data)


def main() -> None:
    """Train and save to the weights folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="in all, those of a checkpoint included (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights (%(default)s)")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    model, training = train(options.steps)
    save(model)
    write_record(WEIGHTS, training, {"batch": BATCH, "seed": options.seed})


if __name__ == "__main__":
    settle()
    main()
