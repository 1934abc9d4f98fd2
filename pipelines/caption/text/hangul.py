"""Syllables and their closing consonants."""

NONE, N, L, B, S, SS = 0, 4, 8, 17, 19, 20
"""Places in Unicode's order of a syllable's 28 endings: none, ㄴ, ㄹ, ㅂ, ㅅ, ㅆ."""


def final(text: str) -> int:
    """The last syllable's closing consonant, as its place in Unicode's order; 0 where it has none."""
    return (ord(text[-1]) - ord("가")) % 28 if text and "가" <= text[-1] <= "힣" else NONE


def close(text: str, consonant: int) -> str:
    """`text` with its last syllable's closing consonant replaced; NONE opens the syllable."""
    return text[:-1] + chr(ord(text[-1]) - final(text) + consonant)


def without_l(stem: str) -> str:
    """A stem without a ㄹ at its end, as before -ㅂ니다, -ㄴ다 and -시-: 만들 -> 만드."""
    return close(stem, NONE) if final(stem) == L else stem
