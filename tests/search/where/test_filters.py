"""Conditions are read as they are meant, and whatever else is typed is refused in a sentence."""

from datetime import datetime

import pytest

from pipelines.core.errors import InputError
from pipelines.search.album import photos
from pipelines.search.where.conditions import And, Box, Compare, Counted, Known, Near, Not, Or, Period
from pipelines.search.where.filters import COLOURS, MAX_DEPTH, MAX_LENGTH, parse

COUNTED = {"dog": "dog", "강아지": "dog", "cat": "cat", "빨간차": "빨간 차"}
DOG = Counted("dog")


def day(year, month, number, *end):
    return Period(datetime(year, month, number), datetime(*end))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("year=2024", Compare("year", "=", 2024)),
        ("YEAR == 2024", Compare("year", "=", 2024)),
        ("year != 2024", Not(Compare("year", "=", 2024))),
        ("year ≠ 2024", Not(Compare("year", "=", 2024))),
        ("width≥-3.5", Compare("width", ">=", -3.5)),
        ("dog>=2", Compare(DOG, ">=", 2)),
        ("강아지 >= 2", Compare(DOG, ">=", 2)),
        ("강아지들 > 2", Compare(DOG, ">", 2)),
        ("dogs < 2", Compare(DOG, "<", 2)),
        ('"빨간 차" = 1', Compare(Counted("빨간 차"), "=", 1)),
        ("dog = true", Compare(DOG, ">=", 1)),
        ("dog = false", Compare(DOG, "=", 0)),
        ("camera = true", Known("camera")),
        ("date != true", Not(Known("date"))),
        ("date = 2024-05-01", Compare("date", "=", day(2024, 5, 1, 2024, 5, 2))),
        ("date < 2024-12", Compare("date", "<", day(2024, 12, 1, 2025, 1, 1))),
        ("date >= 2024", Compare("date", ">=", day(2024, 1, 1, 2025, 1, 1))),
        (
            "date between 2024-05 and 2024-06-30",
            And(
                (
                    Compare("date", ">=", day(2024, 5, 1, 2024, 6, 1)),
                    Compare("date", "<=", day(2024, 6, 30, 2024, 7, 1)),
                )
            ),
        ),
        ("month in (6, 7)", Or((Compare("month", "=", 6), Compare("month", "=", 7)))),
        ("month not in (6)", Not(Compare("month", "=", 6))),
        ("size > 1.5MB", Compare("size", ">", 1_500_000)),
        ("size <= 2kib", Compare("size", "<=", 2048)),
        ("camera ~ 5D", Compare("camera", "contains", "5D")),
        ("caption contains '강아지가'", Compare("caption", "contains", "강아지가")),
        ("caption not contains 눈", Not(Compare("caption", "contains", "눈"))),
        ("caption ~ 'it''s'", Compare("caption", "contains", "it's")),
        ('caption ~ "it\'s"', Compare("caption", "contains", "it's")),
        ("caption ~ “따옴표’”", Compare("caption", "contains", "따옴표’")),
        ("folder = './여행/2024/'", Compare("folder", "=", "여행/2024")),
        ("name = IMG-2.jpg", Compare("name", "=", "IMG-2.jpg")),
        ("folder = ''", Compare("folder", "=", "")),
        ("name = 2024", Compare("name", "=", "2024")),
        ("colour = 빨간색", Compare("colour", "=", "red")),
        ("color = GRAY", Compare("colour", "=", "grey")),
        ("orientation=세로", Compare("orientation", "=", "portrait")),
        ("near(37.5, 127.0, 5km)", Near(37.5, 127, 5000)),
        ("near (-37.5,-127,300m)", Near(-37.5, -127, 300)),
        ("box(33, 124, 39, 132)", Box(33, 124, 39, 132)),
        (
            "not year=1 and (dog=1 or cat=2 and dog=3)",
            And(
                (
                    Not(Compare("year", "=", 1)),
                    Or(
                        (
                            Compare(DOG, "=", 1),
                            And((Compare(Counted("cat"), "=", 2), Compare(DOG, "=", 3))),
                        )
                    ),
                )
            ),
        ),
        ("year=1 or year=2 or year=3", Or(tuple(Compare("year", "=", number) for number in (1, 2, 3)))),
    ],
)
def test_a_condition_is_read(text, expected):
    assert parse(text, COUNTED) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a name, such as year, camera or dog in the condition '', found the end"),
        ("year", "expected a comparison.*found the end"),
        ("year=", "expected a number.*found the end"),
        ("year=2024 and", "expected a name.*found the end"),
        ("year=2024 dog=1", "expected `and`, `or` or the end.*found `dog` at character 11"),
        ("camera = Canon EOS", "found `EOS` at character 16; put quotes round"),
        ("(year=2024", r"expected `\)`"),
        ("year=2024)", r"found `\)` at character 10"),
        ("year='2024'", "expected a number.*found `2024`"),
        ("year=2024-05", "compared as date = 2024-05"),
        ("year=20MB", "expected a number"),
        ("size=3TB", "a size such as 3MB"),
        ("year ~ 2", "expected = != < <= > >=, in or between after `year`"),
        ("caption < 3", "expected =, !=, ~ or in after `caption`"),
        ("date=2024-13", "expected a date"),
        ("date=2024-02-30", "expected a date"),
        ("date=0", "expected a date"),
        ("date=9999-12-31", "expected a date"),
        ("date=강", "expected a date"),
        ("colour=blu", "expected one of red, orange"),
        ("orientation=up", "expected one of portrait, landscape, square"),
        ("name = 1.jpg", "stands in quotes"),
        ("name = 'a", "a closing ' for the one at character 8"),
        ("caption ~ ''", "expected a text"),
        ("dgo>=2", "found `dgo` at character 1; did you mean `dog`"),
        ("yaer=2024", "did you mean `year`"),
        ('"빨간 차가"=1 and 빨간첩=1', "did you mean `빨간차`"),
        ("near(91,0,1km)", "a latitude of -90 to 90"),
        ("near(0,181,1km)", "a longitude of -180 to 180"),
        ("near(0,0,30000km)", "a distance of 0 to 20015 km"),
        ("near(0,0,-1km)", "a distance of 0"),
        ("near(0,0)", "expected `,`"),
        ("near = 3", "a name that photos have"),
        ("box(39,124,33,132)", "a latitude not below the first"),
        ("year not = 3", "in, between or contains after `not`"),
        ("year=999999999999999999", "a smaller number"),
        ("id = 'a'", "a name that photos have"),
        ("hash = 'a'", "a name that photos have"),
    ],
)
def test_what_is_no_condition_is_refused(text, reason):
    with pytest.raises(InputError, match=reason):
        parse(text, COUNTED)


@pytest.mark.parametrize(
    "text",
    [
        "' or 1=1 --",
        '"; drop table photos; --',
        "year=2024; drop table photos",
        "year=2024 -- and so on",
        "year=2024 /* and */ and dog=1",
        "year=2024 or 1=1",
        "year=(select 1)",
        "year=1e999",
        "year=nan",
        "year=inf",
        "year=0x10",
        "caption='x') or ('1'='1",
        "caption ~ 'a\0b'",
        "caption ~ 'a\x1b'",
        "caption ~ '\ud800'",
        "caption ~ \\'x\\'",
        "caption ~ `x`",
        "date_part('year', taken)=1",
        "json_get_int(counts, 'dog')=1",
        "(" * (MAX_DEPTH + 1) + "year=1" + ")" * (MAX_DEPTH + 1),
        "not " * (MAX_DEPTH + 1) + "year=1",
        "year=1 or " * 300,
        "x" * (MAX_LENGTH + 1),
        "(" * MAX_LENGTH,
        "９=1",
        "year=２０２４",
    ],
)
def test_attacks_are_refused_in_a_sentence(text):
    with pytest.raises(InputError, match="expected"):
        parse(text, COUNTED)


def test_an_album_without_counts_says_so():
    with pytest.raises(InputError, match="no objects were counted in the album"):
        parse("dog>=2", {})


def test_the_colours_are_those_of_photos():
    assert set(COLOURS) == set(photos.COLOURS)
