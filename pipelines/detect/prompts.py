"""Turns what the user asks for, in Korean or English, into the English words that a detector understands."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from pipelines.core.errors import InputError
from pipelines.core.words.lexicon import Lexicon, check_latin, clean, has_hangul, lexicon_key, look_up, tidy
from pipelines.core.words.naming import Named, name

Translate = Callable[[Sequence[str]], Mapping[str, str]]
"""Korean texts to English ones; a text that could not be translated is left out."""


@dataclass(frozen=True)
class English:
    """What the detector is asked for a prompt, and where that came from."""

    text: str
    """English, or the name of one of the detector's own classes."""
    source: Literal["own name", "as given", "lexicon", "translation"]
    note: str = ""
    """What the prompt says besides, or may mean as well."""


@dataclass(frozen=True)
class Vocabulary:
    """What prompts may name: the classes that a detector was trained on, where it has such, and the lexicon's words."""

    lexicon: Lexicon
    classes: tuple[str, ...] = ()
    """The detector's own, which may be of any language, digits or with dots; none where it takes any words."""

    def name(self, prompt: str) -> Named:
        """What a prompt names; one of the classes by its name in either language. Raises InputError as `name`."""
        if (own := self._own.get(lexicon_key(tidy(prompt)))) is not None:
            return Named(prompt, own)
        named = name(clean(prompt), self.lexicon)
        own = self._own.get(lexicon_key(named.text)) or self._own_in_english.get(named.english or "")
        return named if own is None else replace(named, english=own, by_lexicon=False)

    def usable(self, prompt: str) -> bool:
        """Whether a prompt names one thing that can be looked for."""
        try:
            self.name(prompt)
        except InputError:
            return False
        return True

    @cached_property
    def _own(self) -> dict[str, str]:
        return {lexicon_key(tidy(each)): each for each in self.classes}

    @cached_property
    def _own_in_english(self) -> dict[str, str]:
        found = {look_up(each, self.lexicon): each for each in self.classes if has_hangul(each)}
        return {meaning: each for meaning, each in found.items() if meaning is not None}


def unknown_words(prompts: Iterable[str], words: Vocabulary) -> list[str]:
    """What prompts name in Korean that nothing knows, each once, in order. Raises InputError as `Vocabulary.name`."""
    named = [words.name(prompt) for prompt in prompts]
    return list(dict.fromkeys(each.text for each in named if each.english is None))


def to_english(prompts: Iterable[str], words: Vocabulary, translate: Translate | None) -> dict[str, English]:
    """Prompt -> what the detector is asked: what it names, of Korean by the lexicon, else by `translate`.

    A prompt whose translation is no English is left out. Raises InputError for a prompt that does not name one thing,
    and, listing the words, where a translation is needed and there is none.
    """
    named = {prompt: words.name(prompt) for prompt in prompts}
    unknown = unknown_words(named, words)
    if unknown and translate is None:
        raise InputError(
            f"expected Korean prompts that the lexicon knows, found {', '.join(unknown)}; give the English in "
            "brackets, as in '강아지(dog)', add it to a CSV (korean,english) given as --lexicon, or name a translator "
            "with --translation.checkpoint"
        )
    translations = translate(unknown) if unknown and translate is not None else {}
    mapping: dict[str, English] = {}
    for prompt, each in named.items():
        if each.english is not None:
            mapping[prompt] = English(each.english, _source(each, words), _note(each))
        elif (noun := _noun(translations.get(each.text, ""), words.lexicon)) is not None:
            mapping[prompt] = English(noun, "translation", _note(each))
    return mapping


def _source(named: Named, words: Vocabulary) -> Literal["own name", "as given", "lexicon"]:
    return "lexicon" if named.by_lexicon else "own name" if named.english in words.classes else "as given"


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
