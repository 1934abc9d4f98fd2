"""What Korean text is, letter by letter."""

import unicodedata


def has_hangul(text: str) -> bool:
    """Whether a syllable or jamo, of any width, is in the text."""
    return any("HANGUL" in unicodedata.name(letter, "") for letter in text)


def ends_in_consonant(word: str) -> bool:
    """Whether the last letter is a syllable (NFC) that closes with a consonant, which decides on the form of particles.

    False for any other letter.
    """
    # Unicode orders syllables by their 28 endings, none first.
    return "가" <= word[-1:] <= "힣" and (ord(word[-1]) - ord("가")) % 28 != 0
