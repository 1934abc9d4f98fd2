"""Every patch is asked for what covers it, and its answers are judged by that."""

from random import Random

import pytest
import torch
from PIL import Image

from mini.vit import (
    ANSWERS,
    GRID,
    MOST,
    WIDTH,
    as_pixels,
    make_head,
    normalised,
    patch_loss,
    patch_targets,
    waves,
    whitening,
)
from mini.world import KINDS, Scene, scene

BLANK = Image.new("RGB", (160, 160))
MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]


def test_an_empty_scene_asks_for_nothing():
    targets = patch_targets(Scene(BLANK, [], []))
    assert all(not target.any() for target in targets.values())
    assert targets["kinds"].shape == (GRID * GRID,) and targets["boxes"].shape == (GRID * GRID, 4)


def test_the_patches_under_an_object_are_asked_for_it():
    drawn = Scene(BLANK, [(0, 0, 48, 32), (100, 100, 104, 104), (120, 16, 152, 48)], ["cat", "dog", "cat"])
    targets = {name: target.view(GRID, GRID, -1).squeeze(-1) for name, target in patch_targets(drawn).items()}
    cat, dog = (1 + list(KINDS).index(name) for name in ("cat", "dog"))
    assert targets["kinds"][:2, :3].unique().tolist() == [cat]
    assert targets["counts"][0, 0] == 2 and targets["counts"][6, 6] == 1
    assert targets["kinds"][6, 6] == dog, "an object that covers no patch's middle has the patch of its own"
    assert targets["middles"].nonzero().tolist() == [[1, 1], [2, 8], [6, 6]]
    assert (targets["boxes"][0, 0] * 32).tolist() == [16, 8, 48, 32], "its middle from the patch's, and its size"


def test_right_answers_cost_little_and_wrong_ones_much():
    drawn = Scene(BLANK, [(0, 0, 48, 32)], ["cat"])
    batch = {name: target[None] for name, target in patch_targets(drawn).items()}
    kinds = 20 * torch.nn.functional.one_hot(batch["kinds"], 1 + len(KINDS))
    counts = 20 * torch.nn.functional.one_hot(batch["counts"], 1 + MOST)
    middles = 40 * batch["middles"][..., None] - 20
    right = torch.cat([kinds, counts, middles, batch["boxes"]], -1)
    assert right.shape[-1] == sum(ANSWERS)
    assert patch_loss(right, batch) < 1e-3
    for part in right.split(ANSWERS, -1):
        part.neg_()
        assert patch_loss(right, batch) > 0.1
        part.neg_()


def test_pixels_come_as_a_processor_gives_them():
    pixels = torch.tensor([51, 102, 0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    assert normalised(pixels, MEAN, STD)[0, :, 0, 0].tolist() == pytest.approx([-1.5, 0, -0.75], abs=1e-6)


def test_every_place_has_waves_of_its_own():
    places = waves()
    assert places.shape == (GRID * GRID, WIDTH)
    assert torch.cdist(places, places).fill_diagonal_(9).min() > 0.5


def test_patches_enter_whitened(emoji):
    weight, bias = whitening(MEAN, STD)
    pixels = torch.stack([as_pixels(scene(Random(seed))) for seed in range(40)])  # others than it was made from
    entered = torch.nn.functional.conv2d(normalised(pixels, MEAN, STD), weight, bias, stride=16).permute(1, 0, 2, 3)
    deviations = entered.flatten(1).std(1)
    assert deviations[-50:].mean() == pytest.approx(1, abs=0.3), "the leading components have variance one"


def test_the_head_has_an_answer_for_each():
    assert make_head()(torch.zeros(2, 5, WIDTH)).shape == (2, 5, sum(ANSWERS))
