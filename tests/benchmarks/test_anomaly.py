"""The parts of the speed benchmark of anomaly do what their rows say, on a small network."""

import pytest
import torch

from benchmarks.anomaly import (
    SIDE,
    TESTS,
    Ours,
    Peer,
    at_full_size,
    draw_photos,
    growth,
    many_row,
    predict_rows,
    select,
    with_bilinear,
)
from tests.full_size import wide_resnet

PATCHES = (SIDE // 8) ** 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("anomaly")


@pytest.fixture(scope="module")
def photos(folder):
    return draw_photos(folder / TESTS, 2)


@pytest.fixture(scope="module")
def ours(folder):
    torch.manual_seed(0)
    return Ours(with_bilinear(wide_resnet(folder / "resnet10t", "resnet10t")), "cpu")


@pytest.fixture(scope="module")
def peer(ours, folder):
    return Peer(ours.backbone, ours.checkpoint, folder / "anomalib", "cpu")


def test_both_fit_a_bank_and_score_alike(ours, peer, photos, folder):
    assert peer.fit(folder / TESTS, len(photos), 5) == 2
    scorer = ours.fit(photos)
    assert len(scorer.bank) == round(0.1 * 2 * PATCHES)
    found = ours.predict(scorer, photos)
    theirs = peer.predict(peer.fitted(scorer.bank.clone()), folder / TESTS, 2)
    assert found == pytest.approx(theirs, rel=0.05)  # anomalib resizes floats, we bytes
    rows = predict_rows(ours, peer, folder / TESTS, photos, scorer, 1, "cpu")
    assert [row.goal for row in rows] == [3.0, 1.5]
    assert all(row.ours > 0 and row.ratio == row.ours / row.peer_value for row in rows)
    assert all("in the network" in row.rest and row.lever for row in rows)


def test_our_coreset_has_all_its_picks():
    assert select([torch.rand(50, 8), torch.rand(50, 8)], 10, torch.device("cpu")) == 10


def test_what_is_computed_of_many_photos_is_said(ours, peer, photos):
    row = many_row(ours, peer, photos, 2.0, "cpu")
    assert row.peer_value < 2 / (2 * 2.0)  # the picks come on top
    assert "a bank of 205; anomalib's time is computed: 2000 ms a photo" in row.note and "205 picks at" in row.note
    assert row.ratio == pytest.approx(row.ours / row.peer_value) and row.rest


def test_growth_is_told_for_each_number_of_photos(ours, photos):
    found = growth(ours, photos, [1, 2])
    assert [each["photos"] for each in found] == [1, 2]
    assert [each["bank"] for each in found] == [102, 205]


@pytest.mark.parametrize(("photos", "without", "features"), [(100, 1.1, 1.1), (4000, 43.4, 6.1), (8000, 86.7, 6.1)])
def test_memory_is_bounded_by_the_candidates(photos, without, features):
    found = at_full_size(photos, 330)
    assert (found["without_bound_gb"], found["features_gb"]) == (without, features)
