"""Numbers in queries are found with what they count, and with nothing else."""

import pytest

from mini.world import KINDS, KOREAN_NUMERALS
from pipelines.core.words.lexicon import read_lexicon
from pipelines.search.where.counted import counted_names
from pipelines.search.where.quantities import quantities

COUNTED = counted_names(["dog", "cat", "person", "car", "traffic light", "flower"], read_lexicon())


def found(query, counted=COUNTED):
    conditions = quantities(query.split(), counted).conditions
    return [(each.subject.kind, each.operator, each.value) for each in conditions]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", []),
        ("강아지", []),
        ("강아지 3마리", [("dog", "=", 3)]),
        ("강아지 3 마리", [("dog", "=", 3)]),
        ("강아지가 세마리", [("dog", "=", 3)]),
        ("세 마리의 강아지", [("dog", "=", 3)]),
        ("3마리 강아지", [("dog", "=", 3)]),
        ("강아지 셋", [("dog", "=", 3)]),
        ("강아지 열두 마리", [("dog", "=", 12)]),
        ("강아지 스무 마리", [("dog", "=", 20)]),
        ("강아지 3마리 이상", [("dog", ">=", 3)]),
        ("강아지 세 마리 미만", [("dog", "<", 3)]),
        ("사람 2명이하", [("person", "<=", 2)]),
        ("강아지 두 마리와 자동차 한 대", [("dog", "=", 2), ("car", "=", 1)]),
        ("고양이와 강아지 두 마리", [("dog", "=", 2)]),
        ("바닷가의 신호등 두 개가", [("traffic light", "=", 2)]),
        ("꽃 다섯 송이, 사람 한 명", [("flower", "=", 5), ("person", "=", 1)]),
        ("three dogs", [("dog", "=", 3)]),
        ("3 Dogs and one cat.", [("dog", "=", 3), ("cat", "=", 1)]),
        ("two traffic lights", [("traffic light", "=", 2)]),
        ("at least 2 people", [("person", ">=", 2)]),
        ("강아지 3마리 강아지 4마리", [("dog", "=", 3)]),
        ("코끼리 세 마리", []),  # not counted
        ("강아지 2024년", []),
        ("강아지 3개월", []),
        ("한강 강아지", []),
        ("세 마리", []),
        ("서울 강아지", []),
        ("a dog", []),
    ],
)
def test_numbers_with_what_they_count(query, expected):
    assert found(query) == expected


def test_where_nothing_is_counted_there_is_no_number():
    assert found("강아지 3마리", {}) == []


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("강아지 두 마리와 고양이", ["강아지", "고양이"]),
        ("3마리의 강아지", ["강아지"]),
        ("세 마리 이상 강아지", ["강아지"]),
        ("at least two dogs", ["dogs"]),
        ("강아지 둘 셋", ["강아지", "셋"]),
        ("코끼리 두 마리", ["코끼리", "두", "마리"]),  # nothing else says how many
        ("강아지 3마리 강아지 4마리", ["강아지", "강아지"]),
    ],
)
def test_the_words_that_say_numbers_are_known(query, left):
    words = query.split()
    places = quantities(words, COUNTED).places
    assert [word for place, word in enumerate(words) if place not in places] == left


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_of_the_mini_world_is_counted_in_both_languages(kind):
    counted = counted_names([kind.name], read_lexicon())
    for number, numeral in enumerate(KOREAN_NUMERALS, 1):
        assert found(f"{kind.korean} {numeral} {kind.counter}", counted) == [(kind.name, "=", number)]
    assert found(f"three {kind.plural}", counted) == [(kind.name, "=", 3)]
