"""The submission CSV: its columns from the sample, its rows from the run, checked and written whole or not at all."""

import csv
import io
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from pipelines.core.checkpoints import file_hash
from pipelines.core.config import DataConfig
from pipelines.core.errors import SubmissionError
from pipelines.core.images import Sample, id_column, read_table
from pipelines.core.runner import Outcome

Value = str | int | float
Row = Mapping[str, Value]
"""What a pipeline says of one image: field -> value."""
Kind = Literal["text", "count", "label", "score"]
"""What a field holds: any text, a whole number from 0, 0 or 1, a finite number."""

Result = TypeVar("Result")


class Pipeline(Protocol[Result]):
    """A task: samples in, one Outcome each out, in order; and what each becomes in the submission."""

    fields: Mapping[str, Kind]
    """The fields of its rows, in order; the first is what a sample with one free column asks for."""

    def __call__(self, samples: Sequence[Sample], /) -> Iterator[Outcome[Sample, Result]]:
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


@dataclass(frozen=True)
class Blank:
    """An image that got a blank row, and why."""

    id: str
    reason: str


@dataclass(frozen=True)
class Written:
    """What `write_submission` wrote."""

    rows: int
    blanks: Sequence[Blank]


def write_submission(
    path: Path,
    schema: SubmissionSchema,
    pipeline: Pipeline[Result],
    outcomes: Iterable[Outcome[Sample, Result]],
) -> Written:
    """Writes every outcome's rows to `path` (UTF-8, no BOM, LF), whole or not at all.

    Raises SubmissionError where no image at all could be read: such a submission is never what was meant.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(schema.columns)
    rows, images, blanks = 0, 0, []
    for outcome in outcomes:
        images += 1
        if outcome.result is None:
            blanks.append(Blank(outcome.item.id, outcome.error))
        of_image = (
            pipeline.blank(outcome.item) if outcome.result is None else pipeline.rows(outcome.item, outcome.result)
        )
        for row in of_image:
            writer.writerow(schema.line(outcome.item, row))
            rows += 1
    if len(blanks) == images:
        raise SubmissionError(
            f"expected at least one readable image, but all {images} failed"
            + (f", the first ({blanks[0].id}) because: {blanks[0].reason}" if blanks else "")
            + f"; {path} was not written"
        )
    write_whole(path, text.getvalue())
    return Written(rows, blanks)


def write_record(path: Path, record: Mapping[str, object]) -> None:
    """Writes a run record (JSON, UTF-8), whole or not at all."""
    write_whole(path, json.dumps(record, ensure_ascii=False, indent=2, default=str) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Writes `text` to a temporary file beside `path` and renames it, so that no half-written file is ever seen."""
    check_writable(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def check_writable(path: Path) -> None:
    """Makes the folder of `path`; raises SubmissionError where nothing can be written there. Called before the work."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SubmissionError(f"expected to write {path}, but its folder cannot be made: {error.strerror}") from None
    if path.is_dir():
        raise SubmissionError(f"expected to write the file {path}, found a folder of that name")
    if not os.access(path.parent, os.W_OK):
        raise SubmissionError(f"expected to write {path}, but {path.parent} is not writable")


def _text(value: Value) -> str:
    """Floats with 6 decimals, so that the same run gives the same bytes. Raises SubmissionError for NaN."""
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        raise SubmissionError(f"expected finite numbers in the submission, found {value}")
    return f"{value:.6f}"


def content_hash(path: Path) -> str:
    """What a submission is known by: SHA-256 of its bytes, the first 12 hex digits.

    The name in front keeps spreadsheets from taking digits with an `e` for a number.
    """
    return f"sha256:{file_hash(path).hexdigest()[:12]}"
