"""What makes a small vision transformer see quickly: a start that tells patches apart, and a task for every patch.

A caption says little about where things are. So besides its own task, the ViT answers for each patch which kind covers
it, how many of that kind the scene holds, whether an object's middle lies in it, and where that object's box is. The
linear head that reads the answers off is not kept.
"""

import math
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mini.world import KINDS, TRAINING_SEEDS, Scene, scene

SIZE_PX, PATCH_PX, WIDTH, LAYERS, HEADS = 160, 16, 192, 6, 6
GRID = SIZE_PX // PATCH_PX
MOST = 6  # objects in a scene
BOX_UNIT_PX = 32  # about an object's side
ANSWERS = (1 + len(KINDS), 1 + MOST, 1, 4)  # kind, count, middle, box
WHITENING_SCENES = 200

VISION = {
    "hidden_size": WIDTH,
    "intermediate_size": 4 * WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "image_size": SIZE_PX,
    "patch_size": PATCH_PX,
}
"""The sizes of the ViT, as BlipVisionConfig and CLIPVisionConfig name them: 2.8 M parameters."""


def make_head() -> nn.Linear:
    """Reads every answer off a patch's features."""
    return nn.Linear(WIDTH, sum(ANSWERS))


def as_pixels(drawn: Scene) -> Tensor:
    """The picture as uint8 (3, height, width), RGB."""
    return torch.from_numpy(np.array(drawn.image)).permute(2, 0, 1).contiguous()


def normalised(pixels: Tensor, mean: list[float], std: list[float]) -> Tensor:
    """Pixels 0..255, (batch, 3, h, w), as an image processor with that mean and deviation gives them: float32."""
    return (pixels.float() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


# --- the start


def whitening(mean: list[float], std: list[float]) -> tuple[Tensor, Tensor]:
    """Weight (WIDTH, 3, PATCH_PX, PATCH_PX) and bias (WIDTH,) of a convolution that whitens patches.

    Its channels are the leading principal components of normalised patches of scenes, each scaled to variance one.
    """
    pictures = torch.stack([as_pixels(scene(Random(seed))) for seed in TRAINING_SEEDS[-WHITENING_SCENES:]])
    patches = F.unfold(normalised(pictures, mean, std), PATCH_PX, stride=PATCH_PX).transpose(1, 2).flatten(0, 1)
    middle = patches.mean(0)
    variances, directions = torch.linalg.eigh((patches - middle).T.cov())  # ascending
    weight = (directions[:, -WIDTH:] / (variances[-WIDTH:] + 0.01).sqrt()).T
    return weight.reshape(WIDTH, 3, PATCH_PX, PATCH_PX), -(weight @ middle)


def waves() -> Tensor:
    """Sines and cosines of each patch's column and row, of wavelengths from two patches on: (GRID * GRID, WIDTH)."""
    frequencies = math.pi * GRID ** (-torch.arange(WIDTH // 4) / (WIDTH // 4))
    rows, columns = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    angles = [places.flatten()[:, None] * frequencies for places in (columns, rows)]
    return torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1)


# --- the task for every patch


def patch_targets(drawn: Scene) -> dict[str, Tensor]:
    """The right answers, (GRID * GRID,) each.

    kinds: which covers the patch's middle (0: none, else 1 + its place in KINDS); counts: how many of that kind the
    scene holds (0: no kind); middles: whether an object's middle lies in the patch, 0 or 1; boxes (GRID * GRID, 4):
    of the object, its middle seen from the patch's and its width and height, in BOX_UNIT_PX. The first three are int64.
    """
    kinds, counts, middles = (torch.zeros(GRID, GRID, dtype=torch.int64) for _ in range(3))
    boxes = torch.zeros(GRID, GRID, 4)
    places = list(KINDS)
    centres = (torch.arange(GRID) + 0.5) * PATCH_PX
    patch_y, patch_x = torch.meshgrid(centres, centres, indexing="ij")
    for (left, top, right, bottom), kind in zip(drawn.boxes, drawn.kinds, strict=True):
        covered = (patch_y >= top) & (patch_y < bottom) & (patch_x >= left) & (patch_x < right)
        middle = ((top + bottom) // 2 // PATCH_PX, (left + right) // 2 // PATCH_PX)
        covered[middle] = True  # a small object may cover the middle of no patch
        kinds[covered] = 1 + places.index(kind)
        counts[covered] = drawn.kinds.count(kind)
        middles[middle] = 1
        to_middle_x, to_middle_y = (left + right) / 2 - patch_x, (top + bottom) / 2 - patch_y
        size = [torch.full((GRID, GRID), float(length)) for length in (right - left, bottom - top)]
        boxes[covered] = (torch.stack([to_middle_x, to_middle_y, *size], -1) / BOX_UNIT_PX)[covered]
    return {
        "kinds": kinds.flatten(),
        "counts": counts.flatten(),
        "middles": middles.flatten(),
        "boxes": boxes.flatten(0, 1),
    }


def patch_loss(answers: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """How wrong the head's answers (batch, patches, sum of ANSWERS) are, as one number."""
    kind, count, middle, box = answers.float().split(ANSWERS, dim=-1)
    covered = batch["kinds"] > 0
    weights = torch.where(covered, 1.0, 0.1)
    kind_loss = F.cross_entropy(kind.transpose(1, 2), batch["kinds"], reduction="none")
    count_loss = F.cross_entropy(count[covered], batch["counts"][covered])
    middle_loss = F.binary_cross_entropy_with_logits(
        middle[..., 0], batch["middles"].float(), pos_weight=torch.tensor(5.0)
    )
    box_loss = F.l1_loss(box[covered], batch["boxes"][covered])
    return (kind_loss * weights).sum() / weights.sum() + 0.5 * count_loss + middle_loss + box_loss
