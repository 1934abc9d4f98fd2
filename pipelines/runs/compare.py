"""`compare`: where submissions differ, what each scores, and one submission that merges them."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from pipelines.core.config import DataConfig, load_config
from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_samples
from pipelines.core.places import HISTORY, Place, check
from pipelines.core.submission.scores import Score
from pipelines.core.submission.writing import check_writable, write_whole
from pipelines.core.table import print_table
from pipelines.runs.history import note_merge
from pipelines.runs.merging import AVERAGES, merged, write_merged
from pipelines.runs.submissions import Submissions, figures, read_submissions, read_truth, with_merged
from pipelines.tasks import TASKS

ROWS_SHOWN = 10


def main(words: Sequence[str]) -> int:
    """`python -m pipelines compare A.csv B.csv ...`. Raises SuiteError."""
    given = _given(words)
    submissions = read_submissions(given.submissions, given.task)
    differing = submissions.differing_rows()
    shown = submissions
    if given.merge:
        table = merged(submissions, given.merge)
        write_merged(given.output, table)
        settings = {"merge": given.merge, "of": [str(path) for path in submissions.paths]}
        note_merge(str(submissions.task), given.output, len(table), settings)
        shown = with_merged(submissions, given.output, table, given.merge)
    truth = read_truth(given.truth, submissions) if given.truth else None
    scores = evaluated(shown.paths, shown.task, given.truth) if given.truth else []
    if given.html:
        from pipelines.runs.compare_page import page  # decodes photos: torch and OpenCV

        photos = _photos(given.images, submissions) if given.images else None
        write_whole(given.html, page(shown, differing, truth, scores, photos))
    _show(shown, differing, truth, scores)
    return 0


def evaluated(paths: Sequence[Path], task: str | None, truth: Path) -> list[Sequence[Score]]:
    """The scores of each submission, as `evaluate` with its default settings gives them. Raises InputError."""
    if task is None:
        raise InputError(f"expected columns that tell the task of {paths[0]}, found none; say --task")
    scoring = TASKS[task].scoring()
    settings = [load_config(None, scoring.settings, {"submission": path, "truth": truth}) for path in paths]
    return [scoring.evaluate(of_file).scores for of_file in settings]


def _given(words: Sequence[str]) -> argparse.Namespace:
    """The words, read and checked before any work. Raises ConfigError for files that would be written over."""
    parser = argparse.ArgumentParser(prog="python -m pipelines compare", allow_abbrev=False)
    parser.add_argument("submissions", nargs="+", type=Path, metavar="CSV", help="two submissions or more")
    parser.add_argument("--truth", type=Path, help="CSV to score them against")
    parser.add_argument("--task", choices=list(TASKS), help="where neither the history nor the columns tell it")
    parser.add_argument("--images", type=Path, help="folder of the photos, for the page")
    parser.add_argument("--html", type=Path, help="page to write: the rows that differ, with their photos")
    parser.add_argument(
        "--merge",
        choices=["majority", *AVERAGES],
        help="one submission of all: majority (the commonest; scores by their mean), mean, median (counts, scores), or "
        "ranks (mean of the scores' ranks, where their scales differ; of rankings the sum of 1 / (60 + rank))",
    )
    parser.add_argument("--output", type=Path, help="the merged submission to write")
    given = parser.parse_intermixed_args(words)
    if (given.merge is None) != (given.output is None):
        parser.error("expected --merge and --output together")
    if given.images and not given.html:
        parser.error("expected --html with --images: the page that shows the photos")
    outputs = {"--output": given.output, "--html": given.html}
    if given.output:
        outputs["the history of --output"] = given.output.parent / HISTORY
    inputs = [Place("a submission", path) for path in given.submissions]
    inputs += [Place("--truth", given.truth)] if given.truth else []
    inputs += [Place("--images", given.images, pictures=True)] if given.images else []
    check([Place(what, path) for what, path in outputs.items() if path], inputs)
    for path in filter(None, (given.output, given.html)):
        check_writable(path)
    return given


def _photos(images: Path, submissions: Submissions) -> Mapping[str, Path]:
    """Id -> file of the photos of a folder. Raises InputError."""
    samples = read_samples(DataConfig(images=images, sample_submission=submissions.paths[0]))
    return {str(key): it.path for key, it in zip(submissions.tables[0].index, samples, strict=True)}


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
