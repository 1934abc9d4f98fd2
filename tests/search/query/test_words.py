"""A query's minus terms, quotes and numbers are told apart."""

import unicodedata

import pytest

from pipelines.core.errors import InputError
from pipelines.core.words.lexicon import read_lexicon
from pipelines.search.query.words import Asked, bare, check_text, take_apart
from pipelines.search.where.conditions import Compare, Counted


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", Asked("")),
        (" 바다 ", Asked("바다", ("바다",))),
        ("바다 -사람", Asked("바다", ("바다",), ("사람",))),
        ("-사람 바다", Asked("바다", ("바다",), ("사람",))),
        ('바다 -"빨간  차" -배', Asked("바다", ("바다",), ("빨간 차", "배"))),
        ('"빨간 차" 바다', Asked("빨간 차 바다", ("빨간 차", "바다"))),
        ("“빨간 차”", Asked("빨간 차", ("빨간 차",))),
        ("t-shirt 바다-사람", Asked("t-shirt 바다-사람", ("t-shirt", "바다-사람"))),
        ("바다 - 사람 --", Asked("바다 - 사람 --", ("바다", "-", "사람", "--"))),
        ('24" 모니터', Asked('24" 모니터', ('24"', "모니터"))),
        (unicodedata.normalize("NFD", "바다 -강"), Asked("바다", ("바다",), ("강",))),
        ("-사람", Asked("", (), ("사람",))),
    ],
)
def test_the_parts_of_a_query(query, expected):
    assert take_apart(query, {}) == expected


@pytest.mark.parametrize("query", ['"바다', '-"바다 사람', '바다 ""', '-" "', '"바다"사람'])
def test_quotes_that_are_none_are_refused(query):
    with pytest.raises(InputError, match="quotes"):
        take_apart(query, {})


@pytest.mark.parametrize(("query", "found"), [("-사람 -배", "only what not: 사람, 배"), ("  ", "found nothing")])
def test_something_has_to_be_shown(query, found):
    with pytest.raises(InputError, match=found):
        check_text(take_apart(query, {}))
    check_text(take_apart(f"바다 {query}", {}))


def test_numbers_are_of_what_is_shown_only():
    asked = take_apart("강아지 3마리 -고양이 -2마리", {"강아지": "dog", "고양이": "cat"})
    assert asked.counts == (Compare(Counted("dog"), "=", 3),) and asked.text == "강아지 3마리"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("강아지 두 마리와 공", ("강아지", "공")),
        ("세 마리의 강아지", ("강아지",)),
        ('"빨간 차" 옆의 강아지 두 마리', ("빨간 차", "옆의", "강아지")),
        ('"강아지 두 마리"', ("강아지 두 마리",)),
        ("코끼리 두 마리", ("코끼리", "두", "마리")),
    ],
)
def test_numbers_that_are_counted_are_not_looked_for_in_captions(query, words):
    asked = take_apart(query, {"강아지": "dog"})
    assert asked.words == words and asked.text == query.replace('"', "")


@pytest.mark.parametrize(
    ("word", "noun"),
    [
        ("바닷가의", "바닷가"),
        ("강아지가", "강아지"),
        ("강아지와", "강아지"),
        ("바다에서의", "바다"),
        ("바나나로", "바나나"),
        ("고양이", "고양이"),
        ("사과", "사과"),
        ("소의", "소의"),  # one syllable
        ("주의", "주의"),
        ("달리는", "달리는"),
        ("dogs", "dogs"),
    ],
)
def test_nouns_that_are_known_lose_their_particle(word, noun):
    assert bare(word, read_lexicon()) == noun
    assert take_apart(f'"{word}" {word}', {}, read_lexicon()).words == (word, noun)
