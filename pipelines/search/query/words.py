"""Takes a query apart: what the photos show, what they do not, and how many of what."""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pipelines.core.errors import InputError
from pipelines.core.words.lexicon import lexicon_key
from pipelines.core.words.particles import stems
from pipelines.search.where.conditions import Compare
from pipelines.search.where.quantities import quantities


@dataclass(frozen=True)
class Asked:
    """A query's parts."""

    text: str
    """What the photos show, as it was said, without quotes; "" where nothing was said of it."""
    words: tuple[str, ...] = ()
    """To look for in captions: those of the text, what was quoted as one, without particles and without `counts`."""
    minus: tuple[str, ...] = ()
    """What they do not show."""
    counts: tuple[Compare, ...] = ()
    """How many of what the text names, of the kinds that are counted."""


SHORTEST = 2
"""Syllables of a noun that loses its particle: with one, too many words are another noun and a particle by chance."""

_PART = re.compile(r'\s*(?P<minus>-(?=[^\s-]))?(?:"(?P<quoted>[^"]*)"(?=\s|$)|(?P<plain>\S+))')


def take_apart(query: str, counted: Mapping[str, str], nouns: Collection[str] = ()) -> Asked:
    """The parts of `바다 -사람 -"빨간 차"`: a minus right before a word takes it away; one within a word is text.

    `counted`: what objects may be called -> the album's name of them (`counted_names`). `nouns`: words as
    `lexicon_key` writes them, which captions are searched for without their particles. Raises InputError for a quote
    that is not closed, or empty.
    """
    query = unicodedata.normalize("NFC", query.translate({ord("“"): '"', ord("”"): '"'}))
    plus: list[tuple[str, bool]] = []
    minus: list[str] = []
    for match in _PART.finditer(query):
        quoted = match["quoted"]
        if quoted is None and match["plain"].startswith('"'):
            raise InputError(f'expected quotes that open before a word and close after one in {query!r}, found a "')
        said = " ".join((match["plain"] if quoted is None else quoted).split())
        if not said:
            raise InputError(f"expected words within the quotes of {query!r}, found none")
        if match["minus"]:
            minus.append(said)
        else:
            plus.append((said, quoted is not None))
    text = " ".join(said for said, _ in plus)
    numbers = quantities(text.split(), counted)
    words = tuple(_of_captions(plus, numbers.places, nouns))
    return Asked(text, words, tuple(minus), numbers.conditions)


def bare(word: str, nouns: Collection[str]) -> str:
    """A noun without its particle, 바닷가 of 바닷가의, where what is left is one of `nouns`; else the word as it is."""
    key = lexicon_key(word)
    if key in nouns:
        return word
    return next((stem for stem in stems(key) if len(stem) >= SHORTEST and stem in nouns), word)


def _of_captions(
    parts: Collection[tuple[str, bool]], numbers: Collection[int], nouns: Collection[str]
) -> Iterator[str]:
    """What captions are searched for of the text's parts, each with whether it was quoted, which stays as it is.

    Not for the words at the places `numbers`: 두 and 마리 are in any caption with two of something else.
    """
    place = 0
    for said, quoted in parts:
        if quoted:
            yield said
        elif place not in numbers:
            yield bare(said, nouns)
        place += len(said.split())


def check_text(asked: Asked) -> None:
    """Raises InputError for a query that only says what photos do not show."""
    if not asked.text:
        what = f"only what not: {', '.join(asked.minus)}" if asked.minus else "nothing"
        raise InputError(f"expected what the photos show, such as `바다 -사람`, found {what}")
