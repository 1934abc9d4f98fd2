"""Rewrites the ending of Korean sentences, 있습니다 <-> 있다, by rule."""

import re
from typing import Literal

Style = Literal["as-is", "다", "습니다"]
"""How a caption's sentences end: as they come, plain (`앉아 있다`), or formal (`앉아 있습니다`)."""

# What the rule goes by. A written ending does not always say whether its word is a verb (먹습니다 -> 먹는다) or an
# adjective (작습니다 -> 작다), nor whether -입니다 belongs to a noun (책입니다 -> 책이다) or a verb (보입니다 ->
# 보인다); these lists do, for what captions say. Else a word is taken for a verb, or before -입니다 for a noun.


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ADJECTIVE_ENDINGS = tuple(
    _words("""
    있 없 겠 많 좋 싫 옳 찮 높 낮 넓 좁 깊 얕 작 적 짧 굵 얇 밝 맑 붉 검 젊 낡 늦 같 싶 짙 옅 묽 알맞 걸맞
    춥 덥 쉽 렵 섭 엽 깝 답 둡 갑 껍 볍 겁 럽 롭 맵 립 밉 맙 곱 겹 갛 얗 맣 랗 렇 떻 멓 옇 아니
    """)
)
_ADJECTIVES = _words("""
    크 예쁘 기쁘 슬프 나쁘 바쁘 아프 고프 배고프 빠르 다르 푸르 게으르 서투르 희 비싸 느리 흐리 어리 거세 힘세
    뛰어나 네모나 엄청나 강하 약하 착하 심하 흔하 급하 진하 연하 환하 순하 편하 친하 험하 듯하 만하 볼만하 조용하
    고요하 깨끗하 지저분하 행복하 따뜻하 시원하 유명하 중요하 필요하 편안하 화려하 다양하 가득하 친절하 건강하 복잡하
    단순하 뚜렷하 선명하 평범하 피곤하 심심하 울창하 풍부하 비슷하 동일하 신선하 싱싱하 이상하 특별하 완벽하 한가하
    한적하 안전하 위험하 독특하 거대하 투명하 훌륭하 우아하 촉촉하 축축하 날씬하 뚱뚱하 통통하 튼튼하 빽빽하 흐릿하
    희미하 아늑하 분주하 뾰족하 납작하 가능하 불가능하 충분하 부족하 분명하 소박하 화사하 평온하 달콤하 고소하 바삭하
    넉넉하
""")
_L_ADJECTIVES = dict(  # ㄹ falls away before ㅂ and ㄴ: 깁니다 -> 길다
    pair.split(":") for pair in _words("기:길 머:멀 둥그:둥글 힘드:힘들 거치:거칠 가느:가늘 낯서:낯설 서투:서툴")
)
_L_STEMS = frozenset(_L_ADJECTIVES.values())
_VERBS_IN_I = _words("""
    보이 돋보이 엿보이 모이 놓이 쌓이 쓰이 덮이 뒤덮이 섞이 묶이 꺾이 깎이 둘러싸이 붙이 높이 줄이 먹이 끓이 숙이
    기울이 움직이 반짝이 번쩍이 깜빡이 끄덕이 펄럭이 출렁이 속삭이 서성이 들이 볶이 꼬이
""")
_NOUNS_IN_DA = ("바다", "판다", "베란다", "소다", "캐나다", "우간다", "아젠다")
_NOUNS_BEFORE_DA = tuple(  # 강아지다 is 강아지이다; of other words before -다 a verb is the likelier
    _words("""
    강아지 고양이 마리 아이 여자 남자 나무 의자 자동차 비행기 자전거 오토바이 버스 기차 거리 도로 바나나 사과 시계
    모자 피자 침대 소파 컴퓨터 하나 이미지 그림자 경기 접시
    """)
)

_PREDICATE = re.compile(  # a sentence's last word, if no question, and a negated word before it
    r"(?P<before>\S+지(?:는|도)? )?(?P<word>[가-힣]+)(?=\s?[.!…。]+[\"'”’)\]]*(?:\s|$)|[\"'”’)\]]*\s*$)"
)

_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_NONE, _N, _L, _B, _SS = 0, 4, 8, 17, 20  # places in Unicode's order of a syllable's 28 endings

# -요 hangs on a form in which stem and ending have melted together; what it hides is told by the vowel, or listed.
_MELTED = {"ㅕ": "ㅣ", "ㅘ": "ㅗ", "ㅝ": "ㅜ", "ㅙ": "ㅚ"}  # 마셔 <- 마시, 봐 <- 보, 줘 <- 주, 돼 <- 되
_INFORMAL = {
    "해": "하", "하여": "하", "아니에": "아니", "커": "크", "써": "쓰", "떠": "뜨", "꺼": "끄", "뻐": "쁘",
    "슬퍼": "슬프", "아파": "아프", "고파": "고프", "나빠": "나쁘", "바빠": "바쁘", "따라": "따르", "모아": "모으",
    "걸어": "걷", "도와": "돕", "누워": "눕", "주워": "줍", "구워": "굽", "지어": "짓",
    "하얘": "하얗", "까매": "까맣", "빨개": "빨갛", "파래": "파랗", "노래": "노랗",
    "배워": "배우", "싸워": "싸우", "세워": "세우", "키워": "키우", "태워": "태우", "채워": "채우", "피워": "피우",
    "내": "내", "깨": "깨", "빼": "빼", "매": "매", "기대": "기대",
}  # fmt: skip


def restyle(text: str, style: Style) -> str:
    """`text` with every sentence ending in the wanted style; noun phrases, questions and requests stay as they are.

    Known limits: words that are spelt alike (적습니다: 적다, few, or 적는다, writes) get the likelier reading, and
    adjectives outside the lists are taken for verbs.
    """
    if style == "as-is":
        return text
    return _PREDICATE.sub(lambda found: (found["before"] or "") + _ending(found["word"], found["before"], style), text)


def _ending(word: str, before: str | None, style: Style) -> str:
    is_plain = word.endswith("다") and not _is_formal(word)
    if is_plain if style == "다" else _is_formal(word):
        return word
    stem = _plain_stem(word) if is_plain else _formal_stem(word) if _is_formal(word) else _informal_stem(word)
    if stem is None:
        return word
    return _plain(stem, before) if style == "다" else _formal(stem)


def _plain(stem: str, before: str | None) -> str:
    """The stem with -다: 먹는다, 간다; 작다, 있었다, 책이다."""
    if stem in _L_ADJECTIVES:
        return _L_ADJECTIVES[stem] + "다"
    if stem == "않" and before is not None:  # 크지 않다, but 먹지 않는다
        descriptive = _is_adjective(before.rpartition("지")[0])
    else:
        descriptive = _is_adjective(stem)
    if descriptive:
        return stem + "다"
    return stem + "는다" if _final(stem) else _close(stem, _N) + "다"


def _formal(stem: str) -> str:
    """The stem with -습니다 or -ㅂ니다."""
    return stem + "습니다" if _final(stem) else _close(stem, _B) + "니다"


def _is_adjective(stem: str) -> bool:
    """Whether -다 follows the stem directly: adjectives, the past (-았/었-), 있다 and 없다, and a noun's -이-."""
    if stem.endswith("이"):
        return stem not in _VERBS_IN_I
    return _final(stem) == _SS or stem in _ADJECTIVES or stem.endswith(_ADJECTIVE_ENDINGS) or stem in _L_STEMS


def _is_formal(word: str) -> bool:
    return len(word) > 2 and word.endswith("니다") and _final(word[:-2]) == _B


def _formal_stem(word: str) -> str:
    """있습니다 -> 있, 갑니다 -> 가; a stem's own ㄹ, lost before -ㅂ니다, stays lost."""
    if word.endswith("습니다") and len(word) > 3 and _final(word[:-3]):
        return word[:-3]
    return _close(word[:-2], _NONE)


def _plain_stem(word: str) -> str | None:
    """있다 -> 있, 먹는다 -> 먹, 간다 -> 가, 길다 -> 기, 강아지다 -> 강아지이; None for nouns such as 바다."""
    stem = word[:-1]
    if not stem or word.endswith(_NOUNS_IN_DA):
        return None
    if stem.endswith("는") and len(stem) > 1 and _final(stem[:-1]):
        return stem[:-1]
    if _final(stem) in (_N, _L):
        return _close(stem, _NONE)
    return stem + "이" if stem.endswith(_NOUNS_BEFORE_DA) else stem


def _informal_stem(word: str) -> str | None:
    """있어요 -> 있, 마셔요 -> 마시, 책이에요 -> 책이; None for nouns and for endings that say more (-네요, -세요)."""
    form = word[:-1]
    if len(word) < 2 or not word.endswith("요"):
        return None
    if form.endswith(("이에", "예")):
        return form[:-1] if form.endswith("이에") else form[:-1] + "이"
    if form in ("켜", "펴"):  # but 시켜 <- 시키
        return form
    for melted, stem in _INFORMAL.items():
        if form.endswith(melted):
            return form.removesuffix(melted) + stem
    if form[-1] in "아어":
        return _open(form[:-1])
    return _unmelted(form)


def _unmelted(form: str) -> str | None:
    """가 -> 가, 올라 -> 오르, 귀여워 -> 귀엽, 봐 -> 보; None where the last vowel is none of an ending's."""
    before, last = form[:-1], form[-1]
    vowel = _VOWELS[(ord(last) - ord("가")) // 28 % 21]
    if _final(last) or vowel not in "ㅏㅓㅕㅘㅝㅙ":
        return None
    if last in "라러" and before and _final(before) == _L:
        return _close(before, _NONE) + "르"
    if last == "워" and before:
        return _close(before, _B)
    shift = (_VOWELS.index(_MELTED.get(vowel, vowel)) - _VOWELS.index(vowel)) * 28
    return before + chr(ord(last) + shift)


def _open(stem: str) -> str | None:
    """A stem without a ㄹ at its end, as before -ㅂ니다 and -ㄴ다: 만들 -> 만드."""
    return (_close(stem, _NONE) if _final(stem) == _L else stem) or None


def _final(text: str) -> int:
    """The last syllable's closing consonant, as its place in Unicode's order; 0 where it has none."""
    return (ord(text[-1]) - ord("가")) % 28 if text and "가" <= text[-1] <= "힣" else _NONE


def _close(text: str, final: int) -> str:
    """`text` with its last syllable's closing consonant replaced."""
    return text[:-1] + chr(ord(text[-1]) - _final(text) + final) if text else text
