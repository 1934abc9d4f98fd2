"""Kinds of objects are known by all their names."""

import pytest

from pipelines.core.words.lexicon import read_lexicon
from pipelines.search.album.album import make_album
from pipelines.search.album.counts import counted_kinds
from pipelines.search.where.counted import counted_names, find_class
from tests.search.album.test_album import ABOUT, row

LEXICON = read_lexicon()


def test_of_nothing_nothing_is_known():
    assert counted_names([], LEXICON) == {} and find_class("dog", {}) is None


@pytest.mark.parametrize(
    "kinds", [["dog", "traffic light", "person", "bus", "butterfly"], ["강아지", "신호등", "사람"]]
)
@pytest.mark.parametrize("word", ["dog", "Dogs", "강아지", "개", "강아지들을"])
def test_a_kind_has_its_names_in_both_languages(kinds, word):
    assert find_class(word, counted_names(kinds, LEXICON)) == kinds[0]


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("traffic lights", "traffic light"),
        ("신호등이", "traffic light"),
        ("people", "person"),
        ("buses", "bus"),
        ("butterflies", "butterfly"),
        ("cat", None),
        ("고양이", None),
        ("s", None),
        ("", None),
    ],
)
def test_plurals_and_particles(word, kind):
    names = counted_names(["dog", "traffic light", "person", "bus", "butterfly"], LEXICON)
    assert find_class(word, names) == kind


def test_two_kinds_of_one_meaning_keep_their_names():
    names = counted_names(["강아지", "dog"], LEXICON)
    assert (names["강아지"], names["dog"], names["멍멍이"]) == ("강아지", "dog", "강아지")


def test_what_an_album_has_counted(tmp_path):
    album = make_album(tmp_path / "one", 4, ABOUT)
    assert counted_kinds(album) == []
    album.put([row("a", counts='{"강아지": 0, "dog": 0}'), row("b", counts='{"cat": 3, "dog": 1}'), row("c")], [])
    assert counted_kinds(album) == ["cat", "dog", "강아지"]
