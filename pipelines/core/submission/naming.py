"""Tells which field a column of a sample submission means, by its name, in Korean or English."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from pipelines.core.submission.fields import Field
from pipelines.core.words.lexicon import has_hangul, look_up, read_lexicon

_OF_COUNTS = "n num number of no cnt count counts total sum 수 개수 갯수 숫자 마릿수"
_OF_SCORES = "p prob probs probability proba score scores pred preds predicted prediction 확률 점수 예측"
_OF_ANYTHING = (
    "the is has x y label labels class classes category target value values answer answers result output field column "
    "col 값 정답 답 결과 라벨 레이블 분류 여부 열"
)
QUALIFIERS = frozenset(f"{_OF_COUNTS} {_OF_SCORES} {_OF_ANYTHING}".split())
"""Words of a column's name that say how a thing is told rather than which: `n_dog`, `강아지_수`; also `y1`, `답`."""
ATTACHED = ("개수", "갯수", "마릿수", "확률", "점수", "여부", "수")
"""Those that Korean writes behind a noun without a space, the longer ones first."""


def match(columns: Sequence[str], fields: Mapping[str, Field]) -> dict[str, list[str]]:
    """Column -> the fields that its name may mean: several where it does not tell; a column that names none is absent.

    The closest reading wins: a field's own name, then what it may be called, then the same word in the other language,
    in the plural or with a qualifier. A field that one column names is not meant by others that name it less closely.
    """
    lexicon = read_lexicon()
    found: dict[str, list[str]] = {}
    for closely in (_own_names, _all_names, _all_words):
        taken = {names[0] for names in found.values() if len(names) == 1}
        index: dict[str, list[str]] = {}
        for name, field in fields.items():
            for key in closely(name, field, lexicon) if name not in taken else ():
                index.setdefault(key, []).append(name)
        here = {}
        for column in (each for each in columns if each not in found):
            keys = _readings(column, lexicon) if closely is _all_words else iter([spelled(column)])
            meant = next((index[key] for key in keys if key in index), [])
            if meant:
                here[column] = list(dict.fromkeys(meant))
        found |= _labels_together(here, fields)
    return found


def speaks(column: str) -> bool:
    """Whether a column's name says which of several things belongs there: `cat` does; `answer`, `x`, `col1` do not."""
    words = (word for word in _words(column) if word not in QUALIFIERS and not word.isdigit())
    return any(len(word) > 1 or has_hangul(word) for word in words)


def spelled(name: str) -> str:
    """A name as far as its spelling means anything: in NFC and one case, without blanks around it."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def _own_names(name: str, field: Field, lexicon: Mapping[str, str]) -> list[str]:
    return [] if field.on_request else [spelled(name)]


def _all_names(name: str, field: Field, lexicon: Mapping[str, str]) -> list[str]:
    return list(map(spelled, (name, *field.called)))


def _all_words(name: str, field: Field, lexicon: Mapping[str, str]) -> list[str]:
    return [_word(_words(each), lexicon) for each in (name, *field.called)]


def _labels_together(here: Mapping[str, list[str]], fields: Mapping[str, Field]) -> dict[str, list[str]]:
    """Of a name for a usual field and for one on request: the latter where several columns name such, as labels do."""
    requested = {name for names in here.values() for name in names if fields[name].on_request}
    several = len(requested) > 1
    return {
        column: [name for name in names if fields[name].on_request == several] or names
        for column, names in here.items()
    }


def _readings(column: str, lexicon: Mapping[str, str]) -> Iterator[str]:
    """What a column's name may name: all of its words, then fewer, without qualifiers in front and behind."""
    words = _words(column)
    front = next((place for place, word in enumerate(words) if word not in QUALIFIERS), len(words))
    behind = next((place for place, word in enumerate(reversed(words)) if word not in QUALIFIERS), len(words))
    spans = [(start, stop) for start in range(front + 1) for stop in range(len(words) - behind, len(words) + 1)]
    for start, stop in sorted(spans, key=lambda span: span[0] - span[1]):
        if start < stop:
            yield _word(words[start:stop], lexicon)
    if words and words[-1] not in QUALIFIERS:
        for ending in ATTACHED:
            if words[-1].endswith(ending) and words[-1] != ending:
                yield _word([*words[front:-1], words[-1].removesuffix(ending)], lexicon)


def _word(words: Sequence[str], lexicon: Mapping[str, str]) -> str:
    """Words as one name: in English where the lexicon knows them, without spaces, in the singular."""
    text = " ".join(words)
    if has_hangul(text) and (english := look_up(text, lexicon)) is not None:
        text = english
    return _singular(text.replace(" ", ""))


def _singular(word: str) -> str:
    """An English word without its plural's ending; close enough to hold two names against each other."""
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _words(name: str) -> list[str]:
    """`PredictedLabel`, `predicted_label` and `Predicted label` -> predicted, label."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", unicodedata.normalize("NFC", name))
    return [word.casefold() for word in re.findall(r"[^\W\d_]+|\d+", parted)]
