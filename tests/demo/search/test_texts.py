from datetime import date, datetime

import pytest

from pipelines.demo.search.texts import between, counts_said, details, in_folder, joined, marked_markdown
from pipelines.search.album.captions import Marked, Span
from pipelines.search.where.filters import parse


@pytest.mark.parametrize(
    ("caption", "spans", "said"),
    [
        ("", (), ""),
        ("강아지가 뛴다", (Span(0, 3),), ":primary-background[강아지]가 뛴다"),
        ("a dog, a dog", (Span(2, 5), Span(9, 12)), "a :primary-background[dog], a :primary-background[dog]"),
        ("[x](y) *dog*", (Span(8, 11),), r"\[x\]\(y\) \*:primary-background[dog]\*"),
        ("a] :red[b", (Span(0, 2),), r":primary-background[a\]] \:red\[b"),
    ],
)
def test_marks_the_words_and_takes_nothing_else_for_markdown(caption, spans, said):
    assert marked_markdown(Marked(caption, spans)) == said


@pytest.mark.parametrize(
    ("counts", "korean", "said"),
    [
        (None, True, ""),
        ('{"강아지": 0, "dog": 0}', True, ""),
        ('{"새": 1, "bird": 1, "강아지": 2, "dog": 2}', True, "강아지 2 · 새 1"),
        ('{"새": 1, "bird": 1, "강아지": 2, "dog": 2}', False, "dog 2 · bird 1"),
        ('{"dog": 2}', True, "dog 2"),
    ],
)
def test_says_counts_in_one_language(counts, korean, said):
    assert counts_said(counts, korean) == said


@pytest.mark.parametrize(
    ("where", "more", "both"),
    [
        ("", "dog >= 2", "dog >= 2"),
        (" year = 2024 ", "dog >= 2", "year = 2024 and dog >= 2"),
        ("year = 2024 OR year = 2022", "dog >= 2", "(year = 2024 OR year = 2022) and dog >= 2"),
        ("colour = orange", "dog >= 2", "colour = orange and dog >= 2"),
    ],
)
def test_joins_conditions_so_that_both_hold(where, more, both):
    assert joined(where, more) == both


def test_what_the_widgets_write_is_read_as_it_is_meant():
    condition = joined(in_folder('여행/"부산" or 서울'), between(date(2024, 5, 1), date(2024, 5, 3)))
    in_it, days = parse(condition, {}).parts
    from_first, to_last = days.parts
    assert in_it.value == '여행/"부산" or 서울'
    assert (from_first.value.start, to_last.value.end) == (datetime(2024, 5, 1), datetime(2024, 5, 4))


def test_details_say_only_what_is_known():
    nothing = dict.fromkeys(
        ["taken", "camera", "latitude", "longitude", "colour", "caption", "caption_english", "counts"]
    )
    assert details({"width": 160, "height": 120, "bytes": 11_039, **nothing}) == {"크기": "160 × 120, 11 kB"}
    known = {
        "taken": datetime(2024, 5, 1, 9, 30), "camera": "Canon R5", "latitude": 35.1, "longitude": 129.0,
        "colour": "blue", "caption": "바다", "caption_english": "the sea", "counts": '{"배": 1, "boat": 1}',
    }  # fmt: skip
    assert details({"width": 4000, "height": 3000, "bytes": 3_200_000, **known}) == {
        "찍은 때": "2024-05-01 09:30", "카메라": "Canon R5", "크기": "4000 × 3000, 3.2 MB", "색": "파랑",
        "곳": "35.10000, 129.00000", "설명": "바다", "영어 설명": "the sea", "센 것": "배 1",
    }  # fmt: skip
