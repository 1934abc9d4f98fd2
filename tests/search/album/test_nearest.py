"""The nearest photos of an album are found, among all and among a choice."""

import numpy as np
import pytest
import torch

from pipelines.core.errors import InputError
from pipelines.search.album.album import make_album
from pipelines.search.album.nearest import Match, nearest
from tests.search.album.test_album import ABOUT, row

UNIT = np.eye(4, dtype=np.float16)
QUERY = torch.tensor([0.8, 0.6, 0.0, 0.0])


@pytest.fixture
def album(tmp_path):
    made = make_album(tmp_path / "one", 4, ABOUT)
    rows = [row(f"{number}", vector=UNIT[number], colour="blue" if number else "red") for number in range(4)]
    made.put(rows, [])
    return made


def test_the_best_come_first(album):
    assert nearest(album, QUERY, 2) == [Match("0", pytest.approx(0.8)), Match("1", pytest.approx(0.6))]


@pytest.mark.parametrize(
    ("where", "expected"), [("colour = 'blue'", ["1", "2", "3"]), ("id = '3'", ["3"]), ("id = 'none'", [])]
)
def test_a_condition_is_applied_first(album, where, expected):
    assert [match.id for match in nearest(album, QUERY, 10, where)] == expected


def test_a_condition_follows_the_album(album):
    assert len(nearest(album, QUERY, 10, "colour = 'blue'")) == 3
    album.drop(["1"])
    album.put([row("9", vector=UNIT[0], colour="blue"), row("2", vector=UNIT[1], colour="red")], [])
    album.photos.optimize()  # which numbers the rows anew
    assert [match.id for match in nearest(album, QUERY, 10, "colour = 'blue'")] == ["9", "3"]


def test_an_empty_album_has_none(tmp_path):
    assert nearest(make_album(tmp_path / "empty", 4, ABOUT), QUERY, 3) == []


def test_no_condition_is_refused(album):
    with pytest.raises(InputError, match="condition"):
        nearest(album, QUERY, 3, "colour is")
