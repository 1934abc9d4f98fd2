"""What the kinds of objects that an album has counted may be called, in Korean and English, one and many."""

from collections.abc import Iterable, Mapping

from pipelines.core.words.english import singulars
from pipelines.core.words.lexicon import lexicon_key, look_up


def counted_names(kinds: Iterable[str], lexicon: Mapping[str, str]) -> dict[str, str]:
    """Every name of the kinds, as `lexicon_key` writes it, -> the kind: themselves, their English, what else means it.

    Of two kinds of one meaning, such as 강아지 and dog, each has its own name, and the first the others.
    """
    own = {lexicon_key(kind): kind for kind in kinds}
    english: dict[str, str] = {}
    for key, kind in own.items():
        english.setdefault(lexicon_key(lexicon.get(key, key)), kind)
    meanings = {word: english.get(lexicon_key(meaning)) for word, meaning in lexicon.items()}
    return english | {word: kind for word, kind in meanings.items() if kind is not None} | own


def find_class(word: str, names: Mapping[str, str]) -> str | None:
    """The kind that a word names: as it stands, without its Korean particle, or as an English plural; else None."""
    found = look_up(word, names)
    return found or next((names[one] for one in singulars(lexicon_key(word)) if one in names), None)
