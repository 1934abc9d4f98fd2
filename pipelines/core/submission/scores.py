"""What an evaluation says: scores, each with what computed it, and the rows that are wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any


@dataclass(frozen=True)
class Score:
    """One figure."""

    name: str
    value: float
    by: str
    """The library with its version, and the tokenizer where there is one: without them a figure means little."""


@dataclass(frozen=True)
class Evaluation:
    """All that is said of one submission."""

    scores: Sequence[Score]
    lines: Sequence[str] = ()
    """What is shown below the table, such as the commonest confusions."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What only the JSON file has, such as scores by class; JSON's own types."""


@dataclass(frozen=True)
class Wrong:
    """A row that is not what the truth says."""

    id: str
    kind: str
    """One of the kinds that the task's `worst` names."""
    said: str
    """What is wrong of the row, as a person reads it."""
    truth: str
    """What belongs there; of several references all."""
    error: float
    """How far off, above 0, larger is worse; in the unit that the task's `worst` names."""


def by(package: str, *details: str) -> str:
    """The package with its version and what else identifies a figure: "sacrebleu 2.6.0, char"."""
    return ", ".join([f"{package} {metadata.version(package)}", *details])
