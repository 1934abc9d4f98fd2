"""Words that mecab-ko-dic takes for something else: above all adjectives, which it does not tell from verbs."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


BEFORE_HADA = _words("""
    가난 가능 가득 건강 건조 검소 경솔 고급 고독 고요 고유 곤란 공평 균등 근면 긴급 나태 남루 늘씬 단순 대등 동등 듯
    막강 만 만발 무감각 무능 무식 무심 미안 밀접 바삭 법 볼만 뾰족 부유 부족 부지런 부진 분명 분주 불가 불가능
    불규칙 불량 불안 불안정 불완전 불우 불친절 불쾌 불투명 불편 불필요 불행 비만 비통 빈곤 빈약 상당 선명 섬뜩 성숙
    성실 소란 순수 신비 신속 신중 씩씩 안녕 안락 안전 어슴푸레 엄청 영원 오만 오싹 완벽 완전 요란 용맹 우세 원활
    위험 유능 유리 유명 유용 유일 유효 으스스 이상 일정 자유 잔혹 장엄 저조 적막 정직 중요 지대 진실 청결 총명 충실
    친밀 친절 침착 태만 투명 특별 특수 특이 편리 편안 평등 평안 평온 평화 풍요 피곤 필요 행복 현명 호화 혼란 혼잡
    화끈 화목 흡사
""")
"""What makes an adjective with -하다, 행복하다; the dictionary knows it as a noun or an adverb, like 산책하다's."""

VERBS_OF_ROOTS = _words("가공 공연 껑충 끄덕 독창 두리번 머뭇 미소 비틀 소원 수영 연소 저축 주춤 흔들")
"""What makes a verb with -하다, 공연하다; the dictionary knows it as an adjective's root."""

IN_L = _words("길 멀")
"""Adjectives that lose their ㄹ before ㅂ and ㄴ: 깁니다 is that of 길다."""

LONG_IN_L = tuple(_words("가늘 거칠 낯설 둥글 드물 모질 서툴 힘들"))
"""More of them, with which longer words end too."""

OF_TASTE = _words("달 짜")
"""Adjectives that are spelt as verbs are: 국이 짜다, but 옷감을 짠다."""

IN_D = ("걷", "듣", "묻", "싣", "깨닫")
"""Verbs whose ㄷ becomes ㄹ before a vowel: 걸어요."""

OTHERS = _words("못되 세련되")
"""Adjectives that the dictionary takes for verbs."""

MISREAD = {"끝나요": "끝나", "멈춰요": "멈추", "자요": "자"}
"""Statements that the dictionary takes for something else, with their stems."""

NOUNS = _words("개 대 매 벌 비 새 쥐 채")
"""Nouns with whose -이다 a verb is spelt: 개입니다 is said of a dog more often than of the weather."""
