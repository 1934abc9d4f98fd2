"""What is below the cutoff does not fit, unless a caption or a count says so."""

import json

import numpy as np
import pytest
import torch

from pipelines.search.album.album import make_album
from pipelines.search.album.nearest import Match
from pipelines.search.query.cutoff import Fit, fit, say_fit
from pipelines.search.query.words import take_apart
from tests.search.album.test_album import ABOUT, row

QUERY = torch.tensor([1.0, 0.0, 0.0, 0.0])
COSINES = {"near": 0.75, "half": 0.5, "far": 0.25, "said": 0.125, "counted": 0.0}
FOUND = [Match(key, 0.01) for key in COSINES]  # scores are those of all that was asked, and say nothing here


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    made = make_album(tmp_path_factory.mktemp("album") / "one", 4, ABOUT)
    rows = {key: row(key, vector=np.array([cosine, 0, 0, 0], np.float16)) for key, cosine in COSINES.items()}
    rows["said"]["caption"] = "강아지와 바다"
    rows["counted"]["counts"] = json.dumps({"dog": 2})
    made.put(list(rows.values()), [])
    return made


def below(album, query, cutoff, found=FOUND):
    asked = take_apart(query, {"강아지": "dog"})
    fits = fit(album, QUERY, asked, found, cutoff)
    assert sorted(match.id for match in (*fits.matches, *fits.below)) == sorted(match.id for match in found)
    return [match.id for match in fits.below]


@pytest.mark.parametrize(
    ("query", "cutoff", "expected"),
    [
        ("고양이", -1.0, []),
        ("고양이", 0.5, ["far", "said", "counted"]),  # at the cutoff it fits
        ("고양이", 1.0, list(COSINES)),
        ("강아지", 0.5, ["far", "counted"]),
        ("강아지 고양이", 0.5, ["far", "said", "counted"]),
        ("강아지 -바다", 0.5, ["far", "said", "counted"]),
        ("강아지 두 마리", 0.5, ["far"]),
        ("강아지 세 마리", 0.5, ["far", "counted"]),
    ],
)
def test_what_fits(album, query, cutoff, expected):
    assert below(album, query, cutoff) == expected


def test_a_photo_that_is_gone_does_not_fit(album):
    assert below(album, "고양이", 0.5, [Match("gone", 0.9), Match("near", 0.1)]) == ["gone"]
    assert fit(album, QUERY, take_apart("고양이", {}), FOUND, 0.9).best == 0.75


@pytest.mark.parametrize(
    ("matches", "without", "all_shown", "said"),
    [
        (2, 0, False, ""),
        (
            0,
            2,
            False,
            "no photo of the album matches '곰' (best 0.210, below the cutoff 0.270 of this model); --all sh",
        ),
        (0, 2, True, "no photo of the album matches '곰' (best 0.210, below the cutoff 0.270 of this model)\n"),
        (1, 3, False, "3 of the best 4 photos are below the cutoff 0.270 of this model and left out; --all shows"),
        (1, 3, True, "3 of the best 4 photos are below the cutoff 0.270 of this model and marked\n"),
    ],
)
def test_what_is_said_of_it(matches, without, all_shown, said, capsys):
    say_fit(Fit([Match("a", 0.3)] * matches, [Match("b", 0.2)] * without, 0.21, 0.27), "곰", all_shown)
    error = capsys.readouterr().err
    assert error.startswith(said) if said else error == ""
