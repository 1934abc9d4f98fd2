"""Trains the small timm backbone that anomaly detection's mini profile uses, from nothing, in a few minutes.

It never sees a defect. It learns to say, for each cell of three feature levels, which share of the cell is which kind
of object or which bare surface, on pictures of glyphs pasted on drawn textures and scenes: glyphs from a few pixels to
a third of the picture, many half transparent, so that what does not belong to a surface shows in the features, while
the surface's own light, colour and phase do not. A level that would be read by PatchCore has its own linear head, so
that what it knows lies in the level itself.
"""

import argparse
import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.metrics import roc_auc_score
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from timm.models import save_for_hf
from torch import Tensor, nn

from mini.draw_samples import SIZE_PX
from mini.textures import DEFECTS, TEXTURES, Picture, defect, texture
from mini.world import KINDS, TRAINING_SEEDS, VALIDATION_SEEDS, background, glyph, pose

ARCHITECTURE = "test_resnet"
WEIGHTS = Path("mini/weights/backbone")
RUN = Path("mini/runs/backbone.pt")
LEVELS = (1, 2, 3, 4)  # strides 4, 8, 16 and 32
READ_LEVELS = (2, 3)  # the ones that PatchCore is tried with
CLASSES = [*KINDS, *TEXTURES, "scene"]
STEPS_A_CHECKPOINT = 100
PASTED_MOST = 10


@dataclass(frozen=True)
class Labelled:
    """A picture, RGB uint8 (H, W, 3), and each pixel's index in CLASSES, (H, W)."""

    image: Picture
    classes: np.ndarray


class DenseHeads(nn.Module):
    """A linear classifier for every cell of each level."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Conv2d(width, len(CLASSES), 1) for width in channels)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        return [head(level) for head, level in zip(self.heads, levels, strict=True)]


def draw(seed: int) -> Labelled:
    """A bare surface or scene background with up to PASTED_MOST glyphs, some of them tiny or hardly visible."""
    rng = random.Random(seed)
    ground = rng.choice([*TEXTURES, *TEXTURES, "scene"])
    if ground == "scene":
        picture = background(rng, SIZE_PX)
    else:
        picture = Image.fromarray(texture(ground, np.random.default_rng(seed), SIZE_PX))
    classes = np.full((SIZE_PX, SIZE_PX), CLASSES.index(ground))
    for _ in range(rng.randint(0, PASTED_MOST)):
        kind = rng.choice(list(KINDS))
        drawn = pose(rng, glyph(kind), int(4 * 13 ** rng.random()))  # 4 to 52 px, small ones as often as large ones
        opacity = rng.choice([1.0, rng.uniform(0.3, 1.0)])
        alpha = drawn.getchannel("A").point([int(value * opacity) for value in range(256)])
        if rng.random() < 0.3:  # colours alone shall not tell
            drawn = drawn.convert("L").convert("RGB")
        left, top = rng.randint(0, SIZE_PX - drawn.width), rng.randint(0, SIZE_PX - drawn.height)
        picture.paste(drawn, (left, top), alpha)
        covered = np.asarray(alpha) > 50
        classes[top : top + drawn.height, left : left + drawn.width][covered] = CLASSES.index(kind)
    return Labelled(np.asarray(picture), classes)


def normalised(images: Sequence[Picture]) -> Tensor:
    """RGB uint8 pictures as the network's input, float (B, 3, H, W)."""
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD))
    return (pixels - mean) / std


def shares(classes: Tensor, size_hw: Sequence[int]) -> Tensor:
    """The share of each cell that each class covers, (B, CLASSES, h, w), of pixels' classes (B, H, W)."""
    one_hot = F.one_hot(classes, len(CLASSES)).permute(0, 3, 1, 2).float()
    return F.adaptive_avg_pool2d(one_hot, list(size_hw))


def levels_of(model: nn.Module, images: Tensor, indices: Sequence[int]) -> list[Tensor]:
    """The feature maps (B, C, h, w) of the levels `indices`."""
    maps: list[Tensor] = model.forward_intermediates(images, indices=list(indices), intermediates_only=True)
    return maps


def train(steps: int, batch_size: int, seed: int) -> tuple[nn.Module, float]:
    """Train for `steps`, going on from RUN if it is there; returns the network and the seconds it took in all."""
    torch.manual_seed(seed)
    model = timm.create_model(ARCHITECTURE, num_classes=0)
    widths = [model.feature_info[index]["num_chs"] for index in LEVELS]
    trained = nn.ModuleDict({"model": model, "heads": DenseHeads(widths)})
    optimizer = torch.optim.AdamW(trained.parameters(), lr=4e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, pct_start=0.15)
    first, seconds_before = 0, 0.0
    if RUN.exists():
        state = torch.load(RUN, weights_only=True)
        trained.load_state_dict(state["trained"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        first, seconds_before = state["step"], state["seconds"]
    started = time.perf_counter()
    for step in range(first, steps):
        start = TRAINING_SEEDS.start + seed + step * batch_size
        drawn = [draw(number) for number in range(start, start + batch_size)]
        classes = torch.from_numpy(np.stack([each.classes for each in drawn]))
        predicted = trained["heads"](levels_of(model, normalised([each.image for each in drawn]), LEVELS))
        losses = [F.cross_entropy(logits, shares(classes, logits.shape[-2:])) for logits in predicted]
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % STEPS_A_CHECKPOINT == 0 or step + 1 == steps:
            seconds = seconds_before + time.perf_counter() - started
            by_level = " ".join(f"{value.item():.3f}" for value in losses)
            print(f"step {step + 1} of {steps}: loss by level {by_level}, {seconds:.0f} s", flush=True)
            RUN.parent.mkdir(parents=True, exist_ok=True)
            parts = {"trained": trained, "optimizer": optimizer, "schedule": schedule}
            state = {name: part.state_dict() for name, part in parts.items()}
            torch.save(state | {"step": step + 1, "seconds": seconds}, RUN)
    return model, seconds_before + time.perf_counter() - started


@torch.inference_mode()
def patch_features(model: nn.Module, images: Sequence[Picture]) -> Tensor:
    """PatchCore's features (B, patches, C): the read levels, each averaged over 3x3 cells, at the finer one's size."""
    fine, coarse = (F.avg_pool2d(level, 3, 1, 1) for level in levels_of(model, normalised(images), READ_LEVELS))
    coarse = F.interpolate(coarse, fine.shape[-2:], mode="bilinear")
    return torch.cat([fine, coarse], 1).flatten(2).transpose(1, 2)


def image_auroc(model: nn.Module, name: str, first_seed: int, train_images: int = 30, test_images: int = 40) -> float:
    """Image AUROC of a plain nearest-neighbour PatchCore on the texture `name`, drawn afresh from `first_seed` on.

    The bank is 2,000 of the normal images' patches, drawn at random; half of the test images have a defect.
    """
    model.eval()
    rngs = [np.random.default_rng(first_seed + number) for number in range(train_images + test_images)]
    images = [texture(name, rng, SIZE_PX) for rng in rngs]
    for number in range(train_images, train_images + test_images, 2):
        kind = list(DEFECTS)[number // 2 % len(DEFECTS)]
        images[number], _ = defect(images[number], kind, rngs[number])
    bank = patch_features(model, images[:train_images]).flatten(0, 1)
    chosen = torch.randperm(len(bank), generator=torch.Generator().manual_seed(0))[:2000]
    distances = torch.cdist(patch_features(model, images[train_images:]), bank[chosen])
    scores = distances.amin(2).amax(1)
    return float(roc_auc_score([number % 2 == 0 for number in range(test_images)], scores))


def figures(model: nn.Module) -> dict[str, float]:
    """Image AUROC by texture on seeds that training never saw, each the mean of two draws."""
    starts = (VALIDATION_SEEDS.start, VALIDATION_SEEDS.start + 1000)
    return {name: round(float(np.mean([image_auroc(model, name, start) for start in starts])), 3) for name in TEXTURES}


def save(model: nn.Module, record: dict[str, object]) -> None:
    """Write a timm folder: fp16 safetensors, config.json and, beside them, how the weights were made."""
    size = (3, SIZE_PX, SIZE_PX)
    data = {"input_size": size, "mean": IMAGENET_DEFAULT_MEAN, "std": IMAGENET_DEFAULT_STD, "crop_pct": 1.0}
    described = {"pretrained_cfg": {"tag": "mini_world"}}
    save_for_hf(model.half(), WEIGHTS, described, safe_serialization=True, data_config=data)
    (WEIGHTS / "training.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Train, measure on fresh drawings and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="training steps (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=16, help="pictures a step (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and pictures (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (%(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    untrained = figures(timm.create_model(ARCHITECTURE, num_classes=0))
    model, seconds = train(options.steps, options.batch_size, options.seed)
    record = {
        "architecture": ARCHITECTURE,
        "image_auroc": figures(model),
        "image_auroc_of_random_weights": untrained,
        "feature_levels": list(READ_LEVELS),
        "steps": options.steps,
        "batch_size": options.batch_size,
        "seed": options.seed,
        "seconds": round(seconds),
        "device": f"{os.cpu_count()} CPU cores",
    }
    print(json.dumps(record, indent=2))
    save(model, record)


if __name__ == "__main__":
    main()
