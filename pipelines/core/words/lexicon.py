"""The names of things: Korean words with their English, and what is a name in either."""

import unicodedata
from collections.abc import Mapping
from pathlib import Path

from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_table

BUNDLED_LEXICON = Path(__file__).with_name("lexicon.csv")
SYNONYM_SEPARATOR = "|"

PARTICLES = ("들이", "들을", "들은", "들의", "들", "이", "가", "을", "를", "은", "는")
"""Endings that a noun may carry in a prompt, longer ones first. 도, 의 and the like end too many nouns."""


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
    key = lexicon_key(word)
    forms = [key, *(key.removesuffix(particle) for particle in PARTICLES if key.endswith(particle))]
    return next((lexicon[form] for form in forms if form in lexicon), None)


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
            key = lexicon_key(word)
            if key and lexicon.setdefault(key, english) != english:
                raise InputError(f"{path}: expected one meaning of {word}, found {lexicon[key]} and {english}")
    return lexicon


def lexicon_key(word: str) -> str:
    """Korean is spaced as its writers like, so that a word is looked up without its spaces."""
    return "".join(unicodedata.normalize("NFC", word).split()).lower()
