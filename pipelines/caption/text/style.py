"""Rewrites the endings of Korean sentences, 있습니다 <-> 있다, as a morphological analyser reads them."""

import re
from functools import partial
from typing import Literal

from pipelines.caption.text.predicates import is_formal, noun_predicate, predicate, untold

Style = Literal["as-is", "다", "습니다"]
"""How a caption's sentences end: as they come, plain (`앉아 있다`), or formal (`앉아 있습니다`)."""

_CLOSERS = r"[\"'”’)\]」』]*"
_MOOD = r"[\u2600-\u27bf\U0001f000-\U0001faffㄱ-ㅎㅏ-ㅣ^♡♥]"  # emoji, ㅎㅎ, ㅠㅠ, ^^
_LAST_WORD = re.compile(  # a sentence's, if no question; what stands in brackets behind it is a part of the sentence
    rf"[가-힣]+(?=(?:\s?\([^()]*\))?\s?(?:[.!…。~]+(?:{_CLOSERS}(?:\s|$)|[가-힣])|{_CLOSERS}\s*(?:{_MOOD}|$)))"
    r"|[가-힣]+(?:니다|요)(?=, )"
)


def restyle(text: str, style: Style, phrases: bool = False) -> str:
    """`text` with every sentence ending in the wanted style; questions and requests stay as they are.

    Noun phrases stay too, 해변의 강아지, unless `phrases` asks for sentences of them: 해변의 강아지이다.
    Known limits: words that are spelt alike and stand alike (아이가 셉니다: 세다, is strong, or 센다, counts) get the
    reading that the analyser's dictionary or our exceptions hold for the likelier.
    """
    if style == "as-is":
        return text
    return _LAST_WORD.sub(partial(_restyled, style=style, phrases=phrases), text)


def _restyled(found: re.Match[str], style: Style, phrases: bool) -> str:
    before = found.string[: found.start()]
    word = untold(before, found[0])
    said = predicate(before, word)
    if said is None:
        said = noun_predicate(before, word) if phrases else None
    elif style == "다" and word.endswith("다") and not is_formal(word):
        return word
    if said is None:
        return word
    return said.plain() if style == "다" else said.formal()
