"""Hangul is seen wherever it is, and how a word ends is heard."""

import pytest

from pipelines.search.hangul import ends_in_consonant, has_hangul


@pytest.mark.parametrize(
    ("text", "expected"), [("dog", False), ("", False), ("犬", False), ("강아지", True), ("a 개", True), ("ㅋ", True)]
)
def test_hangul_is_seen(text, expected):
    assert has_hangul(text) is expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [("", False), ("강아지", False), ("가방", True), ("dog", False), ("빵 3", False)],
)
def test_a_final_consonant_is_heard(word, expected):
    assert ends_in_consonant(word) is expected
