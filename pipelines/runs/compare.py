"""`compare`: where submissions differ, what each scores, and one submission that merges them."""

import argparse
import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.core.config import DataConfig, load_config
from pipelines.core.errors import ConfigError, InputError
from pipelines.core.images.samples import read_samples
from pipelines.core.submission.scores import Score
from pipelines.core.submission.truth import read_frame
from pipelines.core.submission.writing import check_writable, write_whole
from pipelines.core.table import print_table
from pipelines.runs.history import note_merge
from pipelines.runs.submissions import Submissions, figures, read_submissions, read_truth, value_of

ROWS_SHOWN = 10
SCALES_DIFFER = 2
"""Scores whose ranges differ by more than this factor do not weigh the same in a mean; a line says so."""

_Floats = npt.NDArray[np.float64]
Evaluations = Mapping[str, Callable[[], tuple[Any, Any]]]
"""Task -> what gives the settings class of its evaluation and its evaluate function."""


def evaluated(paths: Sequence[Path], task: str | None, truth: Path, evaluations: Evaluations) -> list[Sequence[Score]]:
    """The scores of each submission, as `evaluate` with its default settings gives them. Raises InputError."""
    if task is None:
        raise InputError(f"expected columns that tell the task of {paths[0]}, found none; say --task")
    kind, evaluate = evaluations[task]()
    return [evaluate(load_config(None, kind, {"submission": path, "truth": truth})).scores for path in paths]


def merged(submissions: Submissions, how: str) -> pd.DataFrame:
    """One table of what all of them say, cell by cell.

    Captions and labels: the commonest, the earlier file's where two are equally common. Counts: the commonest, or the
    mean or median rounded half up. Scores: the mean, the median, or the mean of their ranks (0 to 1) where their scales
    differ; they are decimals, on which no vote can be held, so `majority` takes their mean. Raises ConfigError where a
    column cannot be merged so, InputError where a cell is no number.
    """
    tables, task = submissions.tables, submissions.task
    if task not in ("caption", "detect", "anomaly"):
        raise ConfigError(
            f"expected submissions of caption, detect or anomaly to merge, found {task or 'columns that do not tell'}; "
            "say --task"
        )
    if (task == "caption" and how != "majority") or (how == "ranks" and "score" not in tables[0]):
        raise ConfigError(f"expected {'scores' if how == 'ranks' else 'numbers'} for --merge {how}; use majority")
    result = tables[0].copy()
    for column in map(str, tables[0].columns):
        if task == "anomaly" and column == "score":
            values = _numbers(submissions, column)
            _warn_of_scales(submissions, values, how)
            result[column] = [f"{value:.6f}" for value in AVERAGES.get(how, _mean)(values)]
        elif task == "detect" and how != "majority":
            values = AVERAGES[how](_numbers(submissions, column))
            result[column] = [str(math.floor(value + 0.5)) for value in values]
        else:
            cells = zip(*(table[column] for table in tables), strict=True)
            result[column] = [commonest(of_row) for of_row in cells]
    return result


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


def write_merged(path: Path, submissions: Submissions, table: pd.DataFrame) -> None:
    """Writes a merged table with the first submission's ids, verbatim, columns and order, whole or not at all."""
    ids = read_frame(submissions.paths[0])[submissions.key]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([submissions.key, *table.columns])
    writer.writerows([key, *row] for key, row in zip(ids, table.to_numpy().tolist(), strict=True))
    write_whole(path, text.getvalue())


def main(words: Sequence[str], evaluations: Evaluations) -> int:
    """`python -m pipelines compare A.csv B.csv ...`. Raises SuiteError."""
    parser = argparse.ArgumentParser(prog="python -m pipelines compare", allow_abbrev=False)
    parser.add_argument("submissions", nargs="+", type=Path, metavar="CSV", help="two submissions or more")
    parser.add_argument("--truth", type=Path, help="CSV to score them against")
    parser.add_argument("--task", choices=list(evaluations), help="where the columns do not tell it")
    parser.add_argument("--images", type=Path, help="folder of the photos, for the page")
    parser.add_argument("--html", type=Path, help="page to write: the rows that differ, with their photos")
    parser.add_argument(
        "--merge",
        choices=["majority", *AVERAGES],
        help="one submission of all: majority (the commonest; scores by their mean), mean, median (counts, scores), or "
        "ranks (mean of the scores' ranks, where their scales differ)",
    )
    parser.add_argument("--output", type=Path, help="the merged submission to write")
    given = parser.parse_intermixed_args(words)
    if (given.merge is None) != (given.output is None):
        parser.error("expected --merge and --output together")
    if given.images and not given.html:
        parser.error("expected --html with --images: the page that shows the photos")
    for path in filter(None, (given.output, given.html)):
        if path.resolve() in [other.resolve() for other in (*given.submissions, given.truth) if other]:
            raise ConfigError(f"expected a new file to write, found {path}, which is compared; name another")
        check_writable(path)
    submissions = read_submissions(given.submissions, given.task)
    differing = submissions.differing_rows()
    shown = submissions
    if given.merge:
        table = merged(submissions, given.merge)
        write_merged(given.output, submissions, table)
        settings = {"merge": given.merge, "of": [str(path) for path in submissions.paths]}
        note_merge(str(submissions.task), given.output, len(table), settings)
        paths, tables = [*submissions.paths, given.output], [*submissions.tables, table]
        shown = replace(submissions, paths=paths, tables=tables, merge=given.merge)
    truth = read_truth(given.truth, submissions) if given.truth else None
    scores = evaluated(shown.paths, shown.task, given.truth, evaluations) if given.truth else []
    if given.html:
        from pipelines.runs.compare_page import page  # decodes photos: torch and OpenCV

        photos = None
        if given.images:
            samples = read_samples(DataConfig(images=given.images, sample_submission=submissions.paths[0]))
            photos = {str(key): it.path for key, it in zip(submissions.tables[0].index, samples, strict=True)}
        write_whole(given.html, page(shown, differing, truth, scores, photos))
    _show(shown, differing, truth, scores)
    return 0


def _show(
    submissions: Submissions, differing: pd.DataFrame, truth: pd.DataFrame | None, scores: Sequence[Sequence[Score]]
) -> None:
    """The comparison on the terminal: the files, their scores, how much differs, and the first rows that do."""
    for letter, path in zip(submissions.letters, submissions.paths, strict=True):
        print(f"{letter}  {path}" + (f" ({submissions.merge} of the others)" if submissions.is_merged(letter) else ""))
    if scores:
        print()
        header = (str(submissions.task), *submissions.letters, "by")
        print_table([header, *figures(scores)])
    cells = submissions.differing().sum()
    by_column = ", ".join(f"{column} {count}" for column, count in cells.items() if count)
    print(f"\n{len(differing)} of {len(submissions.tables[0])} rows differ" + (f" ({by_column})" if by_column else ""))
    named = len(differing.columns) > 1
    for key, row in differing.head(ROWS_SHOWN).iterrows():
        columns = [column for column in row.index if row[column]]
        print(f"  {key}")
        if truth is not None and key in truth.index:
            print(f"    =  {_cells(truth.loc[[key]], columns, named)}")
        for letter, table in zip(submissions.letters, submissions.tables, strict=True):
            print(f"    {letter}  {_cells(table.loc[[key]], columns, named)}")
    if len(differing) > ROWS_SHOWN:
        print(f"  and {len(differing) - ROWS_SHOWN} more: --html FILE shows them")


def _cells(rows: pd.DataFrame, columns: Sequence[str], named: bool) -> str:
    """What the rows of one id say, on one line."""
    found = {column: " | ".join(rows[column]) for column in columns if column in rows}
    return ", ".join(f"{column} {text}" if named else text for column, text in found.items())


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
