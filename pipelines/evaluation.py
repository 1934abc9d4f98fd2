"""`evaluate`: the scores of submissions against their truth, as one table."""

import importlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipelines.core.errors import InputError
from pipelines.core.images import read_table

SUBMISSIONS, TRUTHS = Path("submissions"), Path("samples")


def evaluate(tasks: Sequence[str], submission: Path | None = None, truth: Path | None = None) -> None:
    """Prints a table of the scores of one task, or of those among several that have a submission.

    Raises InputError where a file is missing or the ids differ.
    """
    if len(tasks) > 1:
        if submission or truth:
            raise InputError("expected a task's name before --submission or --truth, found none; say whose they are")
        tasks = [task for task in tasks if (SUBMISSIONS / f"{task}.csv").exists()]
        if not tasks:
            raise InputError(
                f"expected submissions such as {SUBMISSIONS / 'caption.csv'}, found none; make submissions"
            )
    rows: list[tuple[str, str, str]] = []
    for task in tasks:
        module = importlib.import_module(f"pipelines.{task}.evaluate")
        scores: dict[str, float] = module.scores(
            _frame(submission or SUBMISSIONS / f"{task}.csv"), _frame(truth or TRUTHS / task / "truth.csv")
        )
        rows += [(task, name, f"{value:.4g}") for name, value in scores.items()]
    _print_table([("task", "score", "value"), *rows])


def _frame(path: Path) -> pd.DataFrame:
    table = read_table(path)
    return pd.DataFrame(table.rows, columns=table.columns, dtype=str)


def _print_table(rows: list[tuple[str, str, str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for number, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
