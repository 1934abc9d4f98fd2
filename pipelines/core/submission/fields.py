"""What a task's rows can say: the fields, what each holds, and what a column of a sample may be called for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "count", "label", "score"]
"""What a field holds: any text, a whole number from 0, 0 or 1, a finite number."""


@dataclass(frozen=True)
class Field:
    """A field of a task's rows."""

    kind: Kind
    called: Sequence[str] = ()
    """Names that a column may have for it beside the field's own, Korean or English."""
    on_request: bool = False
    """Whether only a column that names it gets it: without a sample submission there is none."""
    asked: bool = False
    """Whether the user asked for it by its name, so that no column is left over while it has none."""
