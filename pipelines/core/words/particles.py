"""Korean nouns without their particles."""

import unicodedata
from collections.abc import Iterator

from pipelines.core.words.morphemes import tokens

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


def stems(word: str) -> Iterator[str]:
    """What a Korean word may be without its particles, 강아지 of 강아지들을, the likelier first; never 차 of 차이."""
    word = unicodedata.normalize("NFC", word).strip()
    parts = tokens(word)
    kept = len(parts)
    while kept and parts[kept - 1].has("J", "XSN"):
        kept -= 1
        yield word[: parts[kept].start]
    noun = len(parts) == 1 and [part.tag for part in parts[0].parts] in (["NNG"], ["NNP"])
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
