"""The submission CSV: its rows from the run, checked and written whole or not at all."""

import csv
import glob
import io
import json
import os
import statistics
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipelines.core.errors import StoppedError, SubmissionError
from pipelines.core.images.samples import Sample
from pipelines.core.networks.checkpoints import file_hash
from pipelines.core.submission.fields import Kind
from pipelines.core.submission.schema import Pipeline, Row, SubmissionSchema, Value

if TYPE_CHECKING:  # torch takes seconds
    from pipelines.core.running.batch_model import Outcome

Result = TypeVar("Result")


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
    missing: int = 0
    """Images that the run did not come to, whose rows have the fallback."""


def write_submission(
    path: Path,
    schema: SubmissionSchema,
    pipeline: Pipeline[Result],
    outcomes: "Iterable[Outcome[Sample, Result]]",
) -> Written:
    """Writes every outcome's rows to `path` (UTF-8, no BOM, LF), whole or not at all.

    An image that the run did not reach gets the `fallback`. Raises SubmissionError where no image at all could be
    read, StoppedError where none was reached: such a submission is never what was meant.
    """
    answers: list[tuple[Sample, Sequence[Row] | None]] = []
    blanks: list[Blank] = []
    stopped = ""
    for outcome in outcomes:
        if not outcome.reached:
            stopped = outcome.error
            answers.append((outcome.item, None))
        elif outcome.result is None:
            blanks.append(Blank(outcome.item.id, outcome.error))
            answers.append((outcome.item, pipeline.blank(outcome.item)))
        else:
            answers.append((outcome.item, pipeline.rows(outcome.item, outcome.result)))
    blank = {each.id for each in blanks}
    done = [row for sample, rows in answers if rows is not None and sample.id not in blank for row in rows]
    if not done and stopped:
        raise StoppedError(
            f"expected at least one finished image, but {stopped}; {path} was not written; run the same again to go "
            "on, with more time"
        )
    if not done:
        first = f", the first ({blanks[0].id}) because: {blanks[0].reason}" if blanks else ""
        raise SubmissionError(
            f"expected at least one readable image, but all {len(answers)} failed{first}; {path} was not written"
        )
    filling = fallback(pipeline.fields, done) if stopped else {}
    lines = [schema.line(sample, row) for sample, rows in answers for row in ([filling] if rows is None else rows)]
    write_whole(path, _csv([schema.columns, *lines]))
    return Written(len(lines), blanks, sum(rows is None for _, rows in answers))


def fallback(fields: Mapping[str, Kind], done: Sequence[Row]) -> Row:
    """What is most likely of an image that was not looked at, by the rows of those that were.

    The commonest text (of several the first), the median count (the lower of two), label 0 and the median score.
    """
    guesses: dict[Kind, Callable[[list[Any]], Value]] = {
        "text": lambda values: Counter(values).most_common(1)[0][0],
        "count": statistics.median_low,
        "label": lambda _: 0,
        "score": lambda values: float(statistics.median(values)),
    }
    return {name: guesses[kind]([row[name] for row in done]) for name, kind in fields.items()}


def _csv(lines: Iterable[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()


def write_record(path: Path, record: Mapping[str, object]) -> None:
    """Writes a run record (JSON, UTF-8), whole or not at all."""
    write_whole(path, json.dumps(record, ensure_ascii=False, indent=2, default=str) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Writes `text` to a temporary file beside `path` and renames it, so that no half-written file is ever seen.

    What a process left here that was killed meanwhile is removed: two never write one path at once, locks see to
    that. Raises SubmissionError where it cannot be written, such as on a full disk.
    """
    check_writable(path)
    temporary = None
    try:
        for left in path.parent.glob(f".{glob.escape(path.name)}.????????.tmp"):
            left.unlink(missing_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise SubmissionError(
                f"expected to write {path}, but: {error.strerror}; make room or write elsewhere, and run the same again"
            ) from None
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


def content_hash(path: Path) -> str:
    """What a submission is known by: SHA-256 of its bytes, the first 12 hex digits.

    The name in front keeps spreadsheets from taking digits with an `e` for a number.
    """
    return f"sha256:{file_hash(path).hexdigest()[:12]}"
