"""A condition on photos as a tree: what `filters` reads, `filters_sql` writes as SQL and `combining` asks for."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Operator = Literal["=", "<", "<=", ">", ">=", "contains"]


@dataclass(frozen=True)
class Counted:
    """The number of one kind of object in a photo."""

    kind: str
    """As the album has it."""


@dataclass(frozen=True)
class Period:
    """A day, a month or a year, by the camera's clock."""

    start: datetime
    end: datetime
    """The first moment after it."""


@dataclass(frozen=True)
class Compare:
    """What a photo says of `subject`, one of NAMES or a count, compared with a value.

    Numbers, counts and dates are ordered, a date being equal to every period that it is in. Texts are equal or contain
    one another, whatever their case; a folder is also equal to those that it is in.
    """

    subject: str | Counted
    operator: Operator
    value: float | str | Period


@dataclass(frozen=True)
class Known:
    """Whether a photo says anything of one of NAMES."""

    subject: str


@dataclass(frozen=True)
class Near:
    """At most so far from a place, along the Earth's surface."""

    latitude: float
    longitude: float
    metres: float


@dataclass(frozen=True)
class Box:
    """Between two parallels and two meridians, in degrees; across the date line where `west` exceeds `east`."""

    south: float
    west: float
    north: float
    east: float


@dataclass(frozen=True)
class Not:
    """A condition that does not hold."""

    part: "Condition"


@dataclass(frozen=True)
class And:
    """Conditions that all hold."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Or:
    """Conditions of which at least one holds."""

    parts: tuple["Condition", ...]


Condition: TypeAlias = Compare | Known | Near | Box | Not | And | Or
