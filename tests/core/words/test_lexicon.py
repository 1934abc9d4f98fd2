"""Words are cleaned, and the lexicon says what they are in English."""

import csv
import unicodedata

import pytest

from mini.world import KINDS
from pipelines.core.errors import InputError
from pipelines.core.words.lexicon import BUNDLED_LEXICON, check_latin, clean, has_hangul, look_up, read_lexicon
from pipelines.core.words.morphemes import tokens

COCO = (
    "person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, stop sign, "
    "parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, backpack, umbrella, "
    "handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, skateboard, "
    "surfboard, tennis racket, bottle, wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, "
    "broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, "
    "mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, "
    "teddy bear, hair drier, toothbrush"
)


@pytest.fixture(scope="module")
def lexicon() -> dict[str, str]:
    return read_lexicon()


@pytest.mark.parametrize("prompt", ["", " ", "\t\n", ".", " ? ", "  .  "])
def test_a_prompt_of_nothing_is_refused(prompt):
    with pytest.raises(InputError, match="names what to find"):
        clean(prompt)


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("dog. cat.", "one thing a prompt"),
        ("dog?cat", "one thing a prompt"),
        ("강아지, 고양이", "one thing a prompt"),
        ("123", "of words"),
        ("🐕", "of words"),
        ("犬", "in English"),
        ("собака", "in English"),
    ],
)
def test_a_prompt_that_a_detector_would_misread_is_refused(prompt, reason):
    with pytest.raises(InputError, match=reason):
        clean(prompt)


@pytest.mark.parametrize(
    ("prompt", "cleaned"),
    [
        ("Dog.", "dog"),
        ("  Traffic \t light ", "traffic light"),
        ("café", "café"),
        (" 강아지 ", "강아지"),
        (unicodedata.normalize("NFD", "강아지"), "강아지"),
    ],
)
def test_clean(prompt, cleaned):
    assert clean(prompt) == cleaned


@pytest.mark.parametrize("text", ["강아지", "ㄱ", "ᄀ", "ﾡ", "dog 개"])
def test_hangul_is_told_and_refused(text):
    assert has_hangul(text)
    with pytest.raises(InputError, match="in English"):
        check_latin(text)


def test_the_lexicon_has_the_coco_classes_and_the_mini_world(lexicon):
    english = set(lexicon.values())
    assert [name for name in COCO.split(", ") if name not in english] == []
    assert len(english) > 580
    for kind in KINDS.values():
        assert look_up(kind.korean, lexicon) == kind.name


def test_the_lexicon_is_korean_to_english():
    with BUNDLED_LEXICON.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            assert has_hangul(row["korean"]) or row["korean"].isascii(), row
            assert row["english"] == clean(row["english"]), row
            assert row["english"].isascii(), row


def test_the_lexicon_gives_each_word_one_line():
    with BUNDLED_LEXICON.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    words = [word for row in rows for word in (row["korean"], *filter(None, row["synonyms"].split("|")))]
    assert len(words) == len(set(words))
    alone = [row["english"] for row in rows if not row["otherwise"]]
    assert len(alone) == len(set(alone))


ODD = (
    "남아 냥이 꽃게 대게 새 매 새둥지 살구 늙은호박 스시 요거트 토스터기 에어프라이어 헤어드라이기 "
    "드라이기 킥보드 우편함 백팩 에어콘 큐알코드 못 공구함 총 구기공 탁구채 가면 자동심장충격기 십대 "
    "이층버스 2층버스 차로 속도제한표지판 고가도로 퍽 펀치백 일회용컵 일회용접시 분리수거함 삼각자 "
    "클립보드집게 용과 타조알 누에 난 산세베리아 다육이 쿠킹호일 헤어롤 고데기 전동드릴 도어록"
)
"""Words that the analyser does not know for nouns: found by the lexicon alone."""


def nominal(part):
    return len(part.parts) == 1 and part.has("NN", "SL", "XSN", "XPN", "XR")


def test_the_lexicons_words_are_nouns_to_the_analyser():
    with BUNDLED_LEXICON.open(encoding="utf-8") as file:
        words = {word for row in csv.DictReader(file) for word in (row["korean"], *row["synonyms"].split("|")) if word}
    plain = {word for word in words if " " not in word}
    odd = {word for word in plain if not all(map(nominal, tokens(word)))}
    assert odd == set(ODD.split())


MANY = (
    "noodles chopsticks grapes stairs glasses sunglasses scissors pants jeans shorts clothes pajamas "
    "fireworks headphones earphones binoculars pliers tweezers goggles cosmetics drawers fries ribs "
    "rhinoceros thermos"
)
"""What is named in the plural, be it one."""


def test_the_lexicons_english_is_in_the_singular():
    english = read_lexicon().english
    last = {meaning.rpartition(" ")[2] for meaning in english}
    many = {word for word in last if word.endswith("s") and not word.endswith(("ss", "us", "is"))}
    assert many == set(MANY.split())


def test_other_meanings_stand_by_the_word(lexicon):
    assert lexicon["배"] == "boat" and lexicon.others["배"] == ("pear", "belly")
    assert lexicon["차"] == "car" and lexicon.others["차"] == ("tea",)
    for word in ("눈", "말", "밤", "다리"):
        assert lexicon.others[word], word


@pytest.mark.parametrize(
    ("word", "english"),
    [
        ("개", "dog"),
        ("강아지", "dog"),
        ("승용차", "car"),
        ("강아지가", "dog"),
        ("강아지들을", "dog"),
        ("자동차들", "car"),
        ("축구 공", "soccer ball"),
        ("신호등", "traffic light"),
        ("아이", "child"),  # ends in what could be a particle
        ("오이", "cucumber"),
        ("마을", "village"),
        ("없는낱말", None),
        ("가", None),
        ("차이", None),  # the difference, and no car
        ("길이", None),
        ("소가", "cow"),
        ("감이", None),  # a noun of its own
    ],
)
def test_look_up(lexicon, word, english):
    assert look_up(word, lexicon) == english


def test_the_users_lexicon_wins(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "korean,english,synonyms\n강아지,Puppy,\n불량 납땜,solder bridge,납땜불량|브리지\n", encoding="utf-8"
    )
    lexicon = read_lexicon(path)
    assert look_up("강아지", lexicon) == "puppy"
    assert look_up("납땜 불량이", lexicon) == "solder bridge"
    assert look_up("고양이", lexicon) == "cat"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("word,english\n개,dog\n", "columns korean and english"),
        ("korean,english\n개,dog\n개,puppy\n", "one meaning of 개"),
        ("korean,english\n개,강아지\n", r"mine\.csv.* 개: .*in English"),
        ("korean,english\n개,\n", r"mine\.csv.* 개: .*names what to find"),
    ],
)
def test_a_lexicon_that_is_none_is_refused(tmp_path, text, reason):
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        read_lexicon(path)
