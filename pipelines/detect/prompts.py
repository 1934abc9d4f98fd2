"""Turns what the user asks for, in Korean or English, into the English words that a detector understands."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.core.errors import InputError
from pipelines.core.words.lexicon import check_latin, clean, has_hangul, look_up

Translate = Callable[[Sequence[str]], Mapping[str, str]]
"""Korean texts to English ones; a text that could not be translated is left out."""


@dataclass(frozen=True)
class English:
    """What the detector is asked for a prompt, and where that came from."""

    text: str
    source: Literal["as given", "lexicon", "translation"]


def unknown_words(prompts: Iterable[str], lexicon: Mapping[str, str]) -> list[str]:
    """The Korean among cleaned prompts that the lexicon lacks, each once, in order."""
    distinct = dict.fromkeys(prompts)
    return [prompt for prompt in distinct if has_hangul(prompt) and look_up(prompt, lexicon) is None]


def to_english(prompts: Iterable[str], lexicon: Mapping[str, str], translate: Translate | None) -> dict[str, English]:
    """Cleaned prompt -> what the detector is asked: English as it stands, Korean by the lexicon, else by `translate`.

    A prompt whose translation is no English is left out. Raises InputError, listing the words, where a translation is
    needed and there is none.
    """
    distinct = list(dict.fromkeys(prompts))
    unknown = unknown_words(distinct, lexicon)
    if unknown and translate is None:
        raise InputError(
            f"expected Korean prompts that the lexicon knows, found {', '.join(unknown)}; add them to a CSV "
            "(korean,english) given as --lexicon, or name a translator with --translation.checkpoint"
        )
    translations = translate(unknown) if unknown and translate is not None else {}
    mapping: dict[str, English] = {}
    for prompt in distinct:
        known = look_up(prompt, lexicon) if has_hangul(prompt) else None
        if not has_hangul(prompt):
            mapping[prompt] = English(prompt, "as given")
        elif known is not None:
            mapping[prompt] = English(known, "lexicon")
        elif (noun := _noun(translations.get(prompt, ""))) is not None:
            mapping[prompt] = English(noun, "translation")
    return mapping


def _noun(translation: str) -> str | None:
    """A translator's sentence as a detector's prompt: "A red car." -> "red car"; None where it cannot be one."""
    try:
        text = clean(translation.replace(",", " "))
        check_latin(text)
    except InputError:
        return None
    for opening in ("it's ", "it is ", "this is "):
        text = text.removeprefix(opening)
    for article in ("a ", "an ", "the "):
        text = text.removeprefix(article)
    return text
