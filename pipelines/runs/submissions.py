"""Submissions beside one another: their cells, and what each scores."""

import math
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_uppercase

import pandas as pd

from pipelines.core.errors import InputError
from pipelines.core.submission.fields import Kind
from pipelines.core.submission.scores import Score
from pipelines.core.submission.truth import joined, read_frame
from pipelines.core.submission.writing import content_hash
from pipelines.runs.history import read_history
from pipelines.tasks import TASKS


@dataclass(frozen=True)
class Submissions:
    """Submissions of the same ids and columns; the first one decides on their order."""

    paths: Sequence[Path]
    frames: Sequence[pd.DataFrame]
    """All their rows, as they stand in the files."""
    tables: Sequence[pd.DataFrame]
    """Their cells as text, all indexed by the ids (in NFC) of the first, with its columns."""
    task: str | None
    """The name of their task; None where nothing tells."""
    merge: str | None = None
    """How the last one was merged from the others, where it was."""

    @property
    def letters(self) -> str:
        """What each is called where its path is too long."""
        return ascii_uppercase[: len(self.paths)]

    def is_merged(self, letter: str) -> bool:
        """Whether the one of this letter was merged from the others."""
        return self.merge is not None and letter == self.letters[-1]

    def differing(self) -> pd.DataFrame:
        """Whether each cell (row, column) is not the same in all; 1 and 1.0 are the same, and so are NFC and NFD."""
        first, *others = [table.map(value_of) for table in self.tables]
        found = first != first
        for other in others:
            found |= first != other
        return found

    def differing_rows(self) -> pd.DataFrame:
        """The rows of `differing` that count: with answers at hand, two raw scores of one answer are no difference."""
        cells = self.differing()
        answers = [column for column in cells if self.kind(str(column)) != "score"]
        return cells[cells[answers or list(cells.columns)].any(axis=1)]

    def kind(self, column: str) -> Kind:
        """What a column holds, by its name and its cells; text where the task is not known."""
        if self.task is None:
            return "text"
        columns = TASKS[self.task].comparison.columns
        kind: Kind = columns[column] if column in columns else next(iter(columns.values()))
        cells = (cell for table in self.tables for cell in table[column])
        if kind == "label" and not all(value_of(cell) in (0, 1) for cell in cells):
            return "score"  # a contest's own column, which was filled with it
        if kind == "text" and column not in columns and "score" in columns.values() and all(map(_is_decimal, cells)):
            return "score"  # such as a label's own, which has its probability
        return kind


def read_submissions(paths: Sequence[Path], task: str | None = None) -> Submissions:
    """Reads submissions whose first column is the id, of `task` or of the one that wrote them.

    Raises InputError where their ids, columns or tasks differ.
    """
    if not 2 <= len(paths) <= len(ascii_uppercase):
        raise InputError(f"expected 2 to {len(ascii_uppercase)} submissions to compare, found {len(paths)}")
    frames = [read_frame(path) for path in paths]
    task = task or task_of(paths, frames)
    by_id = frames if task is None else [TASKS[task].comparison.by_id(frame) for frame in frames]
    columns = list(by_id[0].columns[1:])
    tables = []
    for path, frame in zip(paths, by_id, strict=True):
        if set(frame.columns[1:]) != set(columns) or not columns:
            raise InputError(
                f"expected the columns of {paths[0]} ({', '.join(columns) or 'none beside the ids'}) in {path}, found "
                f"{', '.join(frame.columns[1:]) or 'none beside the ids'}"
            )
        tables.append(joined(frame, by_id[0], (str(path), str(paths[0])))[0][columns])
    return Submissions(paths, frames, tables, task)


def task_of(paths: Sequence[Path], frames: Sequence[pd.DataFrame]) -> str | None:
    """The one task of several files, by the histories beside them, else by what their columns and cells can only be.

    None where nothing tells. Raises InputError where they differ.
    """
    known = [(path, task) for path in paths if (task := noted_task(path))]
    if not known:
        known = [(path, task) for path, frame in zip(paths, frames, strict=True) if (task := told_task(frame))]
    for path, task in known[1:]:
        if task != known[0][1]:
            raise InputError(
                f"expected submissions of one task, found {known[0][1]} in {known[0][0]} and {task} in {path}; compare "
                "those of one, or say --task"
            )
    return known[0][1] if known else None


def noted_task(path: Path) -> str | None:
    """The task of the run that wrote a file, as the history beside it says; None where that does not know the file."""
    content = content_hash(path)
    with suppress(InputError):  # a damaged history
        for row in reversed(read_history(path.parent)):
            if row["content_hash"] == content and row["task"] in TASKS:
                return row["task"]
    return None


def told_task(frame: pd.DataFrame) -> str | None:
    """The only task that a submission can be of by its columns and cells; None where none or several claim it."""
    told = [name for name, task in TASKS.items() if task.comparison.tells(frame.iloc[:, 1:])]
    return told[0] if len(told) == 1 else None


def with_merged(submissions: Submissions, path: Path, merged: pd.DataFrame, how: str) -> Submissions:
    """The submissions, and last the one at `path` that was merged from them."""
    by_id = TASKS[str(submissions.task)].comparison.by_id
    table = joined(by_id(merged), by_id(submissions.frames[0]))[0]
    return replace(
        submissions,
        paths=[*submissions.paths, path],
        frames=[*submissions.frames, merged],
        tables=[*submissions.tables, table],
        merge=how,
    )


def read_truth(path: Path, submissions: Submissions) -> pd.DataFrame:
    """The truth's cells by id (in NFC), of the submissions' columns; an id may have several rows."""
    table = read_frame(path)
    ids = pd.Index([unicodedata.normalize("NFC", cell) for cell in table.iloc[:, 0]])
    return table.set_index(ids)[[column for column in submissions.tables[0] if column in table]]


def figures(scores: Sequence[Sequence[Score]]) -> list[tuple[str, ...]]:
    """A row a score: its name, its figure for each submission, and what computed it."""
    kinds = dict.fromkeys((score.name, score.by) for of_file in scores for score in of_file)
    by_name = [{score.name: f"{score.value:.4g}" for score in of_file} for of_file in scores]
    return [(name, *(of_file.get(name, "") for of_file in by_name), by) for name, by in kinds]


def _is_decimal(cell: str) -> bool:
    """Whether a cell is a number as scores are written: with a point."""
    return "." in cell and isinstance(value_of(cell), float)


def value_of(cell: str) -> str | float:
    """What a cell says, however it is written: a finite number, or text in NFC."""
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    return number if math.isfinite(number) else unicodedata.normalize("NFC", cell.strip())
