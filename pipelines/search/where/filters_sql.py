"""Writes a condition's tree as SQL for an album's table.

Nothing that a user typed comes into the SQL but through `literal`, which writes a number or a quoted text and nothing
else; the columns' names are those below. (LanceDB 0.40 has expression objects with literals apart, but they know
neither NULL, nor the parts of a date, nor JSON, and rows cannot be counted by them.)
"""

import math
from datetime import datetime

from pipelines.search.where.conditions import And, Box, Compare, Condition, Counted, Known, Near, Not, Or, Period

EARTH_M = 6_371_008.8
"""Metres; the Earth's mean radius."""

_NUMBERS = {
    "year": "date_part('year', taken)",
    "month": "date_part('month', taken)",
    "width": "width",
    "height": "height",
    "megapixels": "CAST(width AS DOUBLE) * height / 1000000",
    "size": "bytes",
    "lat": "latitude",
    "lon": "longitude",
}
_TEXTS = {
    "camera": "camera",
    "folder": "regexp_replace(id, '/?[^/]*$', '')",
    "name": "split_part(id, '/', -1)",
    "caption_korean": "caption",
    "caption_english": "caption_english",
    "colour": "colour",
}
_ORIENTATIONS = {"portrait": "height > width", "landscape": "width > height", "square": "width = height"}
_SOURCES = {**_NUMBERS, **_TEXTS, "date": "taken", "orientation": "width", "caption": "caption"}
"""What is NULL where a photo does not say it."""


def to_sql(condition: Condition, holds: bool = True) -> str:
    """The SQL of a condition, or of its contrary. Of a row that it does not hold for it is false or NULL.

    NULL is as good as false, for only AND and OR join its parts, and a test alone, without IS TRUE, lets Lance ask an
    index. There is no NOT in it, which LanceDB's parser takes exponentially long for where several are in one another.
    """
    if isinstance(condition, Not):
        return to_sql(condition.part, not holds)
    if isinstance(condition, And | Or):
        joint = " AND " if isinstance(condition, And) is holds else " OR "
        return "(" + joint.join(to_sql(part, holds) for part in condition.parts) + ")"
    return f"({_test(condition)})" if holds else f"(({_test(condition)}) IS NOT TRUE)"


def literal(value: float | str | datetime) -> str:
    """A value as SQL: a number, a quoted text, or a quoted moment. Raises ValueError for what SQL cannot hold."""
    if isinstance(value, datetime):
        return f"CAST({literal(value.isoformat(sep=' ', timespec='seconds'))} AS TIMESTAMP(0))"
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("expected a text without NUL")
        value.encode()  # a lone surrogate is no text
        return "'" + value.replace("'", "''") + "'"
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value}")
    return f"CAST({float(value)!r} AS DOUBLE)"


_COMPARISONS = {each: each for each in ("=", "<", "<=", ">", ">=")}


def _test(condition: Compare | Known | Near | Box) -> str:
    """A test that may be NULL."""
    if isinstance(condition, Known):
        return f"{_SOURCES[condition.subject]} IS NOT NULL"
    if isinstance(condition, Near):
        return _near(condition)
    if isinstance(condition, Box):
        return _box(condition)
    subject, operator, value = condition.subject, condition.operator, condition.value
    if isinstance(value, Period):
        return _in_time(operator, value)
    if isinstance(value, str):
        return _text(str(subject), operator, value)
    # NULL where none were looked for.
    number = f"json_get_int(counts, {literal(subject.kind)})" if isinstance(subject, Counted) else _NUMBERS[subject]
    return f"CAST({number} AS DOUBLE) {_COMPARISONS[operator]} {literal(value)}"


def _text(subject: str, operator: str, value: str) -> str:
    if subject == "orientation":
        return _ORIENTATIONS[value]
    if subject == "caption":
        return " OR ".join(_text(column, operator, value) for column in ("caption_korean", "caption_english"))
    column, wanted = f"lower({_TEXTS[subject]})", f"lower({literal(value)})"
    if operator == "contains":
        return f"contains({column}, {wanted})"
    if subject == "folder" and value:
        return f"{column} = {wanted} OR starts_with({column}, lower({literal(f'{value}/')}))"
    return f"{column} = {wanted}"


def _in_time(operator: str, period: Period) -> str:
    start, end = literal(period.start), literal(period.end)
    return {
        "=": f"taken >= {start} AND taken < {end}",
        "<": f"taken < {start}",
        "<=": f"taken < {end}",
        ">": f"taken >= {end}",
        ">=": f"taken >= {start}",
    }[operator]


def _near(place: Near) -> str:
    """The haversine formula (Sinnott 1984), without its last step: sines of half the angle are compared."""
    latitude, longitude = literal(place.latitude), literal(place.longitude)
    parts = (
        f"power(sin(radians(latitude - {latitude}) / 2), 2)",
        f"cos(radians(latitude)) * cos(radians({latitude})) * power(sin(radians(longitude - {longitude}) / 2), 2)",
    )
    return f"{parts[0]} + {parts[1]} <= {literal(math.sin(min(place.metres / EARTH_M, math.pi) / 2) ** 2)}"


def _box(box: Box) -> str:
    south, west, north, east = (literal(edge) for edge in (box.south, box.west, box.north, box.east))
    across = "OR" if box.west > box.east else "AND"
    return f"latitude >= {south} AND latitude <= {north} AND (longitude >= {west} {across} longitude <= {east})"
