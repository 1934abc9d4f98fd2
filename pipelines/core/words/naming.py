"""What a prompt names: the one thing that a detector can look for, of a word, a phrase or a question."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.errors import InputError
from pipelines.core.words import english, korean
from pipelines.core.words.lexicon import Lexicon, clean, find, has_hangul, lexicon_key, read_words

QUALITIES = Path(__file__).with_name("qualities.csv")
"""What things may be like: colours, sizes, materials."""
_CHOSEN = re.compile(r"[^()]*\((?P<english>[^()]+)\)")


@dataclass(frozen=True)
class Named:
    """What a prompt names."""

    text: str
    """The name itself, as it was said or, of English, in the singular."""
    english: str | None
    """None where the lexicon lacks it."""
    by_lexicon: bool = False
    others: tuple[str, ...] = ()
    """What else the word may mean, in English."""
    left_out: tuple[str, ...] = ()
    """What the prompt says of the thing that no detector looks at."""


def name(prompt: str, lexicon: Lexicon) -> Named:
    """The one thing that a prompt, cleaned by `clean`, names.

    `배(pear)` is what stands in the brackets. Raises InputError, saying what to give instead, where it names nothing,
    several things, or what is not there.
    """
    chosen = _CHOSEN.fullmatch(prompt)
    if chosen and not has_hangul(chosen["english"]):
        return Named(prompt, clean(chosen["english"]))
    if not has_hangul(prompt):
        reading = english.read(prompt, lexicon.english.__contains__, _is_quality)
        _check(prompt, reading.things, reading.denies)
        return Named(reading.things[0], reading.things[0], left_out=reading.left_out)
    form = find(prompt, lexicon)
    if form is not None:
        return Named(prompt, lexicon[form], True, lexicon.others.get(form, ()))
    spoken = korean.read(prompt, lambda word: lexicon_key(word) in lexicon or word in lexicon.english, _is_quality)
    things = {thing.text: thing for thing in spoken.things}
    _check(prompt, tuple(things), spoken.denies)
    return _translated(next(iter(things.values())), spoken.left_out, lexicon)


def _check(prompt: str, things: tuple[str, ...], denies: bool) -> None:
    if denies:
        raise InputError(f"expected what is to be seen, found {prompt!r}; a detector cannot look for what is not there")
    if not things:
        raise InputError(f"expected a prompt that names what to find, found {prompt!r}, which names nothing")
    if len(things) > 1:
        each = " ".join(f"'{thing}'" for thing in things)
        raise InputError(
            f"expected one thing a prompt, found {len(things)} in {prompt!r}; give several things as a list of "
            f"prompts: {each}"
        )


def _translated(thing: korean.Thing, left_out: tuple[str, ...], lexicon: Lexicon) -> Named:
    """The thing by the lexicon, with those of its qualities that are known."""
    form = find(thing.text, lexicon)  # 삶은 달걀
    if form is not None:
        return Named(thing.text, lexicon[form], True, lexicon.others.get(form, ()), left_out)
    known = {modifier: _qualities().get(lexicon_key(modifier)) for modifier in thing.modifiers}
    left_out += tuple(modifier for modifier, quality in known.items() if quality is None)
    said = [modifier for modifier, quality in known.items() if quality is not None]
    text = " ".join((*said, thing.noun))
    for start in range(len(thing.words)):
        head, before = "".join(thing.words[start:]), _of_words(thing.words[:start])
        form = find(head, lexicon)
        meaning = head if head in lexicon.english else None if form is None else lexicon[form]
        if meaning is not None and before is not None:
            parts = [*(quality for quality in known.values() if quality is not None), *before, meaning]
            return Named(text, " ".join(parts), True, lexicon.others.get(form or "", ()), left_out)
    return Named(text, None, left_out=left_out)


def _of_words(words: tuple[str, ...]) -> list[str] | None:
    """The qualities that nouns before a noun say, as one or one by one: 검정 색, 나무; None where they say another."""
    whole = _qualities().get("".join(words))
    each = [_qualities().get(word) for word in words]
    return [whole] if whole is not None else None if None in each else [quality for quality in each if quality]


def _is_quality(word: str) -> bool:
    """Whether a word says what a thing is like, in Korean or English."""
    return lexicon_key(word) in _qualities() or word in _qualities().english


@functools.cache
def _qualities() -> Lexicon:
    return read_words(QUALITIES)
