"""Vectors, rankings and near-duplicates are put together."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from pipelines.search.query.fusion import MINUS, Ranked, folded, mixed, rank_fusion

UNIT = torch.eye(4)
NONE = torch.empty(0, 4)


def test_one_vector_stays_as_it_is():
    assert torch.allclose(mixed(UNIT[:1], [0.3], NONE), UNIT[0])


def test_vectors_are_weighted():
    assert torch.allclose(mixed(UNIT[:2], [3, 4], NONE), torch.tensor([0.6, 0.8, 0, 0]))


def test_what_is_taken_away_ranks_lower_and_what_is_shared_stays():
    with_both, alone = F.normalize(UNIT[0] + UNIT[1], dim=0), UNIT[0]
    asked = mixed(UNIT[:1], [1], with_both[None])
    assert asked @ alone > asked @ with_both
    assert torch.allclose(mixed(UNIT[:1], [1], UNIT[:1]), UNIT[0])  # what is asked for is never taken away


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(0, 5))
def test_scores_stay_cosines_within_the_bound(seed, shown, minus):
    draw = torch.Generator().manual_seed(seed)
    vectors = F.normalize(torch.randn(shown + minus, 16, generator=draw), dim=1)
    plain = mixed(vectors[:shown], [1.0] * shown, vectors[:0])
    asked = mixed(vectors[:shown], [1.0] * shown, vectors[shown:])
    assert asked.norm() == pytest.approx(1, abs=1e-5)
    assert float(asked @ plain) >= 1 / math.sqrt(1 + MINUS**2) - 1e-5
    assert all(float(asked @ each) <= float(plain @ each) + 1e-5 for each in vectors[shown:]) or minus > 1


@pytest.mark.parametrize("weights", [[], [1], [1, 0], [1, -1]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(ValueError, match="weight above 0"):
        mixed(UNIT[:2], weights, NONE)


def test_vectors_that_cancel_out_are_refused():
    with pytest.raises(ValueError, match="cancel"):
        mixed(torch.stack([UNIT[0], -UNIT[0]]), [1, 1], NONE)


@pytest.mark.parametrize(
    ("rankings", "expected"),
    [
        ([], []),
        ([[]], []),
        ([["a", "b"]], [("a", 1 / 61), ("b", 1 / 62)]),
        ([["a", "b"], ["b", "c"]], [("b", 1 / 62 + 1 / 61), ("a", 1 / 61), ("c", 1 / 62)]),
        ([["a", "b"], ["b", "a"]], [("a", 1 / 61 + 1 / 62), ("b", 1 / 61 + 1 / 62)]),
        ([["a", "a", "b"]], [("a", 1 / 61), ("b", 1 / 62)]),
    ],
)
def test_rankings_are_fused(rankings, expected):
    assert rank_fusion(rankings) == [Ranked(key, pytest.approx(score)) for key, score in expected]


@pytest.mark.parametrize(
    ("vectors", "hashes", "groups"),
    [
        ([], "", []),
        ([0, 0, 1], "abc", [[0, 1], [2]]),
        ([0, 1, 2], "aba", [[0, 2], [1]]),
        ([1, 0, 1, 0], "abcd", [[0, 2], [1, 3]]),
    ],
)
def test_near_duplicates_are_folded(vectors, hashes, groups):
    assert folded(UNIT[vectors], hashes, 0.98) == groups


def test_no_chain_joins_what_is_unlike():
    angles = torch.tensor([0.0, 0.3, 0.6])  # each is like the next
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert folded(vectors, "abc", math.cos(0.4)) == [[0, 1], [2]]


def test_a_hash_a_vector():
    with pytest.raises(ValueError, match="a hash for each"):
        folded(UNIT, "abc", 0.9)
