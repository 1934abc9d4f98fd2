"""The names of things: Korean words with their English, and what is a name in either."""

import unicodedata
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_table
from pipelines.core.words.particles import stems

BUNDLED_LEXICON = Path(__file__).with_name("lexicon.csv")
SEPARATOR = "|"


def clean(prompt: str) -> str:
    """The prompt in NFC and lower case, its white space single and its final marks gone.

    Raises InputError where it names nothing, names several things, or is neither Korean nor written in Latin letters.
    """
    text = tidy(prompt)
    if not text:
        raise InputError(f"expected a prompt that names what to find, found {prompt!r}")
    if any(mark in text for mark in ".?;,"):
        raise InputError(f"expected one thing a prompt, found {prompt!r}; give several things as a list of prompts")
    if not any(letter.isalpha() for letter in text):
        raise InputError(f"expected a prompt of words, found {prompt!r}")
    if not has_hangul(text):
        check_latin(text)
    return text


def tidy(prompt: str) -> str:
    """The prompt in NFC and lower case, its white space single and its final marks gone, whatever it is."""
    return " ".join(unicodedata.normalize("NFC", prompt).split()).lower().strip(" .?!,;")


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


class Lexicon(Mapping[str, str]):
    """Korean words, as `lexicon_key` writes them, with their English."""

    def __init__(self, words: Mapping[str, str], others: Mapping[str, tuple[str, ...]]) -> None:
        self.words = words
        self.others = others
        """What else a word may mean, in English: pear and belly of 배, which is a boat."""
        self.english = frozenset(words.values())

    def __getitem__(self, word: str) -> str:
        return self.words[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __len__(self) -> int:
        return len(self.words)


def read_lexicon(user: Path | None = None) -> Lexicon:
    """The bundled lexicon with the user's own file put over it.

    A file is a CSV of the columns korean, english and, where wanted, synonyms (Korean) and otherwise (what else the
    Korean word may mean, in English), with | between several. Raises InputError, naming the file, where it is not, or
    where one word has two meanings.
    """
    bundled = read_words(BUNDLED_LEXICON)
    if user is None:
        return bundled
    own = read_words(user)
    others = {word: meanings for word, meanings in bundled.others.items() if word not in own}
    return Lexicon({**bundled.words, **own.words}, {**others, **own.others})


def look_up(word: str, lexicon: Mapping[str, str]) -> str | None:
    """The English of a Korean word, as it stands or without its particle; None where the lexicon lacks it."""
    form = find(word, lexicon)
    return None if form is None else lexicon[form]


def find(word: str, names: Container[str]) -> str | None:
    """The one of the names, written as `lexicon_key` does, that a word is, as it stands or without its particle."""
    key = lexicon_key(word)
    if key in names:
        return key
    forms = map(lexicon_key, stems(word)) if has_hangul(word) else iter(())
    return next((form for form in forms if form in names), None)


def read_words(path: Path) -> Lexicon:
    """One file, as `read_lexicon` says."""
    table = read_table(path)
    if not {"korean", "english"} <= set(table.columns):
        raise InputError(f"{path}: expected the columns korean and english, found {', '.join(table.columns)}")
    words: dict[str, str] = {}
    others: dict[str, tuple[str, ...]] = {}
    for row in table.rows:
        try:
            english = _english(row["english"])
            otherwise = tuple(_english(each) for each in row.get("otherwise", "").split(SEPARATOR) if each)
        except InputError as error:
            raise InputError(f"{path}, the English of {row['korean']}: {error}") from None
        for word in (row["korean"], *row.get("synonyms", "").split(SEPARATOR)):
            key = lexicon_key(word)
            if key and words.setdefault(key, english) != english:
                raise InputError(f"{path}: expected one meaning of {word}, found {words[key]} and {english}")
        if otherwise:
            others[lexicon_key(row["korean"])] = otherwise
    return Lexicon(words, others)


def _english(text: str) -> str:
    cleaned = clean(text)
    check_latin(cleaned)
    return cleaned


def lexicon_key(word: str) -> str:
    """Korean is spaced as its writers like, so that a word is looked up without its spaces."""
    return "".join(unicodedata.normalize("NFC", word).split()).lower()
