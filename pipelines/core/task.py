"""What the commands need of a task: its settings, its pipeline, its samples and its fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """A task, as its pipeline.py has it; typed loosely, so that whoever imports this imports no library."""

    config: type[Any]
    """The class of its settings."""
    pipeline: Callable[[Any, Any], Any]
    """Makes its Pipeline of settings and Runner: loads the models."""
    samples: Callable[[Any], Sequence[Any]]
    """Settings -> the Samples of a run, in order. Raises InputError."""
    fields: Callable[[Any], Mapping[str, Any]]
    """Settings -> what the rows hold, field -> Kind, known before a model is loaded. Raises InputError."""
