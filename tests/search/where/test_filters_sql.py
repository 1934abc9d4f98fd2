"""The SQL of a condition finds in a LanceDB table what the condition means, whatever text is in it."""

import json
import math
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.search.album.album import make_album
from pipelines.search.where.conditions import And, Box, Compare, Counted, Known, Near, Not, Or
from pipelines.search.where.counted import find_class
from pipelines.search.where.filters import MAX_DEPTH, parse
from pipelines.search.where.filters_sql import literal, to_sql
from tests.search.album.test_album import ABOUT, row

HOSTILE = (
    "' or 1=1 --", "'; drop table photos; --", "\\' or true --", "\\", "x') or ('1'='1", "/* */", "-- x", "a\nb", "''",
    "%", "_", "눈%", "‘’“”", "'", "‘' or ''='", "강아지", "강아지가 눈", "눈물", "ＡＢＣ", "{}", "$1", ":x", "?",
)  # fmt: skip
KINDS = ("dog", "빨간 차", "it's", "a.b", '$."x"')
NAMES = {kind.replace(" ", "").lower(): kind for kind in KINDS}


def photos():
    draw = np.random.default_rng(7)
    for number in range(60):
        key = HOSTILE[number % len(HOSTILE)].replace("/", "")
        some = [*(kind for kind in KINDS if draw.random() < 0.7), HOSTILE[number % len(HOSTILE)]]
        placed, dated = draw.random() < 0.7, draw.random() < 0.8
        folder = ("", "여행/", "여행/서울/", "It's/", "여행2/")[number % 5]
        yield row(
            f"{folder}{key}{number}.jpg",
            width=int(draw.integers(1, 5)) * 1000,
            height=int(draw.integers(1, 5)) * 1000,
            bytes=int(draw.integers(0, 5)) * 1_000_000,
            taken=datetime(2023, 11, 20) + timedelta(days=int(draw.integers(0, 90)), hours=number) if dated else None,
            camera=(None, "Canon EOS 5D", "SONY", "canon")[number % 4],
            latitude=float(draw.uniform(36, 38)) if placed else None,
            longitude=float(draw.uniform(126, 129)) if placed else None,
            colour=("red", "blue", "grey")[number % 3],
            caption=None if number % 6 == 0 else HOSTILE[number % len(HOSTILE)],
            caption_english=(None, "A dog it's %", "snow \\")[number % 3],
            counts=None if number % 7 == 0 else json.dumps({kind: int(draw.integers(0, 4)) for kind in some}),
        )


PHOTOS = list(photos())


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    made = make_album(tmp_path_factory.mktemp("album") / "one", 4, ABOUT)
    made.put(PHOTOS, [])
    return made


def holds(condition, photo):
    """What a condition means, said once more and plainly."""
    if isinstance(condition, Not):
        return not holds(condition.part, photo)
    if isinstance(condition, And | Or):
        return (all if isinstance(condition, And) else any)(holds(part, photo) for part in condition.parts)
    if isinstance(condition, Known):
        return said(condition.subject, photo) is not None
    if isinstance(condition, Near | Box):
        return photo["latitude"] is not None and within(condition, photo["latitude"], photo["longitude"])
    if condition.subject == "caption":
        captions = (photo["caption"], photo["caption_english"])
        return any(fits(condition, "caption", caption) for caption in captions if caption is not None)
    found = said(condition.subject, photo)
    return found is not None and fits(condition, condition.subject, found)


def fits(condition, subject, found):
    value = condition.value
    if subject == "date":
        is_in = value.start <= found < value.end
        before, after = found < value.start, found >= value.end
        return {"=": is_in, "<": before, ">": after, "<=": before or is_in, ">=": after or is_in}[condition.operator]
    if isinstance(value, str):
        found, value = found.lower(), value.lower()
        below = subject == "folder" and value != "" and found.startswith(f"{value}/")
        return value in found if condition.operator == "contains" else value == found or below
    return {
        "=": found == value, "<": found < value, "<=": found <= value, ">": found > value, ">=": found >= value,
    }[condition.operator]  # fmt: skip


def said(subject, photo):
    if isinstance(subject, Counted):
        return None if photo["counts"] is None else json.loads(photo["counts"]).get(subject.kind)
    folder, _, name = photo["id"].rpartition("/")
    width, height, taken = photo["width"], photo["height"], photo["taken"]
    shape = "square" if width == height else "landscape" if width > height else "portrait"
    return {
        "year": taken and taken.year, "month": taken and taken.month, "date": taken, "folder": folder, "name": name,
        "width": width, "height": height, "megapixels": width * height / 1e6, "size": photo["bytes"],
        "lat": photo["latitude"], "lon": photo["longitude"], "orientation": shape,
        **{name: photo[name] for name in ("camera", "caption", "colour")},
    }[subject]  # fmt: skip


def within(area, latitude, longitude):
    if isinstance(area, Box):
        between = (area.west <= longitude, longitude <= area.east)
        return area.south <= latitude <= area.north and (any if area.west > area.east else all)(between)
    one, other = (math.radians(each) for each in (latitude, area.latitude))
    sine = math.sin((one - other) / 2) ** 2
    sine += math.cos(one) * math.cos(other) * math.sin(math.radians(longitude - area.longitude) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(sine)) <= area.metres


def meant(condition):
    return {photo["id"] for photo in PHOTOS if holds(condition, photo)}


@pytest.mark.parametrize(
    "text",
    [
        "year=2024 and dog>=2",
        "year != 2024",
        "month in (11, 12)",
        f"date={next(photo['taken'] for photo in PHOTOS if photo['taken']):%Y-%m-%d}",
        "date between 2023-12 and 2024-01-10",
        "date > 2023-12",
        "date <= 2023-12-05",
        "date = false",
        "camera = CANON",
        "camera ~ canon",
        "not camera ~ canon",
        "camera = true and caption != true",
        "folder = 여행",
        "folder = ''",
        "folder ~ 여행",
        'folder = "it\'s"',
        "name ~ '1.jpg'",
        "width >= 2500.5",
        "megapixels = 4",
        "size >= 3MB",
        "orientation in (portrait, square)",
        "colour = 회색",
        "lat < 37 and lon not between 127 and 128",
        "near(37, 127.5, 60km)",
        "near(37, 127.5, 1m)",
        "not near(37, 127.5, 60km)",
        "box(36.5, 127, 37.5, 128)",
        "box(-90, 128, 90, 127)",
        "dog = 0",
        "not dog = 0",
        "'빨간 차' > 1 or \"it's\" = 2",
        "not (dog >= 1 and (year = 2024 or colour = red))",
        "'a.b' = true and '$.\"x\"' = false",
    ],
)
def test_rows_are_those_that_are_meant(album, text):
    condition = parse(text, NAMES)
    found = album.ids(to_sql(condition))
    assert found == meant(condition)
    assert text == "near(37, 127.5, 1m)" or 0 < len(found) < len(PHOTOS)  # so that the case tells something


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["caption", "name", "camera", "folder"])
@pytest.mark.parametrize("operator", ["=", "~"])
def test_hostile_texts_are_but_texts(album, name, operator, text):
    condition = parse(f"{name} {operator} '" + text.replace("'", "''") + "'", NAMES)
    assert condition == Compare(
        name, "contains" if operator == "~" else "=", text.strip("/") if name == "folder" and operator == "=" else text
    )
    assert album.ids(to_sql(condition)) == meant(condition)
    assert album.ids(to_sql(Not(condition))) == {photo["id"] for photo in PHOTOS} - meant(condition)
    assert len(album) == len(PHOTOS)


@pytest.mark.parametrize("kind", [*HOSTILE, "\\u0000", "counts", "0"])
def test_hostile_kinds_are_but_names(album, kind):
    condition = Compare(Counted(kind), ">=", 0.0)
    assert album.ids(to_sql(condition)) == meant(condition)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "a\0b", "\ud800"])
def test_what_sql_cannot_hold_is_no_literal(value):
    with pytest.raises(ValueError):
        literal(value)


@pytest.mark.parametrize("value", [0.0, -3.5, 5.5e-10, 1e-300, 123456789012345.0, 0.1, 999999999999999.0])
def test_numbers_are_exact(album, value):
    assert len(album.ids(f"{literal(value)} = CAST({literal(repr(value))} AS DOUBLE)")) == len(PHOTOS)
    assert album.ids(f"{literal(value)} < {literal(value)}") == set()


def test_deep_and_long_conditions_are_answered(album):
    deep = "(year=2024 or not " * (MAX_DEPTH // 2) + "dog=1" + ")" * (MAX_DEPTH // 2)
    long = " or ".join(["dog=1"] * 200)
    for text in (deep, long):
        condition = parse(text, NAMES)
        assert album.ids(to_sql(condition)) == meant(condition)


def comparisons():
    numbers = st.sampled_from(
        ["year", "month", "width", "height", "megapixels", "size", "lat", "lon", *map(Counted, KINDS)]
    )
    values = st.sampled_from([0, 1, 2, 3, 4, 11, 12, 2000, 3000, 2023, 2024, 37.1, 127.3, 2e6, -1])
    texts = st.sampled_from(["camera", "folder", "name", "caption", "colour"])
    letters = (
        st.sampled_from(HOSTILE)
        | st.sampled_from(["여행", "canon", "red", "it's", "."])
        | st.text("'\\%_강a-", min_size=1, max_size=3)
    )
    periods = st.sampled_from(["2024", "2023-12", "2024-01-05", "2023-11-30"]).map(
        lambda text: parse(f"date={text}", {}).value
    )
    ordered = st.sampled_from(["=", "<", "<=", ">", ">="])
    return st.one_of(
        st.builds(Compare, numbers, ordered, values.map(float)),
        st.builds(Compare, texts, st.sampled_from(["=", "contains"]), letters),
        st.builds(Compare, st.just("date"), ordered, periods),
        st.builds(Compare, st.just("orientation"), st.just("="), st.sampled_from(["portrait", "landscape", "square"])),
        st.builds(Known, st.sampled_from(["date", "camera", "lat", "caption"])),
        st.builds(Near, st.floats(36, 38), st.floats(126, 129), st.floats(0, 100_000)),
        st.builds(Box, st.floats(36, 37), st.floats(126, 129), st.floats(37, 38), st.floats(126, 129)),
    )


CONDITIONS = st.recursive(
    comparisons(),
    lambda parts: st.one_of(
        parts.map(Not),
        st.lists(parts, min_size=1, max_size=3).map(lambda some: And(tuple(some))),
        st.lists(parts, min_size=1, max_size=3).map(lambda some: Or(tuple(some))),
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CONDITIONS)
def test_any_tree_finds_what_it_means(album, condition):
    assert album.ids(to_sql(condition)) == meant(condition)


def test_the_kinds_of_this_test_are_found():
    assert [find_class(kind, NAMES) for kind in KINDS] == list(KINDS)
