"""Whether a text is what a translator or a captioner writes that went wrong: a loop, junk, a code, another script."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

Fault = Literal["loop", "junk", "code", "script", "untranslated"]
"""What is wrong with a text: it repeats itself, is marks without words, holds a language's code or another token of the
model's, is in a script that was not asked for, or in Latin letters alone where others were asked for."""

WORDS: dict[Fault, str] = {
    "loop": "repeat themselves",
    "junk": "are marks without words",
    "code": "hold a token of the model's",
    "script": "are in another script",
    "untranslated": "are in Latin letters alone",
}

_SCRIPTS = {
    "Hang": ("HANGUL",), "Latn": ("LATIN",), "Cyrl": ("CYRILLIC",), "Hans": ("CJK",), "Hant": ("CJK",),
    "Jpan": ("CJK", "HIRAGANA", "KATAKANA"), "Arab": ("ARABIC",), "Thai": ("THAI",), "Deva": ("DEVANAGARI",),
    "Grek": ("GREEK",), "Hebr": ("HEBREW",),
}  # fmt: skip
"""What the names of a script's letters begin with in Unicode, by the script's code in ISO 15924."""
_LANGUAGES = {"ko": "Hang", "en": "Latn", "ja": "Jpan", "zh": "Hans", "ru": "Cyrl"}
"""The scripts of M2M100's languages, whose codes do not name them; others are not judged by their script."""
_CODE = re.compile(r"\b[a-z]{3}_[A-Z][a-z]{3}\b|__[a-z]{2,3}__|>>[a-z]{3}<<|</?s>|<(?:unk|pad|mask)>")
_MARKS = re.compile(r"([,;:'\"|/\\_<>*#@])(?:\s*\1){3,}")
_FOREIGN = 0.25
"""The share of another script's letters from which a text is in it: 犬 in brackets is not, 汽车 for 차 is."""


def fault_of(text: str, language: str | None = None) -> Fault | None:
    """What is wrong with `text`, None where nothing is, or where it is blank.

    `language`: what it should be in, by NLLB's code (`kor_Hang`) or M2M100's (`ko`); without it, or where its script is
    not known here, the script is not looked at.
    """
    if not text.strip():
        return None
    if _CODE.search(text):
        return "code"
    if not any(map(str.isalnum, text)) or "\ufffd" in text or _MARKS.search(text):
        return "junk"
    if _repeats(text):
        return "loop"
    script = (language or "").partition("_")[2] or _LANGUAGES.get(language or "")
    return _wrong_script(text, _SCRIPTS[script]) if script in _SCRIPTS else None


def _wrong_script(text: str, wanted: Sequence[str]) -> Fault | None:
    """Whether the letters are those of a script whose letters' names in Unicode begin with one of `wanted`."""
    names = [unicodedata.name(letter, "").split(" ")[0] for letter in text if letter.isalpha()]
    own = sum(name.startswith(tuple(wanted)) for name in names)
    latin = sum(name == "LATIN" for name in names)
    if names and latin == len(names) and "LATIN" not in wanted:
        return "untranslated"
    foreign = len(names) - own - ("LATIN" not in wanted) * latin  # a name or a sign may stand in Latin letters
    return "script" if foreign > _FOREIGN * len(names) else None


def _repeats(text: str) -> bool:
    """Whether the same words come again and again: one four times, two or three thrice, four or more twice in a row.

    A word alone repeats itself where its letters do: two or more of them four times.
    """
    words = [bare for word in text.lower().split() if (bare := _bare(word))]
    longest = len(words) // 2
    if any(_runs(words, length, 4 if length == 1 else 3 if length < 4 else 2) for length in range(1, longest + 1)):
        return True
    return any(re.search(r"([^\W\d_]{2,6})\1{3,}", word) for word in words if len(set(word)) > 1)


def _bare(word: str) -> str:
    """A word without the marks around it and the particle that joins it to the next: 차와, 차 and 차, are one."""
    bare = word.strip(" .,;:!?·…~\"'()[]“”‘’")
    return re.sub(r"(?<=[가-힣])(?:이랑|하고|와|과|랑)$", "", bare)


def _runs(words: Sequence[str], length: int, times: int) -> bool:
    """Whether some `length` words come `times` times in a row."""
    same = 0
    for place in range(length, len(words)):
        same = same + 1 if words[place] == words[place - length] else 0
        if same >= length * (times - 1):
            return True
    return False
