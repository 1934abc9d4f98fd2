"""What a task is: the one description that commands, doctor, scoring, comparison, history, demo and tests read.

Whoever imports it imports no model library: what is heavy, a task's functions import when they are called.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.core.config import DataConfig

if TYPE_CHECKING:  # pandas takes a second
    import pandas as pd

    from pipelines.core.submission.fields import Field, Kind
    from pipelines.core.submission.scores import Evaluation, Wrong

Words = tuple[str, str]
"""The same in Korean and in English."""
Note = Callable[[str, Any, Mapping[str, Any]], None]
"""Keeps a run for the history: its task, settings and record."""


@dataclass(frozen=True)
class Scoring:
    """How a task's submissions are scored."""

    settings: type[Any]
    """The class of the evaluation's settings: `submission`, `truth`, `worst` and the task's own."""
    evaluate: "Callable[[Any], Evaluation]"
    """Settings -> scores. Raises InputError."""


@dataclass(frozen=True)
class Calibration:
    """What sets a task's settings by known answers."""

    settings: Sequence[type[Any]]
    """Settings classes, which all give flags; --config is read for the task's own class among them."""
    calibrate: Callable[..., object]
    """Takes one of each."""


@dataclass(frozen=True)
class Worst:
    """How the rows of a submission are found that are the farthest from their truth."""

    find: "Callable[[pd.DataFrame, pd.DataFrame], list[Wrong]]"
    """Submission and truth, their cells as text -> the wrong rows in the truth's order. Raises InputError."""
    unit: str
    """What an error is, as the head of a table has it: `objects`."""
    far: Callable[[float], Words]
    """An error as a person reads it: `off by 2`."""
    kinds: Mapping[str, Words]
    """What the kinds of errors are called."""


def _as_it_is(table: "pd.DataFrame") -> "pd.DataFrame":
    return table


@dataclass(frozen=True)
class Comparison:
    """How submissions of a task are laid side by side and merged."""

    columns: "Mapping[str, Kind]"
    """Column -> what it holds, which decides how it is merged; a column of another name is as the first one."""
    tells: "Callable[[pd.DataFrame], bool]" = lambda _: False
    """Whether the columns and cells beside the ids, of a file that no run record knows, can only be this task's."""
    by_id: "Callable[[pd.DataFrame], pd.DataFrame]" = _as_it_is
    """A submission as a table of one row an id, the id first. Raises InputError."""
    merge: "Callable[[Sequence[pd.DataFrame]], pd.DataFrame] | None" = None
    """For rankings, which `--merge ranks` puts together: submissions, all rows of each, -> one."""


@dataclass(frozen=True)
class Task:
    """A task, as its folder's task.py has it."""

    name: str
    title: Words
    """A word or two: `Captions`."""
    help: Words
    """One line on what it does."""
    bundled: Path
    """Folder of its samples: small inputs with their truth."""
    config: type[Any]
    """The class of its settings."""
    samples: Callable[[Any], Sequence[Any]]
    """Settings -> the Samples of a run, in order. Raises InputError."""
    fields: "Callable[[Any], Mapping[str, Field]]"
    """Settings -> what the rows can say, field by field, known before a model is loaded. Raises InputError."""
    scoring: Callable[[], Scoring]
    worst: Worst
    comparison: Comparison
    blank: Words
    """What the row says of an image that could not be read."""
    fallback: Words
    """What the row says of an image that the run did not come to."""
    pipeline: Callable[[Any, Any], Any] | None = None
    """Settings and Runner -> its Pipeline: loads the models. None where the task has a `command` instead of a run."""
    command: Callable[[Sequence[str], Note], int] | None = None
    """Runs the words after the task's name, where they are no run of one row an image. Raises SuiteError."""
    calibration: Callable[[], Calibration] | None = None
    data: Callable[[Any], DataConfig | None] = lambda config: config.data
    """Settings -> what comes in and where the submission goes; None where they name no images."""
    asked_by: Callable[[Any, Sequence[str]], Any] = lambda config, _: config
    """Settings as a sample submission asks for them by its columns beside the ids, where those say what to look for."""
