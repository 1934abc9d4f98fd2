"""Scores photo search: how far up the photo stands that a caption was written of."""

import statistics
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipelines.core.config import schema
from pipelines.core.errors import InputError
from pipelines.core.submission.columns import read_numbers
from pipelines.core.submission.scores import Evaluation, Score
from pipelines.core.submission.truth import read_frame

DEPTHS = (1, 5, 10)
OURS = "ours"


@schema
class SearchScoring:
    """The settings of the evaluation of search results."""

    submission: Path
    """CSV of the results: `caption,image,score`, a row for each photo found for a caption; the highest is best."""
    truth: Path
    """CSV `image,caption`: the photos that the captions were written of, one or more captions a photo."""
    columns: Sequence[str] = ("caption",)
    """The truth's columns that were asked, such as caption and english; with several, each is scored by itself."""
    worst: int = 5
    """How many of the captions whose photo stands lowest are shown (0 or more)."""

    def __post_init__(self) -> None:
        if self.worst < 0:
            raise ValueError(f"worst is 0 or more, not {self.worst}")
        if not self.columns:
            raise ValueError("columns has at least one column of the truth, found none")


def evaluate(settings: SearchScoring) -> Evaluation:
    """Scores the results. Raises InputError."""
    truth = read_frame(settings.truth)
    ranks = right_ranks(read_frame(settings.submission), truth, settings.columns)
    names = {column: f" {column}" if len(ranks) > 1 else "" for column in ranks}
    everywhere = {caption: rank for of_column in ranks.values() for caption, rank in of_column.items()}
    return Evaluation(
        [score for column, found in ranks.items() for score in scores(list(found.values()), names[column])],
        details={"ranks": everywhere},
    )


def scores(ranks: Sequence[int], of: str = "") -> list[Score]:
    """Recall at 1, 5 and 10 (shares, 0 to 1), the mean of 1 / rank, and the median rank (1 is best).

    `of` ends their names, where there are several of each.
    """
    recalls = {f"recall@{depth}": statistics.fmean(rank <= depth for rank in ranks) for depth in DEPTHS}
    places = {"MRR": statistics.fmean(1 / rank for rank in ranks), "median rank": float(statistics.median(ranks))}
    return [Score(name + of, value, OURS) for name, value in (recalls | places).items()]


def right_ranks(
    results: pd.DataFrame, truth: pd.DataFrame, columns: Sequence[str] = ("caption",)
) -> dict[str, dict[str, int]]:
    """For each column and each caption in it the rank, from 1, of the best placed photo that it was written of.

    `results` has the columns caption, image and score, `truth` the id first and `columns`; both hold text. A photo that
    is not among the results stands right after them; of equal scores the earlier row is first. Raises InputError for
    missing columns, captions without results, results for other captions, or scores that are no numbers.
    """
    _check_columns(results, ("caption", "image", "score"), "submission")
    _check_columns(truth, columns, "truth")
    right = {column: right_images(truth, column) for column in columns}
    asked = {caption for captions in right.values() for caption in captions}
    found_for = ranked(results)
    for where, extra in (("truth", asked - found_for.keys()), ("submission", found_for.keys() - asked)):
        if extra:
            some = ", ".join(repr(caption) for caption in sorted(extra)[:3])
            raise InputError(
                f"expected the same captions in submission and truth, found {len(extra)} only in the {where}, "
                f"such as {some}"
            )
    if not asked:
        raise InputError("expected rows in the truth, found none")
    return {
        column: {caption: _rank(found_for[caption], images) for caption, images in captions.items()}
        for column, captions in right.items()
    }


def ranked(results: pd.DataFrame) -> dict[str, list[str]]:
    """Caption -> its images, the best first; of equal scores the earlier row is first; all in NFC.

    `results` has the columns caption, image and score, as text. Raises InputError for others, and for scores that are
    no numbers.
    """
    _check_columns(results, ("caption", "image", "score"), "submission")
    table = _nfc(results)
    table["score"] = read_numbers(table, "score", "submission")
    ordered = table.sort_values("score", ascending=False, kind="stable")
    found: dict[str, list[str]] = {str(caption): [] for caption in table["caption"]}
    for caption, image in zip(ordered["caption"], ordered["image"], strict=True):
        found[caption].append(image)
    return found


def right_images(truth: pd.DataFrame, column: str) -> dict[str, set[str]]:
    """Each text of a column of a truth -> the images that it was written of, all in NFC."""
    table = _nfc(truth)
    return {str(caption): set(rows[table.columns[0]]) for caption, rows in table.groupby(column, sort=False)}


def _check_columns(table: pd.DataFrame, wanted: Sequence[str], name: str) -> None:
    if any(column not in table.columns for column in wanted):
        found = ", ".join(map(str, table.columns))
        raise InputError(f"expected the columns {', '.join(wanted)} in the {name}, found {found}")


def _nfc(table: pd.DataFrame) -> pd.DataFrame:
    """With all cells in NFC: a name or caption typed on a Mac may have its Hangul in parts, and is the same."""
    same: pd.DataFrame = table.apply(lambda column: column.map(lambda cell: unicodedata.normalize("NFC", str(cell))))
    return same


def _rank(images: Sequence[str], right: set[str]) -> int:
    """The place of the first right image, or the one after the last."""
    return next((place for place, image in enumerate(images, start=1) if image in right), len(images) + 1)
