"""Scores counts against the truth, beside what one would score who always says one."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.core.config import schema
from pipelines.core.errors import InputError
from pipelines.core.scores import Evaluation, Score, by
from pipelines.core.truth import joined, read_frame

_Counts = npt.NDArray[np.float64]


@schema
class DetectScoring:
    """The settings of the evaluation of counts."""

    submission: Path
    """CSV to score."""
    truth: Path
    """CSV with the true counts, of the same ids and columns."""


def evaluate(settings: DetectScoring) -> Evaluation:
    """Scores a submission's counts. Raises InputError."""
    found = scores(read_frame(settings.submission), read_frame(settings.truth))
    return Evaluation([Score(name, value, by("numpy")) for name, value in found.items()])


def scores(submission: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Share of exact counts, mean absolute error and root mean square error over all cells (image, prompt).

    Both tables hold text; their first column is the id, by which rows are joined. The baseline's scores are named
    always_one_*. Raises InputError where ids or columns differ, or a cell is no number.
    """
    found, wanted = joined(submission, truth)
    lacking = [column for column in wanted.columns if column not in found.columns]
    if lacking or wanted.columns.empty:
        raise InputError(
            f"expected the truth's columns {', '.join(wanted.columns)} in the submission, "
            f"found {', '.join(found.columns)}"
        )
    counts, expected = _counts(found[wanted.columns]), _counts(wanted)
    baseline = {f"always_one_{name}": value for name, value in _errors(np.ones_like(expected), expected).items()}
    return _errors(counts, expected) | baseline


def _errors(counts: _Counts, expected: _Counts) -> dict[str, float]:
    errors = np.abs(counts - expected)
    return {
        "exact": float((errors == 0).mean()),
        "mae": float(errors.mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
    }


def _counts(table: pd.DataFrame) -> _Counts:
    try:
        counts = table.to_numpy(dtype=np.float64)
    except ValueError as error:
        raise InputError(f"expected counts as numbers in the columns {', '.join(table.columns)}: {error}") from None
    if not np.isfinite(counts).all():
        raise InputError(
            f"expected counts as numbers in the columns {', '.join(table.columns)}, found empty or infinite ones"
        )
    return counts
