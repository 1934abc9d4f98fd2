"""Reads a condition on photos, such as `year = 2024 and dog >= 2`, into a tree.

    condition   = all-of { "or" all-of }
    all-of      = part { "and" part }
    part        = "not" part | "(" condition ")" | near | box | comparison
    comparison  = name operator value | name ["not"] "in" "(" value { "," value } ")"
                | name ["not"] "between" value "and" value | name ["not"] "contains" text
    operator    = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"
    near        = "near" "(" latitude "," longitude "," distance ")"
    box         = "box" "(" south "," west "," north "," east ")"

A name that is none of a photo's own (NAMES) is an object's: its number is what was counted. What a photo does not have,
such as a date, a place or a count, is neither equal to anything nor more or less; `not` turns every answer, and
`!=` is `not =`.
"""

import difflib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pipelines.core.errors import InputError
from pipelines.search.where.conditions import (
    And,
    Box,
    Compare,
    Condition,
    Counted,
    Known,
    Near,
    Not,
    Operator,
    Or,
    Period,
)
from pipelines.search.where.counted import find_class

MAX_LENGTH = 2000
"""Characters of a condition."""
MAX_DEPTH = 8
"""Parentheses and `not`s in one another. LanceDB's parser stops at some twenty of its own, after minutes."""
MAX_NUMBER = 1e15
"""Below it a float64 tells all whole numbers apart."""
HALF_ROUND_M = 20_015_000
"""Metres to the other side of the Earth."""

NUMBERS = ("year", "month", "width", "height", "megapixels", "size", "lat", "lon")
TEXTS = ("camera", "folder", "name", "caption")
NAMES = (*NUMBERS, *TEXTS, "date", "colour", "orientation")
"""What every photo can be asked for; `near` and `box` are the places."""
ALIASES = {"color": "colour"}

BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
METRES = {"m": 1, "km": 1000}
COLOURS = {
    "red": "빨강 빨간 빨간색", "orange": "주황 주황색", "yellow": "노랑 노란 노란색", "green": "초록 초록색 녹색",
    "cyan": "청록 청록색", "blue": "파랑 파란 파란색", "purple": "보라 보라색", "pink": "분홍 분홍색",
    "brown": "갈색", "black": "검정 검은 검은색 검정색", "grey": "회색 gray", "white": "하양 하얀 흰 흰색 하얀색",
}  # fmt: skip
"""A photo's colours, each with what else it is called."""
ORIENTATIONS = {"portrait": "세로", "landscape": "가로", "square": "정사각형"}


def spelled_out(compare: Compare) -> str:
    """A comparison of a count as a user may type it, such as `dog >= 2`."""
    name = compare.subject.kind if isinstance(compare.subject, Counted) else compare.subject
    return f"{_quoted(name)} {compare.operator} {compare.value:g}"


def parse(text: str, counted: Mapping[str, str]) -> Condition:
    """The tree of a condition. `counted`: what objects may be called -> the album's name of them (`counted_names`).

    Raises InputError for what is no condition, saying what was expected and where.
    """
    return _Parser(text, counted).read()


@dataclass(frozen=True)
class _Token:
    kind: Literal["word", "quoted", "number", "date", "mark", "end"]
    text: str
    """As it was typed, a quoted text without its quotes."""
    start: int
    """Characters before it."""


_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"]|"")*"|'(?:[^']|'')*'|“[^”]*”|‘[^’]*’)
      | (?P<date>[0-9]{4}-[0-9]{1,2}(?:-[0-9]{1,2})?(?![\w.-]))
      | (?P<number>[-+]?[0-9]+(?:\.[0-9]+)?(?:[^\W\d]\w*)?)
      | (?P<mark><=|>=|!=|==|[=<>~≤≥≠(),])
      | (?P<word>[^\W\d]\w*(?:[.-]\w+)*)""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"([-+]?[0-9]+(?:\.[0-9]+)?)(\w*)")
_SAME = {"==": "=", "≤": "<=", "≥": ">=", "≠": "!=", "~": "contains"}
_MIRRORED_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_END = "the end"


class _Parser:
    """One reading of one condition, by recursive descent."""

    def __init__(self, text: str, counted: Mapping[str, str]) -> None:
        self.text, self.counted = unicodedata.normalize("NFC", text), counted
        self.tokens, self.place, self.depth = _tokens(self.text), 0, 0

    def read(self) -> Condition:
        condition = self.any_of()
        if self.token.kind != "end":
            hint = "; put quotes round a text of several words" if self.token.kind in ("word", "number") else ""
            raise self.error(f"`and`, `or` or {_END}", hint)
        return condition

    @property
    def token(self) -> _Token:
        return self.tokens[self.place]

    def take(self) -> _Token:
        token = self.token
        self.place += token.kind != "end"
        return token

    def skip(self, *words: str) -> str | None:
        """Goes past one of the words or marks, if it is next, and says which."""
        if self.token.kind in ("word", "mark") and self.token.text.lower() in words:
            return self.take().text.lower()
        return None

    def need(self, mark: str) -> None:
        if self.skip(mark) is None:
            raise self.error(f"`{mark}`")

    def error(self, expected: str, hint: str = "", token: _Token | None = None) -> InputError:
        token = token or self.token
        found = _END if token.kind == "end" else f"`{_short(token.text)}` at character {token.start + 1}"
        return InputError(f"expected {expected} in the condition {_short(self.text)!r}, found {found}{hint}")

    def any_of(self) -> Condition:
        parts = [self.all_of()]
        while self.skip("or"):
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all_of(self) -> Condition:
        parts = [self.part()]
        while self.skip("and"):
            parts.append(self.part())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def part(self) -> Condition:
        opening = self.token
        if self.skip("not"):
            self.deeper(opening)
            condition: Condition = Not(self.part())
        elif self.skip("("):
            self.deeper(opening)
            condition = self.any_of()
            self.need(")")
        else:
            return self.comparison()
        self.depth -= 1
        return condition

    def deeper(self, opening: _Token) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.error(f"at most {MAX_DEPTH} parentheses and `not`s in one another", token=opening)

    def comparison(self) -> Condition:
        named = self.take()
        if named.kind not in ("word", "quoted") or not named.text.strip():
            raise self.error("a name, such as year, camera or dog", token=named)
        if named.kind == "word" and self.token.text == "(" and named.text.lower() in ("near", "box"):
            return self.near() if named.text.lower() == "near" else self.box()
        subject = self.subject(named)
        turned = self.skip("not") is not None
        if self.skip("in"):
            condition: Condition = self.one_of(subject)
        elif self.skip("between"):
            low = self.compare(subject, ">=")
            self.need("and")
            condition = And((low, self.compare(subject, "<=")))
        elif turned:
            self.need_contains()
            condition = self.compare(subject, "contains")
        else:
            operator = self.skip("=", "==", "!=", "<", "<=", ">", ">=", "~", "≤", "≥", "≠", "contains")
            if operator is None:
                raise self.error("a comparison: = != < <= > >= ~, in, between or contains")
            operator = _SAME.get(operator, operator)
            condition = self.compare(subject, "=" if operator == "!=" else operator)  # type: ignore[arg-type]
            turned = operator == "!="
        return Not(condition) if turned else condition

    def need_contains(self) -> None:
        if self.skip("contains", "~") is None:
            raise self.error("in, between or contains after `not`")

    def subject(self, named: _Token) -> str | Counted:
        name = ALIASES.get(named.text.lower(), named.text.lower())
        if named.kind == "word" and name in NAMES:
            return name
        kind = find_class(named.text, self.counted)
        if kind is None:
            near = difflib.get_close_matches(name, [*NAMES, *self.counted], n=2, cutoff=0.6)
            hint = f"; did you mean {' or '.join(f'`{_quoted(each)}`' for each in near)}?" if near else ""
            nothing = "" if self.counted else "; no objects were counted in the album"
            raise self.error("a name that photos have, or an object that was counted", hint or nothing, named)
        return Counted(kind)

    def one_of(self, subject: str | Counted) -> Condition:
        self.need("(")
        parts = [self.compare(subject, "=")]
        while self.skip(","):
            parts.append(self.compare(subject, "="))
        self.need(")")
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def compare(self, subject: str | Counted, operator: Operator) -> Condition:
        answer = self.token.text.lower() if self.token.kind == "word" else ""
        if operator == "=" and answer in ("true", "false"):
            self.take()
            return _known(subject, answer == "true")
        ordered = isinstance(subject, Counted) or subject in NUMBERS or subject == "date"
        if operator not in (("=", "<", "<=", ">", ">=") if ordered else ("=", "contains")):
            name = subject.kind if isinstance(subject, Counted) else subject
            allowed = "= != < <= > >=, in or between" if ordered else "=, !=, ~ or in"
            raise self.error(f"{allowed} after `{name}`", token=self.tokens[self.place - 1])
        return Compare(subject, operator, self.value(subject, operator))

    def value(self, subject: str | Counted, operator: Operator) -> float | str | Period:
        if isinstance(subject, Counted) or subject in NUMBERS:
            return self.number("size" if subject == "size" else "number")
        if subject == "date":
            return self.period()
        token = self.take()
        top = (subject, operator, token.kind, token.text) == ("folder", "=", "quoted", "")  # in no folder
        if token.kind in ("mark", "end") or not (token.text.strip() or top):
            raise self.error("a text", token=token)
        if subject in ("colour", "orientation"):
            return self.choice(token, COLOURS if subject == "colour" else ORIENTATIONS)
        return token.text.strip("/").removeprefix("./") if (subject, operator) == ("folder", "=") else token.text

    def choice(self, token: _Token, choices: Mapping[str, str]) -> str:
        wanted = token.text.lower()
        found = [name for name, others in choices.items() if wanted == name or wanted in others.split()]
        if not found:
            raise self.error(f"one of {', '.join(choices)}", token=token)
        return found[0]

    def number(self, kind: Literal["number", "size", "distance", "degrees"]) -> float:
        token = self.take()
        match = _NUMBER.fullmatch(token.text) if token.kind == "number" else None
        units: Mapping[str, int] = {"size": BYTES, "distance": METRES}.get(kind, {"": 1})
        if match is None or match[2].lower() not in units:
            expected = {"size": "a size such as 3MB", "distance": "a distance such as 5km or 300m"}.get(
                kind, "a number"
            )
            hint = "; a day, month or year is compared as date = 2024-05" if token.kind == "date" else ""
            raise self.error(expected, hint, token)
        value = float(match[1]) * units[match[2].lower()]
        if abs(value) >= MAX_NUMBER:
            raise self.error("a smaller number", token=token)
        return value

    def degrees(self, name: str, most: float) -> float:
        token, value = self.token, self.number("degrees")
        if abs(value) > most:
            raise self.error(f"a {name} of -{most} to {most} degrees", token=token)
        return value

    def period(self) -> Period:
        token = self.take()
        match = re.fullmatch("([0-9]{1,4})(?:-([0-9]+))?(?:-([0-9]+))?", token.text)
        try:
            if match is None or token.kind not in ("date", "number", "quoted"):
                raise ValueError
            return _period(*(None if part is None else int(part) for part in match.groups()))
        except (ValueError, OverflowError):
            raise self.error("a date such as 2024-05-01, 2024-05 or 2024", token=token) from None

    def near(self) -> Near:
        self.need("(")
        latitude = self.degrees("latitude", 90)
        self.need(",")
        longitude = self.degrees("longitude", 180)
        self.need(",")
        token, metres = self.token, self.number("distance")
        if not 0 <= metres <= HALF_ROUND_M:
            raise self.error(f"a distance of 0 to {HALF_ROUND_M // 1000} km", token=token)
        self.need(")")
        return Near(latitude, longitude, metres)

    def box(self) -> Box:
        self.need("(")
        edges: list[float] = []
        for name, most in (("latitude", 90), ("longitude", 180), ("latitude", 90), ("longitude", 180)):
            if edges:
                self.need(",")
            last = self.token
            edges.append(self.degrees(name, most))
            if len(edges) == 3 and edges[2] < edges[0]:
                raise self.error("the box as south, west, north, east: a latitude not below the first", token=last)
        self.need(")")
        return Box(*edges)


def _period(year: int | None, month: int | None, day: int | None) -> Period:
    """The day, the month or the year. Raises ValueError or OverflowError where there is none."""
    start = datetime(year or 0, 1 if month is None else month, 1 if day is None else day)
    if day is not None:
        return Period(start, start + timedelta(days=1))
    if month is not None and month < 12:
        return Period(start, start.replace(month=month + 1))
    return Period(start, datetime(start.year + 1, 1, 1))


def _known(subject: str | Counted, holds: bool) -> Condition:
    if isinstance(subject, Counted):
        return Compare(subject, ">=", 1.0) if holds else Compare(subject, "=", 0.0)
    return Known(subject) if holds else Not(Known(subject))


def _tokens(text: str) -> list[_Token]:
    """All of a condition, an `end` last. Raises InputError for what it cannot have."""
    if len(text) > MAX_LENGTH:
        raise InputError(f"expected a condition of at most {MAX_LENGTH} characters, found {len(text)}")
    for place, letter in enumerate(text):
        if unicodedata.category(letter) in ("Cc", "Cs") and letter not in "\t\n\r":
            raise InputError(f"expected a condition of text, found the control character {letter!r} at {place + 1}")
    tokens, place = [], 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            closing = _MIRRORED_QUOTES.get(text[place])
            expected = f"a closing {closing} for the one" if closing else "a name, a value or a comparison"
            found = "none" if closing else f"`{text[place]}`; a text of more than words stands in quotes"
            raise InputError(f"expected {expected} at character {place + 1} of {_short(text)!r}, found {found}")
        tokens.append(_token(match))
        place = match.end()
    return [*tokens, _Token("end", "", len(text))]


def _token(match: re.Match[str]) -> _Token:
    text = match[0]
    if match.lastgroup == "quoted":
        opening, text = text[0], text[1:-1]
        return _Token("quoted", text.replace(opening * 2, opening) if opening in "'\"" else text, match.start())
    return _Token(match.lastgroup, text, match.start())  # type: ignore[arg-type]


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[^\W\d]\w*", name) else f'"{name}"'


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}..."
