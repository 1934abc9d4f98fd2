"""A sentence's last word: its stem, whether that is an adjective's or a verb's, and the endings that it takes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.caption.text import exceptions
from pipelines.caption.text.hangul import NONE, SS, B, L, N, S, close, final, without_l
from pipelines.core.words.morphemes import Morpheme, Token, tokens

_STEMS = frozenset({"VV", "VA", "VX", "VCP", "VCN", "XSV", "XSA", "EP"})
_NOUNS = frozenset({"NNG", "NNP", "NNB", "NNBC", "NP", "NR", "XSN"})
_STATED = re.compile(r"[아어여에ㅏㅓㅔㅐ]?요|죠|지요|네요?|는?군요?")
"""Informal endings of statements, as the dictionary spells them; others ask, order or leave the sentence open."""
_LONGER = tuple(f"{syllable}요" for syllable in "네군지에예세데고게까")
"""How 요 ends behind more than 아 or 어."""
_OBJECT = ("을 ", "를 ")
_NEGATED = re.compile(r"([가-힣]+)지(?:는|도|가|를)? +$")


@dataclass(frozen=True)
class Predicate:
    """A word that states something, without its ending."""

    before: str
    """The text before the word."""
    stem: str
    """All of the word before its ending, as it stands before a consonant: 춥 of 추워요, 이 of 예요."""

    def formal(self) -> str:
        """With -습니다 or -ㅂ니다."""
        stem = without_l(self.stem)
        return stem + "습니다" if final(stem) else close(stem, B) + "니다"

    def plain(self) -> str:
        """With -다, or a verb's -는다 and -ㄴ다."""
        is_open = not final(self.stem)
        if is_open and _is_without_its_l(self.before, self.stem):
            return close(self.stem, L) + "다"
        if _is_adjective(self.before, self.stem):
            return self.stem + "다"
        if is_open and (noun := _noun_with_copula(self.before, self.stem)):
            return noun + "다"
        stem = without_l(self.stem)
        return stem + "는다" if final(stem) else close(stem, N) + "다"


def predicate(before: str, word: str) -> Predicate | None:
    """What `word`, which comes after `before` at a sentence's end, states; None where it states nothing."""
    if is_formal(word):
        stem = _formal_stem(before, word)
    elif word.endswith("다"):
        stem = _plain_stem(before, word)
    else:
        stem = exceptions.MISREAD.get(word) or _informal_stem(before, word)
    return Predicate(before, stem) if stem else None


def untold(before: str, word: str) -> str:
    """있답니다 and 있단다, which tell somebody something, as 있다; other words as they are."""
    for ending in ("답니다", "단다"):
        told = word.removesuffix(ending)
        if told not in ("", word) and (final(told) == N or _is_adjective(before, told)):  # but 매답니다 is 매달다's
            return told + "다"
    return word


def noun_predicate(before: str, word: str) -> Predicate | None:
    """What a phrase that ends in a noun states, as 해변의 강아지이다 does; None where it ends in something else."""
    found = _of_word(before, word, "")
    tag = found[-1].parts[-1].tag if found else ""
    if tag == "ETN":  # 앉아 있음, 달림
        stem, _ = _cut(found)
        return Predicate(before, stem) if stem else None
    return Predicate(before, word + "이") if tag in _NOUNS else None


def is_formal(word: str) -> bool:
    """Whether it ends in -습니다 or -ㅂ니다."""
    return len(word) > 2 and word.endswith("니다") and final(word[:-2]) == B


def _formal_stem(before: str, word: str) -> str | None:
    """있습니다 -> 있, 갑니다 -> 가, 책이랍니다 -> 책이; a stem's own ㄹ, lost before -ㅂ니다, stays lost."""
    if word.endswith("랍니다"):
        stem, ending = _cut(_of_word(before, word, "."))
        if ending == "랍니다" and stem.endswith(("이", "아니")):  # but 놀랍니다 is 놀라다's
            return stem
    return word[:-3] if word.endswith("습니다") and final(word[:-3]) else close(word[:-2], NONE)


def _plain_stem(before: str, word: str) -> str | None:
    """있다 -> 있, 먹는다 -> 먹, 간다 -> 가, 강아지다 -> 강아지이; None for nouns such as 판다, and for 갑시다."""
    if word.endswith("시다") and final(word[:-2]) == B:
        return None
    if [token.parts[0].tag for token in _of_word(before, word, "")] == ["NNG"]:
        return None
    stem, ending = _cut(_of_word(before, word, "."))
    if final(word[:-1]) == N and ending != "는다":
        opened = close(word[:-1], NONE)
        return opened if ending or _tags(before, opened + "다") == ["VV"] else None
    if ending in ("다", "는다"):
        return stem
    return word[:-1] + "이" if _tags(before, word[:-1] + "이다") == ["NNG", "VCP"] else None


def _informal_stem(before: str, word: str) -> str | None:
    """추워요 -> 춥, 예요 -> 이, 있네요 -> 있; None for other endings and for nouns such as 담요."""
    if word.endswith("요") and not word.endswith(_LONGER):
        stem, ending = _cut(_of_word(before, word[:-1] + "서", "."))  # which the dictionary knows far more of
        if ending in ("아서", "어서", "여서") or (ending == "서" and not final(stem)):
            return stem
    stem, ending = _cut(_of_word(before, word, "."))
    is_request = word.endswith("세요") and stem.endswith("시") and "께서" not in before
    return stem if _STATED.fullmatch(ending) and not is_request else None


def _tags(before: str, word: str) -> list[str]:
    """What the parts of a word are, its -다 aside."""
    return [part.tag for token in _of_word(before, word, ".")[:-1] for part in token.parts]


def _of_word(before: str, word: str, end: str) -> list[Token]:
    """The tokens of the word alone; none where the analyser takes it and what comes before for one."""
    start, stop = len(before), len(before) + len(word)
    return [token for token in tokens(before + word + end) if start <= token.start < stop]


def _cut(found: Sequence[Token]) -> tuple[str, str]:
    """A word's stem and its ending; '' and '' where it has no stem of a verb or an adjective, 이다 included."""
    for place, token in reversed(list(enumerate(found))):
        stems = [number for number, part in enumerate(token.parts, start=1) if part.tag in _STEMS]
        if not stems:
            continue
        own, rest = token.parts[: stems[-1]], token.parts[stems[-1] :]
        later = [part for one in found[place + 1 :] for part in one.parts]
        ending = "".join(part.form for part in (*rest, *later))
        before = "".join(one.surface for one in found[:place])
        if _is_geo(found[:place]) and own[0].tag == "VCP":
            return before, ending
        stem = before + (_unmelted(token, own) if rest else _regular(token, ending))
        if ending in ("여요", "여서") and not stem.endswith(("이", "하")):  # 놓여요
            stem += "이"
        return stem, ending
    return "", ""


def _unmelted(token: Token, own: Sequence[Morpheme]) -> str:
    """The stem of a token that its ending has melted into, from the stem's parts: 추워요 -> 춥, 펼쳐져요 -> 펼쳐지."""
    return own[0].form if len(own) == 1 else token.surface.removesuffix("요").removesuffix("서")[:-1] + own[-1].form[-1]


def _regular(token: Token, ending: str) -> str:
    """The stem of a token that its ending follows, as it stands before a consonant: 걸어요 -> 걷, 지어요 -> 짓."""
    form, last = token.parts[-1].form, final(token.surface)
    changed = (last == L and form.endswith(exceptions.IN_D)) or (last == NONE and final(form) == S)
    if len(token.parts) == 1 and ending[:1] in ("아", "어") and changed:
        return form
    return token.surface


def _is_geo(found: Sequence[Token]) -> bool:
    """Whether a word begins with 거, a thing, into which 이다 melts: 올 거다, 올 겁니다."""
    return [token.surface for token in found] == ["거"] and found[0].parts[0].tag == "NNB"


def _is_adjective(before: str, stem: str) -> bool:
    """Whether -다 follows the stem directly: adjectives, the past (-았/었-), 있다 and 없다, and a noun's -이-."""
    found = _of_word(before, stem + "다", ".")[:-1]
    if not found:
        return False
    last, part = found[-1].surface, found[-1].parts[-1]
    if last in ("않", "못하") and (negated := _NEGATED.search(before)):  # 크지 않다, but 먹지 않는다
        return _is_adjective(before[: negated.start()], negated[1])
    if part.tag == "EP" and part.form in ("시", "으시"):
        return _is_adjective(before, stem.removesuffix(last))
    if stem in exceptions.OF_TASTE:
        return not re.search("[을를] ", before)
    if part.tag == "EP":
        return final(last) == SS
    if stem in exceptions.OTHERS or (
        stem.endswith("이") and stem[:-1] in ("", *exceptions.NOUNS) and not before.endswith(_OBJECT)
    ):
        return True
    if stem.endswith("하") and part.tag != "VA":
        return not before.endswith(_OBJECT) and _makes_an_adjective(stem[:-1], found[:-1])
    if part.tag in ("VA", "XSA"):
        return not before.endswith(_OBJECT)  # 수를 센다, but 힘이 세다
    return part.tag in ("VCN", "VCP") or last.endswith(("있", "없", "싶"))


def _makes_an_adjective(root: str, found: Sequence[Token]) -> bool:
    """Whether -하다 makes an adjective of it: 조용하다, 알록달록하다, 행복하다; but 산책한다."""
    tag = found[-1].parts[-1].tag if found else ""
    is_known = (tag == "XR" and root not in exceptions.VERBS_OF_ROOTS) or (tag == "MAG" and len(root) > 2)
    return is_known or root in exceptions.BEFORE_HADA


def _noun_with_copula(before: str, stem: str) -> str | None:
    """The noun with its 이 where a stem before -ㅂ니다 is a noun that 이다 has melted into: 강아집니다, 겁니다."""
    found = _of_word(before, stem + "다", "")
    if len(found) < 2 or found[-1].parts[0].tag != "VCP":
        return None
    if _is_geo(found[:-1]):
        return stem
    return stem + "이" if len(stem) > 1 else None


def _is_without_its_l(before: str, stem: str) -> bool:
    """Whether a stem before -ㅂ니다 is one of the adjectives that lose their ㄹ there: 기 of 깁니다."""
    full = close(stem, L)
    if full in exceptions.OF_TASTE:
        return _is_adjective(before, full)
    return not before.endswith(_OBJECT) and (full in exceptions.IN_L or full.endswith(exceptions.LONG_IN_L))
