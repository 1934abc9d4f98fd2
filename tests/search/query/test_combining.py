"""A vector, caption words and a condition are answered together, and copies of a photo as one."""

import json

import numpy as np
import pytest
import torch

from pipelines.search.album.album import make_album
from pipelines.search.album.captions import index_captions
from pipelines.search.query.combining import POOL, combined
from pipelines.search.query.words import Asked, take_apart
from pipelines.search.where.filters import parse
from tests.search.album.test_album import ABOUT, row

NOTHING, SEA = Asked(""), take_apart("바다", {})
QUERY = torch.tensor([1.0, 0.0, 0.0, 0.0])


def at(cosine):
    """A unit vector with this cosine with the query."""
    return np.array([cosine, (1 - cosine**2) ** 0.5, 0, 0], np.float16)


@pytest.fixture
def album(tmp_path):
    made = make_album(tmp_path / "one", 4, ABOUT)
    rows = [
        row("sea", vector=at(0.9), caption="바다"),
        row("sea again", vector=at(0.899), caption="바다"),
        row("copy", vector=at(-0.5), hash="hash of sea"),
        row("dog", vector=at(0.3), caption="강아지가 바다에 있다", counts=json.dumps({"dog": 2})),
        row("cat", vector=at(0.6), caption="고양이", counts=json.dumps({"dog": 0})),
    ]
    made.put(rows, [])
    index_captions(made)
    return made


def ids(matches):
    return [match.id for match in matches]


def test_an_empty_album_has_nothing(tmp_path):
    assert combined(make_album(tmp_path / "empty", 4, ABOUT), QUERY, SEA, 3, fold=0.9) == []


def test_a_vector_alone_finds_the_nearest(album):
    found = combined(album, QUERY, NOTHING, 4)
    assert ids(found) == ["sea", "sea again", "cat", "dog"]
    assert [match.score for match in found] == [pytest.approx(score, abs=1e-3) for score in (0.9, 0.899, 0.6, 0.3)]


def test_captions_with_all_words_come_up_with_their_cosine(album):
    found = combined(album, QUERY, take_apart("강아지 바다", {}), 5)
    assert ids(found)[0] == "dog" and found[0].score == pytest.approx(0.3, abs=1e-3) and len(found) == 5
    assert ids(combined(album, QUERY, take_apart("없는말", {}), 5)) == ids(combined(album, QUERY, NOTHING, 5))


def test_a_condition_holds_for_both(album):
    assert ids(combined(album, QUERY, SEA, 5, parse("dog >= 0", {"dog": "dog"}))) == ["dog", "cat"]
    assert combined(album, QUERY, SEA, 5, parse("year = 1999", {})) == []


def test_captions_with_a_minus_term_do_not_come_up(album):
    assert ids(combined(album, QUERY, take_apart("바다 -강아지", {}), 4)) == ["sea", "sea again", "cat", "dog"]
    assert ids(combined(album, QUERY, take_apart("바다", {}), 4)) == ["sea", "sea again", "dog", "cat"]


@pytest.mark.parametrize(
    ("query", "first"), [("강아지 두 마리", "dog"), ("강아지 한 마리 미만", "cat"), ("고양이 0마리", "sea")]
)
def test_photos_with_as_many_come_up(album, query, first):
    assert ids(combined(album, QUERY, take_apart(query, {"강아지": "dog"}), 4))[0] == first


def test_copies_stand_under_the_best(album):
    first, *others = combined(album, QUERY, NOTHING, 5, fold=0.99)
    assert (first.id, first.alike) == ("sea", ("sea again", "copy"))
    assert [(match.id, match.alike) for match in others] == [("cat", ()), ("dog", ())]


def test_a_photo_is_left_out(album):
    assert ids(combined(album, QUERY, NOTHING, 2, leave_out="sea")) == ["sea again", "cat"]


def test_others_are_found_behind_any_number_of_copies(tmp_path):
    made = make_album(tmp_path / "copies", 4, ABOUT)
    copies = [row(f"{number:04}", vector=at(0.9)) for number in range(2 * POOL)]
    made.put([*copies, row("other", vector=at(0.1))], [])
    first, second = combined(made, QUERY, NOTHING, 2, fold=0.99)
    assert len(first.alike) == 2 * POOL - 1 and second.id == "other"
