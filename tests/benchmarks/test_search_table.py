"""What was measured of photo search is within its bars, and becomes a table."""

import json

import numpy as np
import pytest
import torch

from benchmarks.album import CONDITIONS, beyond, drawn, holds
from benchmarks.search_table import table
from benchmarks.tables import RESULTS


def test_no_results_make_no_table(tmp_path):
    assert table(tmp_path) == ""


def test_no_search_lost_what_it_must_not():
    albums = json.loads((RESULTS / "album.json").read_text(encoding="utf-8"))["albums"]
    assert [line for line in beyond(albums) if "recall" in line] == []
    assert json.loads((RESULTS / "indexing.json").read_text(encoding="utf-8"))["within"]


def test_a_bar_that_is_not_met_is_named():
    search = {"photos_left": 50, "recall": 0.99, "p50_ms": 21.0}
    assert list(beyond({"random": {"searches": {"a day": search}}})) == [
        "random, a day: recall 0.99, at least 1.0",
        "random, a day: 21.0 ms, at most 20.0",
    ]


@pytest.mark.parametrize("condition", CONDITIONS.values())
def test_conditions_leave_as_many_as_they_are_named_for(condition):
    rows = 100_000
    share = float(holds(condition, np.arange(rows), rows).float().mean())
    expected = {None: 1.0, "date < 2015": 0.5, 'camera = "Leica M11"': 50 / rows, "date = 2012-03-01": 1 / 7305}
    assert share == pytest.approx(expected.get(condition, 0.01), rel=0.06)


def test_drawn_vectors_are_the_same_again_and_clustered_ones_near_their_centre():
    found = drawn("clustered").vectors(1000).float()
    assert torch.equal(found.half(), drawn("clustered").vectors(1000))
    nearest = (found @ drawn("clustered").centres.T).amax(1)
    assert nearest.mean() == pytest.approx(1 / (1 + 0.7**2) ** 0.5, abs=0.01)
