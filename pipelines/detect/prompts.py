"""Turns what the user asks for, in Korean or English, into the English words that a detector understands."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.core.errors import InputError
from pipelines.core.words.lexicon import Lexicon, check_latin, clean
from pipelines.core.words.naming import Named, name

Translate = Callable[[Sequence[str]], Mapping[str, str]]
"""Korean texts to English ones; a text that could not be translated is left out."""


@dataclass(frozen=True)
class English:
    """What the detector is asked for a prompt, and where that came from."""

    text: str
    source: Literal["as given", "lexicon", "translation"]
    note: str = ""
    """What the prompt says besides, or may mean as well."""


def unknown_words(prompts: Iterable[str], lexicon: Lexicon) -> list[str]:
    """What cleaned prompts name in Korean that the lexicon lacks, each once, in order. Raises InputError as `name`."""
    named = [name(prompt, lexicon) for prompt in prompts]
    return list(dict.fromkeys(each.text for each in named if each.english is None))


def to_english(prompts: Iterable[str], lexicon: Lexicon, translate: Translate | None) -> dict[str, English]:
    """Cleaned prompt -> what the detector is asked: what it names, of Korean by the lexicon, else by `translate`.

    A prompt whose translation is no English is left out. Raises InputError for a prompt that does not name one thing,
    and, listing the words, where a translation is needed and there is none.
    """
    named = {prompt: name(prompt, lexicon) for prompt in prompts}
    unknown = unknown_words(named, lexicon)
    if unknown and translate is None:
        raise InputError(
            f"expected Korean prompts that the lexicon knows, found {', '.join(unknown)}; say it in English as in "
            f"'{unknown[0]}(dog)', add it to a CSV (korean,english) given as --lexicon, or name a translator with "
            "--translation.checkpoint"
        )
    translations = translate(unknown) if unknown and translate is not None else {}
    mapping: dict[str, English] = {}
    for prompt, each in named.items():
        if each.english is not None:
            mapping[prompt] = English(each.english, "lexicon" if each.by_lexicon else "as given", _note(each))
        elif (noun := _noun(translations.get(each.text, ""), lexicon)) is not None:
            mapping[prompt] = English(noun, "translation", _note(each))
    return mapping


def _note(named: Named) -> str:
    also = f"it may be {' or '.join(named.others)} too, as in '{named.text}({named.others[0]})'" if named.others else ""
    left_out = f"no detector looks at: {', '.join(named.left_out)}" if named.left_out else ""
    return "; ".join(filter(None, (also, left_out)))


def _noun(translation: str, lexicon: Lexicon) -> str | None:
    """A translator's sentence as a detector's prompt: "A red car." -> "red car"; None where it cannot be one."""
    try:
        text = clean(translation.replace(",", " "))
        check_latin(text)
        return name(text, lexicon).english
    except InputError:
        return None
