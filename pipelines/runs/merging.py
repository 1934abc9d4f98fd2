"""Merges submissions into one: votes on answers, averages of numbers, fused rankings."""

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.core.errors import ConfigError, InputError
from pipelines.core.submission.writing import write_whole
from pipelines.runs.submissions import Submissions, value_of
from pipelines.tasks import TASKS

SCALES_DIFFER = 2
"""Scores whose ranges differ by more than this factor do not weigh the same in a mean; a line says so."""

_Floats = npt.NDArray[np.float64]


def merged(submissions: Submissions, how: str) -> pd.DataFrame:
    """One submission of what all of them say, with the ids, the order and the columns of the first.

    By what a column holds. Texts and labels: the commonest, the earlier file's where two are equally common. Counts:
    the commonest, or the mean or median rounded half up. Scores: the mean, the median, or the mean of their ranks (0 to
    1) where their scales differ; they are decimals, on which no vote can be held, so `majority` takes their mean.
    Rankings: by `ranks` alone. Raises ConfigError where they cannot be merged so, InputError where a cell is no number.
    """
    if submissions.task is None:
        raise ConfigError("expected submissions of a known task to merge, found columns that do not tell; say --task")
    if (fused := TASKS[submissions.task].comparison.merge) is not None:
        if how != "ranks":
            raise ConfigError(f"expected rankings to be merged by ranks, found --merge {how}; use ranks")
        return fused(submissions.frames)
    kinds = {str(column): submissions.kind(str(column)) for column in submissions.tables[0]}
    if how == "ranks" and "score" not in kinds.values():
        raise ConfigError("expected scores for --merge ranks, found none; use majority")
    if how != "majority" and set(kinds.values()) == {"text"}:
        raise ConfigError(f"expected numbers for --merge {how}, found texts; use majority")
    result = submissions.frames[0].copy()
    for column, kind in kinds.items():
        result[column] = _column(submissions, column, kind == "score", kind == "count", how)
    return result


def _column(submissions: Submissions, column: str, scores: bool, counts: bool, how: str) -> list[str]:
    if scores:
        values = _numbers(submissions, column)
        _warn_of_scales(submissions, values, how)
        return [f"{value:.6f}" for value in AVERAGES.get(how, _mean)(values)]
    if counts and how != "majority":
        values = AVERAGES[how](_numbers(submissions, column))
        return [str(math.floor(value + 0.5)) for value in values]
    return [commonest(of_row) for of_row in zip(*(table[column] for table in submissions.tables), strict=True)]


def commonest(cells: Sequence[str]) -> str:
    """The cell that most of them are, as it is first written; the earliest where several are equally common."""
    values = [value_of(cell) for cell in cells]
    winner, _ = Counter(values).most_common(1)[0]  # in the order of their first appearance, where they are even
    return cells[values.index(winner)]


def _mean(values: _Floats) -> _Floats:
    return np.asarray(values.mean(axis=0), dtype=np.float64)


def _median(values: _Floats) -> _Floats:
    return np.asarray(np.median(values, axis=0), dtype=np.float64)


def _mean_rank(values: _Floats) -> _Floats:
    ranks = pd.DataFrame(values.T).rank(pct=True)
    return np.asarray(ranks.mean(axis=1), dtype=np.float64)


AVERAGES: Mapping[str, Callable[[_Floats], _Floats]] = {"mean": _mean, "median": _median, "ranks": _mean_rank}
"""What becomes of numbers (file, row): one a row."""


def write_merged(path: Path, table: pd.DataFrame) -> None:
    """Writes a merged submission, whole or not at all."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.to_numpy().tolist())
    write_whole(path, text.getvalue())


def _numbers(submissions: Submissions, column: str) -> _Floats:
    """A column of all submissions as numbers (file, row)."""
    for path, table in zip(submissions.paths, submissions.tables, strict=True):
        for key, cell in table[column].items():
            if isinstance(value_of(cell), str):
                raise InputError(f"expected numbers in column `{column}` of {path}, found {cell!r} for {key!r}")
    return np.array([table[column].astype(float) for table in submissions.tables])


def _warn_of_scales(submissions: Submissions, values: _Floats, how: str) -> None:
    ranges = np.ptp(values, axis=1)
    if how != "ranks" and ranges.max() > SCALES_DIFFER * ranges.min():
        spans = (
            f"{letter} {row.min():.3g} to {row.max():.3g}"
            for letter, row in zip(submissions.letters, values, strict=True)
        )
        print(f"the scores have different scales ({', '.join(spans)}): --merge ranks lets each weigh the same\n")
