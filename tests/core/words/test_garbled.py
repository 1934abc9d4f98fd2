import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core.words.garbled import fault_of

# What NLLB and M2M100 are seen to write where a translation goes wrong: loops, tokens of their own, another language.
GARBLED = [
    ("빨간 차, 빨간 차, 빨간 차", "loop"),
    ("빨간 차와 빨간 차와 빨간 차", "loop"),
    ("남자가 남자가 남자가 남자가", "loop"),
    ("강아지가 잔디밭에 앉아 있습니다. 강아지가 잔디밭에 앉아 있습니다.", "loop"),
    ("테이블 위에 놓인 접시, 접시, 접시, 접시, 접시", "loop"),
    ("강아지강아지강아지강아지", "loop"),
    (", , , ,", "junk"),
    ("...", "junk"),
    ("- - -", "junk"),
    ("강아지 , , , , , 고양이", "junk"),
    ("강\ufffd지가 있다", "junk"),
    ("kor_Hang 강아지가 있습니다.", "code"),
    ("__ko__ 강아지", "code"),
    ("강아지가 있습니다.</s>", "code"),
    ("<unk> 강아지", "code"),
    ("一只狗坐在草地上", "script"),
    ("Собака сидит на траве", "script"),
    ("빨간 汽车가 길에", "script"),
    ("犬が座っています", "script"),
    ("a dog sitting on the grass", "untranslated"),
]


@pytest.mark.parametrize(("text", "fault"), GARBLED)
def test_what_went_wrong_is_named(text, fault):
    assert fault_of(text, "kor_Hang") == fault_of(text, "ko") == fault


RIGHT = [
    "",
    "  ",
    "빨간 차와 파란 차",
    "하나, 둘, 셋",
    "사과 세 개와 배 세 개와 귤 세 개",
    "아주 아주 큰 개",
    "정말 정말 정말 예쁜 꽃",
    "왼쪽에 강아지 한 마리, 오른쪽에 강아지 한 마리",
    "강아지가 있습니다. 고양이가 있습니다. 새가 있습니다.",
    "개(犬)가 앉아 있다",
    "STOP 표지판",
    "TV를 보는 남자",
    "남자가 웃는다 ㅋㅋㅋㅋㅋㅋ!!!!",
    "와!!!! 강아지다......",
    "3 3 3이라고 적힌 판",
    "123",
    "반짝반짝 빛나는 별",
    "안녕_하세요",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_has_no_fault(text):
    assert fault_of(text, "kor_Hang") is None


def test_our_own_sentences_have_no_fault():
    from tests.caption.text.test_sentences import ROWS

    assert [row["다"] for row in ROWS if fault_of(row["다"], "kor_Hang")] == ["two dogs on a bench"]


@pytest.mark.parametrize(
    ("text", "language", "fault"),
    [
        ("a dog", "eng_Latn", None),
        ("a dog", None, None),
        ("강아지", "eng_Latn", "script"),
        ("강아지", "xho_Xxxx", None),
        ("собака", "rus_Cyrl", None),
        ("犬が座っています", "jpn_Jpan", None),
        ("a dog a dog a dog", None, "loop"),
        (", , , ,", None, "junk"),
    ],
)
def test_the_script_is_that_of_the_language_asked_for(text, language, fault):
    assert fault_of(text, language) == fault


@given(st.text(), st.sampled_from([None, "kor_Hang", "ko", "eng_Latn"]))
def test_any_text_is_taken(text, language):
    fault_of(text, language)
