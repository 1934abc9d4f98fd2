"""The backbone is shown where something was pasted, and never a defect."""

import random

import numpy as np
import pytest
import torch

from mini.train_backbone import CROP_PX, GROUNDS, Examples, draw, level_loss, train
from mini.world import TRAINING_SEEDS


def test_pasted_pixels_are_marked_and_bare_pictures_have_none(emoji):
    drawn = [draw(random.Random(seed)) for seed in range(40)]
    assert {each.ground for each in drawn} == set(range(len(GROUNDS)))
    assert any(not each.pasted.any() for each in drawn)
    shares = [each.pasted.mean() for each in drawn if each.pasted.any()]
    assert len(shares) > 20 and max(shares) < 0.9
    assert all(each.image.shape == (CROP_PX, CROP_PX, 3) and each.image.dtype == np.uint8 for each in drawn)


def test_an_example_is_the_same_for_the_same_seed(emoji):
    one, again = (Examples()[TRAINING_SEEDS[5]] for _ in range(2))
    assert all(torch.equal(one[name], again[name]) for name in one)


def test_a_level_is_told_what_is_covered_and_what_is_bare():
    pasted = torch.zeros(1, 8, 8, dtype=torch.bool)
    pasted[0, :4, :4] = True
    batch = {"pasted": pasted, "ground": torch.tensor([2])}
    logits = torch.full((1, 1 + len(GROUNDS), 2, 2), -9.0)
    logits[0, 3] = 9
    logits[0, 0, 0, 0] = 9
    assert level_loss(logits, batch) == pytest.approx(0, abs=1e-3)
    logits[0, 0] = -logits[0, 0]
    assert level_loss(logits, batch) > 5


def test_a_few_steps_and_then_one_more(emoji, tmp_path):
    model, _ = train(2, tmp_path / "run.pt")
    before = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    longer, training = train(3, tmp_path / "run.pt")
    assert training.step == 3
    assert not torch.equal(before, torch.nn.utils.parameters_to_vector(longer.parameters()))
