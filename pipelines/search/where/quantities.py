"""Finds in a query how many of what it names: `강아지 세 마리`, `3마리의 강아지`, `three dogs`, `at least 2 cats`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.core.words.korean import COUNTERS
from pipelines.search.where.conditions import Compare, Counted, Operator
from pipelines.search.where.counted import find_class

PARTICLES = ("의", "와", "과", "이", "가", "을", "를", "은", "는", "도", "만", "이랑", "랑", "하고")
"""What a counter may carry."""
BOUNDS: dict[str, Operator] = {"이상": ">=", "이하": "<=", "초과": ">", "미만": "<"}
"""What may follow a counter."""
ENGLISH_BOUNDS: dict[str, Operator] = {
    "at least": ">=", "at most": "<=", "more than": ">", "fewer than": "<", "less than": "<",
}  # fmt: skip
"""What may stand before a number."""
ENGLISH = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
ONES = ("하나 한", "둘 두", "셋 세 석 서", "넷 네 넉 너", "다섯", "여섯", "일곱", "여덟", "아홉")
NUMBERS = {
    **{word: number for number, word in enumerate(ENGLISH, 1)},
    **{f"{ten}{one}": value + number
       for ten, value in (("", 0), ("열", 10), ("스물", 20))
       for number, words in enumerate(ONES, 1) for one in words.split()},
    "열": 10, "스물": 20, "스무": 20,
}  # fmt: skip
STANDALONE = ("하나", "둘", "셋", "넷", "다섯", "여섯", "일곱", "여덟", "아홉", "열")
"""Korean numbers that need no counter: 강아지 둘."""
LONGEST_NAME = 3
"""Words that a kind's name may have, such as "potted palm tree"."""

_SPELLED = "|".join(sorted(NUMBERS, key=len, reverse=True))
_COUNTED = re.compile(
    rf"(?P<number>[0-9]{{1,4}}|{_SPELLED}) ?(?P<counter>{'|'.join(COUNTERS)})"
    rf"(?: ?(?P<bound>{'|'.join(BOUNDS)}))?(?P<particle>{'|'.join(PARTICLES)})?"
)
_ALONE = re.compile(rf"(?P<number>{'|'.join(STANDALONE)})(?:{'|'.join(PARTICLES)})?")


@dataclass(frozen=True)
class Quantities:
    """The numbers in a query."""

    conditions: tuple[Compare, ...]
    """How many of each kind, as it is first said."""
    places: frozenset[int]
    """Of the words that say the numbers; the kinds' names are not among them."""


@dataclass(frozen=True)
class _Quantity:
    """A number in a query, of the words from `start` to before `end`."""

    start: int
    end: int
    number: int
    operator: Operator
    names: str
    """Where the name may stand: "before", "after", or first the one and then the other."""


def quantities(words: Sequence[str], counted: Mapping[str, str]) -> Quantities:
    """How many a query asks for, of kinds that are counted, and of nothing else.

    `counted`: what objects may be called -> the album's name of them (`counted_names`).
    """
    words = [word.strip(",.?!").lower() for word in words]
    found: dict[str, Compare] = {}
    places: set[int] = set()
    start = 0
    while start < len(words):
        quantity = _quantity(words, start)
        kind = None if quantity is None else _kind(words, quantity, counted)
        if quantity is not None and kind is not None:
            found.setdefault(kind, Compare(Counted(kind), quantity.operator, float(quantity.number)))
            places |= set(range(quantity.start, quantity.end))
        start = start + 1 if quantity is None else quantity.end
    return Quantities(tuple(found.values()), frozenset(places))


def _quantity(words: Sequence[str], start: int) -> _Quantity | None:
    """The number that begins at a word."""
    for length in (3, 2, 1):  # 세 마리 이상, 세 마리, 세마리
        match = _COUNTED.fullmatch(" ".join(words[start : start + length])) if start + length <= len(words) else None
        if match:
            names = "after" if match["particle"] == "의" else "before after" if match["particle"] is None else "before"
            operator = BOUNDS.get(match["bound"], "=")
            return _Quantity(start, start + length, _value(match["number"]), operator, names)
    if match := _ALONE.fullmatch(words[start]):
        return _Quantity(start, start + 1, NUMBERS[match["number"]], "=", "before")
    if words[start] in ENGLISH or re.fullmatch("[0-9]{1,4}", words[start]):
        bound = ENGLISH_BOUNDS.get(" ".join(words[max(0, start - 2) : start]))
        return _Quantity(start - 2 if bound else start, start + 1, _value(words[start]), bound or "=", "after")
    return None


def _value(number: str) -> int:
    return NUMBERS[number] if number in NUMBERS else int(number)


def _kind(words: Sequence[str], quantity: _Quantity, counted: Mapping[str, str]) -> str | None:
    """The kind that stands before or after a number, its longest name first."""
    names = {"before": _before(words, quantity.start), "after": _after(words, quantity.end)}
    candidates = (name for side in quantity.names.split() for name in names[side])
    return next((kind for name in candidates if (kind := find_class(name, counted)) is not None), None)


def _before(words: Sequence[str], end: int) -> Iterator[str]:
    return (" ".join(words[end - length : end]) for length in range(min(LONGEST_NAME, end), 0, -1))


def _after(words: Sequence[str], start: int) -> Iterator[str]:
    longest = min(LONGEST_NAME, len(words) - start)
    return (" ".join(words[start : start + length]) for length in range(longest, 0, -1))
