"""What the doctor says: one sentence for each problem."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """A problem: what was expected, what was found, where, how many, what to do."""

    severity: Literal["error", "warning"]
    """An error makes the run or the submission invalid; a warning is what a person should look at."""
    message: str


def wrong(message: str) -> Finding:
    """An error."""
    return Finding("error", message)


def doubtful(message: str) -> Finding:
    """A warning."""
    return Finding("warning", message)


def such_as(names: Sequence[object]) -> str:
    """`such as 'a', 'b', 'c'`: the first names, quoted so that blanks in them are seen."""
    return "such as " + ", ".join(repr(str(name)) for name in names[:SHOWN])
