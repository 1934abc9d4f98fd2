"""Takes a query apart: what the photos show, what they do not, and how many of what."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.core.errors import InputError
from pipelines.search.filters import Compare
from pipelines.search.quantities import quantities


@dataclass(frozen=True)
class Asked:
    """A query's parts."""

    text: str
    """What the photos show, as it was said, without quotes; "" where nothing was said of it."""
    words: tuple[str, ...] = ()
    """Of the text; what was quoted is one."""
    minus: tuple[str, ...] = ()
    """What they do not show."""
    counts: tuple[Compare, ...] = ()
    """How many of what the text names, of the kinds that are counted."""


_PART = re.compile(r'\s*(?P<minus>-(?=[^\s-]))?(?:"(?P<quoted>[^"]*)"(?=\s|$)|(?P<plain>\S+))')


def take_apart(query: str, counted: Mapping[str, str]) -> Asked:
    """The parts of `바다 -사람 -"빨간 차"`: a minus right before a word takes it away; one within a word is text.

    `counted`: what objects may be called -> the album's name of them (`counted_names`). Raises InputError for a quote
    that is not closed, or empty.
    """
    query = unicodedata.normalize("NFC", query.translate({ord("“"): '"', ord("”"): '"'}))
    plus: list[str] = []
    minus: list[str] = []
    for match in _PART.finditer(query):
        quoted = match["quoted"]
        if quoted is None and match["plain"].startswith('"'):
            raise InputError(f'expected quotes that open before a word and close after one in {query!r}, found a "')
        said = " ".join((match["plain"] if quoted is None else quoted).split())
        if not said:
            raise InputError(f"expected words within the quotes of {query!r}, found none")
        (minus if match["minus"] else plus).append(said)
    text = " ".join(plus)
    return Asked(text, tuple(plus), tuple(minus), tuple(quantities(text.split(), counted)))


def check_text(asked: Asked) -> None:
    """Raises InputError for a query that only says what photos do not show."""
    if not asked.text:
        what = f"only what not: {', '.join(asked.minus)}" if asked.minus else "nothing"
        raise InputError(f"expected what the photos show, such as `바다 -사람`, found {what}")
