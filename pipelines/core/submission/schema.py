"""What a submission holds: fields of rows, and its columns from the sample."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from pipelines.core.config import DataConfig
from pipelines.core.errors import SubmissionError
from pipelines.core.images.samples import Sample, id_column, read_table

if TYPE_CHECKING:  # torch takes seconds
    from pipelines.core.running.batch_model import Outcome

Value = str | int | float
Row = Mapping[str, Value]
"""What a pipeline says of one image: field -> value."""
Kind = Literal["text", "count", "label", "score"]
"""What a field holds: any text, a whole number from 0, 0 or 1, a finite number."""

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
    """Column -> field of the pipeline's rows, for all columns but the id."""

    def line(self, sample: Sample, row: Row) -> list[str]:
        """The cells of one row, as text."""
        cells = {self.id_column: sample.id} | {column: _text(row[name]) for column, name in self.sources.items()}
        return [cells[column] for column in self.columns]


def read_schema(data: DataConfig, fields: Mapping[str, Kind]) -> SubmissionSchema:
    """The schema that the sample submission asks for, else `image` and all `fields`.

    A column is filled by the field that `data.columns` names for it, else by the field of the same name; a single
    column left over by the first field; several left over by as many fields left over, in order. Raises
    SubmissionError where that leaves a column without a field.
    """
    if data.sample_submission is None:
        return SubmissionSchema(["image", *fields], "image", {name: name for name in fields})
    table = read_table(data.sample_submission)
    key = id_column(table, data.id_column)
    wanted = [column for column in table.columns if column != key]
    sources = {column: name for column, name in (data.columns or {}).items() if column in wanted and name in fields}
    sources |= {column: column for column in wanted if column in fields and column not in sources}
    open_columns = [column for column in wanted if column not in sources]
    open_fields = [name for name in fields if name not in sources.values()]
    if len(open_columns) == 1 and len(wanted) == 1:
        sources[open_columns[0]] = next(iter(fields))
    elif len(open_columns) == len(open_fields):
        sources |= dict(zip(open_columns, open_fields, strict=True))
    missing = [column for column in wanted if column not in sources]
    if missing or not wanted:
        raise SubmissionError(
            f"{data.sample_submission}: expected columns that this task can fill ({', '.join(fields)}), found "
            f"{', '.join(missing) or 'only ids'}; say what goes where with --columns '{{{(missing or ['column'])[0]}: "
            f"{next(iter(fields))}}}'"
        )
    return SubmissionSchema(table.columns, key, sources)


def _text(value: Value) -> str:
    """Floats with 6 decimals, so that the same run gives the same bytes. Raises SubmissionError for NaN."""
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        raise SubmissionError(f"expected finite numbers in the submission, found {value}")
    return f"{value:.6f}"
