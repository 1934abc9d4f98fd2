"""What a submission holds: fields of rows, and its columns from the sample."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pipelines.core.config import DataConfig
from pipelines.core.errors import SubmissionError
from pipelines.core.images.kinds import ENDINGS
from pipelines.core.images.samples import Sample, Table, id_column, numbers_rows, read_table
from pipelines.core.submission.fields import Field, Kind
from pipelines.core.submission.naming import match, speaks

if TYPE_CHECKING:  # torch takes seconds
    from pipelines.core.running.batch_model import Outcome

Value = str | int | float
Row = Mapping[str, Value]
"""What a pipeline says of one image: field -> value."""
SHOWN = 20
"""Fields that a message lists."""

Result = TypeVar("Result")


class Pipeline(Protocol[Result]):
    """A task: samples in, one Outcome each out, in order; and what each becomes in the submission."""

    config: Any
    """Its settings, with what they leave to the models filled in."""
    fields: Mapping[str, Kind]
    """The fields of its rows, in order; the first is what a sample with one free column asks for."""
    results: Sequence[type]
    """The dataclasses among its models' results, which the journal has to make again."""

    def __call__(self, samples: Sequence[Sample], /) -> "Iterator[Outcome[Sample, Result]]":
        """One Outcome per sample, in order."""
        ...

    def rows(self, sample: Sample, result: Result, /) -> list[Row]:
        """The rows of an image that was read."""
        ...

    def blank(self, sample: Sample, /) -> list[Row]:
        """The rows of an image that could not be read."""
        ...

    def record(self) -> Mapping[str, object]:
        """What the run record should keep: models with their hashes, mappings used, thresholds."""
        ...


@dataclass(frozen=True)
class SubmissionSchema:
    """The submission's header, and what each of its columns is filled with."""

    columns: Sequence[str]
    """In the file's order; the id column among them."""
    id_column: str
    sources: Mapping[str, str]
    """Column -> field of the pipeline's rows, for all columns that the task fills."""
    kept: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Column -> id -> cell, for those that stay as the sample has them."""
    by_order: Sequence[str] = ()
    """Columns of which their order alone says what they are filled with."""

    def line(self, sample: Sample, row: Row) -> list[str]:
        """The cells of one row, as text."""
        cells = {self.id_column: sample.id} | {column: _text(row[name]) for column, name in self.sources.items()}
        return [cells[column] if column in cells else self.kept[column][sample.id] for column in self.columns]

    def plan(self) -> str:
        """What goes where, as a person reads it: `answer <- label, mos as it is`."""
        named = {column: column or "(no name)" for column in self.columns if column != self.id_column}
        filled = {column: f"{named[column]} <- {name}" for column, name in self.sources.items()}
        return ", ".join(filled.get(column, f"{name} as it is") for column, name in named.items())


def read_schema(data: DataConfig, fields: Mapping[str, Field]) -> SubmissionSchema:
    """The schema that the sample submission asks for, else `image` and all `fields` that are not on request.

    A column is filled by the field that `data.columns` names for it, else by the one that its name means (see `match`).
    A single column that is left gets the first field; several whose names say nothing get as many fields in order.
    What nobody fills keeps the sample's own cells. Raises SubmissionError, with the plan, where that leaves a name that
    may mean several fields, a field that was asked for, or no column at all to be filled.
    """
    usual = [name for name, each in fields.items() if not each.on_request]
    if data.sample_submission is None:
        return SubmissionSchema(["image", *usual], "image", {name: name for name in usual})
    table = read_table(data.sample_submission)
    key = id_column(table, data.id_column)
    wanted = [column for column in table.columns if column != key]
    told = data.columns or {}
    sources = {
        column: name for column, name in told.items() if column in wanted and name is not None and name in fields
    }
    left = [column for column in wanted if column not in told and not _is_beside(table, column, fields)]
    meant = match(left, {name: each for name, each in fields.items() if name not in sources.values()})
    naming = Counter(name for names in meant.values() for name in names)
    sources |= {column: names[0] for column, names in meant.items() if len(names) == naming[names[0]] == 1}
    unclear = [column for column in meant if column not in sources]
    left = [column for column in left if column not in meant]
    rest = [name for name in usual if name not in sources.values()]
    asked = any(fields[name].asked for name in rest)
    lone = not sources and len(left) == 1 and not (asked and speaks(left[0]))
    silent = len(left) == len(rest) and not any(map(speaks, left)) and (asked or not sources)
    by_order = left if (lone or silent) and not unclear else []
    sources |= dict(zip(by_order, rest, strict=False))
    if unclear or not sources or (asked and left and not by_order):
        raise SubmissionError(_refusal(data, fields, wanted, sources, meant))
    kept = {column: {row[key]: row[column] for row in table.rows} for column in wanted if column not in sources}
    return SubmissionSchema(table.columns, key, sources, kept, by_order)


def _is_beside(table: Table, column: str, fields: Mapping[str, Field]) -> bool:
    """Whether a column is about the row rather than to be filled: row numbers, or the pictures' paths."""
    cells = [row[column] for row in table.rows]
    paths = bool(cells) and all(Path(cell.strip()).suffix.lower() in ENDINGS for cell in cells)
    return numbers_rows(column, cells) or (paths and column not in fields)


def _refusal(
    data: DataConfig, fields: Mapping[str, Field], wanted: Sequence[str], sources: Mapping[str, str],
    meant: Mapping[str, Sequence[str]],
) -> str:  # fmt: skip
    """What is planned, what is not clear, and how to say it."""
    usual = [name for name, each in fields.items() if not each.on_request]
    plan = ", ".join(
        f"{column} <- {sources.get(column) or ' or '.join(meant.get(column, ['?'])[:SHOWN])}" for column in wanted
    )
    column = next((column for column in wanted if column not in sources), "column")
    free = next((name for name in usual if name not in sources.values()), usual[0])
    return (
        f"{data.sample_submission}: expected columns that this task can fill ({', '.join(usual[:SHOWN])}) and whose "
        f"names tell which, found {plan or 'only ids'}; say what goes where with --columns '{{{column}: {free}}}', or "
        f"'{{{column}: null}}' for cells that stay as they are"
    )


def _text(value: Value) -> str:
    """Floats with 6 decimals, so that the same run gives the same bytes. Raises SubmissionError for NaN."""
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        raise SubmissionError(f"expected finite numbers in the submission, found {value}")
    return f"{value:.6f}"
