"""Photos are found by their captions' words, Korean particles or not."""

import pytest

from pipelines.search.album.album import make_album
from pipelines.search.album.captions import Span, by_caption, index_captions, marked
from pipelines.search.where.filters import parse
from tests.search.album.test_album import ABOUT, row

CAPTIONS = {
    "puppy": "강아지가 바다에서 뛴다",
    "calf": "송아지가 풀을 먹는다",
    "snow": "눈 덮인 산",
    "tears": "눈물을 흘리는 아이",
    "percent": "100% 할인_안내",
    "quotes": "it's a \"dog\" -- 'x') or ('1'='1",
    "back": "C:\\사진",
    "long": "강아지 한 마리와 고양이 두 마리와 자동차 세 대가 나무 아래에 함께 있다",
    "none": None,
}


@pytest.fixture(params=["indexed", "not indexed"])
def album(request, tmp_path):
    made = make_album(tmp_path / "one", 4, ABOUT)
    made.put([row(key, caption=caption) for key, caption in CAPTIONS.items()], [])
    made.note([{"id": "snow", "caption_english": "A snowy mountain"}])
    if request.param == "indexed":
        index_captions(made)
        index_captions(made)  # once more does nothing
    return made


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["강아지"], ["long", "puppy"]),
        (["강아지", "바다"], ["puppy"]),
        (["강아지", "고양이", "한"], ["long"]),
        (["눈"], ["snow", "tears"]),
        (["눈", "산"], ["snow"]),
        (["눈 덮인"], ["snow"]),
        (["MOUNTAIN"], ["snow"]),
        (["눈", "snow"], ["snow"]),
        (["%"], ["percent"]),
        (["_"], ["percent"]),
        (["100%"], ["percent"]),
        (["it's"], ["quotes"]),
        (['"DOG"'], ["quotes"]),
        (["'x') or ('1'='1"], ["quotes"]),
        (["--"], ["quotes"]),
        (["\\"], ["back"]),
        (["없는말"], []),
        (["강지아"], []),
    ],
)
def test_words_are_found_in_captions(album, words, expected):
    assert sorted(by_caption(album, words)) == expected


def test_shorter_captions_come_first_where_they_are_indexed(album):
    by_score = len(album.photos.list_indices()) > 0
    assert by_caption(album, ["강아지"]) == (["puppy", "long"] if by_score else ["long", "puppy"])


@pytest.mark.parametrize(("where", "expected"), [("name = puppy", ["puppy"]), ("name = calf", [])])
@pytest.mark.parametrize("words", [["강아지"], ["뛴", "강아지"]])
def test_a_condition_holds_too(album, words, where, expected):
    assert by_caption(album, words, parse(where, {})) == expected


def test_what_is_new_changed_or_gone_is_known_at_once(album):
    album.put([row("new", caption="강아지풀"), row("puppy", caption="바다")], [])
    album.drop(["long"])
    assert by_caption(album, ["강아지"]) == ["new"]
    album.photos.optimize()
    assert by_caption(album, ["강아지"]) == ["new"]


@pytest.mark.parametrize(
    ("caption", "words", "expected"),
    [
        ("강아지가 뛴다", [], []),
        ("강아지가 뛴다", [""], []),
        ("강아지가 뛴다", ["강아지"], [(0, 3)]),
        ("강아지와 강아지", ["강아지"], [(0, 3), (5, 8)]),
        ("강아지가 뛴다", ["강아지", "아지가"], [(0, 4)]),
        ("A dog.", ["DOG", "."], [(2, 6)]),
        ("a.b", ["."], [(1, 2)]),
        ("İstanbul dog", ["dog"], [(9, 12)]),
    ],
)
def test_words_are_marked(caption, words, expected):
    assert marked(caption, words) == [Span(*span) for span in expected]
