"""Submissions beside one another: their cells, and what each scores."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

import pandas as pd

from pipelines.core.errors import InputError
from pipelines.core.submission.scores import Score
from pipelines.core.submission.truth import joined, read_frame


@dataclass(frozen=True)
class Submissions:
    """Submissions of the same ids and columns; the first one decides on their order."""

    paths: Sequence[Path]
    tables: Sequence[pd.DataFrame]
    """Their cells as text, all indexed by the ids (in NFC) of the first, with its columns."""
    key: str
    """The name of the id column."""
    task: str | None
    """None where the columns do not tell."""
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
        """The rows of `differing` that count: with labels at hand, two raw scores of one label are no difference."""
        cells = self.differing()
        decisive = cells.columns.drop("score") if {"label", "score"} <= set(cells.columns) else cells.columns
        return cells[cells[decisive].any(axis=1)]


def read_submissions(paths: Sequence[Path], task: str | None = None) -> Submissions:
    """Reads submissions whose first column is the id. Raises InputError where their ids or columns differ."""
    if not 2 <= len(paths) <= len(ascii_uppercase):
        raise InputError(f"expected 2 to {len(ascii_uppercase)} submissions to compare, found {len(paths)}")
    frames = [read_frame(path) for path in paths]
    key, *columns = frames[0].columns
    tables = []
    for path, frame in zip(paths, frames, strict=True):
        if set(frame.columns[1:]) != set(columns) or not columns:
            raise InputError(
                f"expected the columns of {paths[0]} ({', '.join(columns) or 'none beside the ids'}) in {path}, found "
                f"{', '.join(frame.columns[1:]) or 'none beside the ids'}"
            )
        tables.append(joined(frame, frames[0], (str(path), str(paths[0])))[0][columns])
    return Submissions(paths, tables, key, task or told(tables[0]))


def told(table: pd.DataFrame) -> str | None:
    """The task that the columns of a submission tell: counts are whole numbers of 0 or more in every cell."""
    if "caption" in table:
        return "caption"
    if "label" in table or "score" in table:
        return "anomaly"
    return "detect" if all(cell.strip().isdecimal() for cell in table.to_numpy().flat) else None


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


def value_of(cell: str) -> str | float:
    """What a cell says, however it is written: a finite number, or text in NFC."""
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    return number if math.isfinite(number) else unicodedata.normalize("NFC", cell.strip())
