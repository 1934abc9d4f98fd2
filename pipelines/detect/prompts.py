"""Turns what the user asks for, in Korean or English, into the English words that a detector understands."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipelines.core.errors import InputError
from pipelines.core.images import read_table

BUNDLED_LEXICON = Path(__file__).with_name("lexicon.csv")
SYNONYM_SEPARATOR = "|"

PARTICLES = ("들이", "들을", "들은", "들의", "들", "이", "가", "을", "를", "은", "는")
"""Endings that a noun may carry in a prompt, longer ones first. 도, 의 and the like end too many nouns."""

Translate = Callable[[Sequence[str]], Mapping[str, str]]
"""Korean texts to English ones; a text that could not be translated is left out."""


@dataclass(frozen=True)
class English:
    """What the detector is asked for a prompt, and where that came from."""

    text: str
    source: Literal["as given", "lexicon", "translation"]


def clean(prompt: str) -> str:
    """The prompt in NFC and lower case, its white space single and its final marks gone.

    Raises InputError where it names nothing, names several things, or is neither Korean nor written in Latin letters.
    """
    text = " ".join(unicodedata.normalize("NFC", prompt).split()).lower().strip(" .?!,;")
    if not text:
        raise InputError(f"expected a prompt that names what to find, found {prompt!r}")
    if any(mark in text for mark in ".?;,"):
        raise InputError(f"expected one thing a prompt, found {prompt!r}; give several things as a list of prompts")
    if not any(letter.isalpha() for letter in text):
        raise InputError(f"expected a prompt of words, found {prompt!r}")
    if not has_hangul(text):
        check_latin(text)
    return text


def check_latin(text: str) -> None:
    """Raises InputError for letters that are not Latin.

    An English detector's tokenizer takes most of them, Hangul as its single jamo, and the detector then finds nonsense.
    """
    for letter in text:
        if letter.isalpha() and not unicodedata.name(letter, "").startswith("LATIN"):
            raise InputError(f"expected a prompt in English, found {text!r}, which a detector would misread silently")


def has_hangul(text: str) -> bool:
    """Whether a syllable or jamo, of any width, is in the text."""
    return any("HANGUL" in unicodedata.name(letter, "") for letter in text)


def read_lexicon(user: Path | None = None) -> dict[str, str]:
    """Korean word, in the form of `look_up`, -> English: the bundled lexicon with the user's own file put over it.

    A file is a CSV of the columns korean, english and, where wanted, synonyms (Korean, with | between them). Raises
    InputError, naming the file, where it is not, or where one word has two meanings.
    """
    lexicon = _read_one(BUNDLED_LEXICON)
    return lexicon if user is None else lexicon | _read_one(user)


def look_up(word: str, lexicon: Mapping[str, str]) -> str | None:
    """The English of a Korean word, as it stands or without its particle; None where the lexicon lacks it."""
    key = _key(word)
    forms = [key, *(key.removesuffix(particle) for particle in PARTICLES if key.endswith(particle))]
    return next((lexicon[form] for form in forms if form in lexicon), None)


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


def _read_one(path: Path) -> dict[str, str]:
    table = read_table(path)
    if not {"korean", "english"} <= set(table.columns):
        raise InputError(f"{path}: expected the columns korean and english, found {', '.join(table.columns)}")
    lexicon: dict[str, str] = {}
    for row in table.rows:
        try:
            english = clean(row["english"])
            check_latin(english)
        except InputError as error:
            raise InputError(f"{path}, the English of {row['korean']}: {error}") from None
        for word in (row["korean"], *row.get("synonyms", "").split(SYNONYM_SEPARATOR)):
            key = _key(word)
            if key and lexicon.setdefault(key, english) != english:
                raise InputError(f"{path}: expected one meaning of {word}, found {lexicon[key]} and {english}")
    return lexicon


def _key(word: str) -> str:
    """Korean is spaced as its writers like, so that a word is looked up without its spaces."""
    return "".join(unicodedata.normalize("NFC", word).split()).lower()
