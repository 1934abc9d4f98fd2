"""Scores counts against the truth, beside what one would score who always says one, and boxes by their precision."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.core.config import schema
from pipelines.core.errors import InputError
from pipelines.core.submission.scores import Evaluation, Score, by
from pipelines.core.submission.truth import joined, read_frame
from pipelines.core.words.lexicon import read_lexicon
from pipelines.detect.average_precision import Precision, average_precision, read_results
from pipelines.detect.prompts import Vocabulary, to_english

BASELINE = ("exact", "within_one", "mae", "rmse")

Counts = npt.NDArray[np.float64]


@schema
class DetectScoring:
    """The settings of the evaluation of counts and boxes."""

    submission: Path
    """CSV to score."""
    truth: Path
    """CSV with the true counts, of the same ids and columns."""
    boxes: Path | None = None
    """The boxes of the same run, as its `--boxes boxes.json` wrote them; with `truth_boxes` they give the mAP."""
    truth_boxes: Path | None = None
    """COCO ground truth JSON; what was not asked for does not count."""
    worst: int = 5
    """How many of the photos whose counts are the farthest off are shown (0 or more)."""

    def __post_init__(self) -> None:
        if (self.boxes is None) != (self.truth_boxes is None):
            raise ValueError("boxes and truth_boxes belong together, found one of them")
        if self.worst < 0:
            raise ValueError(f"worst is 0 or more, not {self.worst}")


def evaluate(settings: DetectScoring) -> Evaluation:
    """Scores a submission's counts and, where they are given, its boxes; a line for each class. Raises InputError."""
    said, true = aligned(read_frame(settings.submission), read_frame(settings.truth))
    found = [Score(name, value, by("numpy")) for name, value in scores(said, true).items()]
    by_class = {column: figures(to_counts(said[[column]]), to_counts(true[[column]])) for column in true.columns}
    lines = []
    if settings.boxes is not None and settings.truth_boxes is not None:
        asked = asked_of(settings.submission, list(true.columns))
        results = read_results(settings.boxes) if settings.boxes.exists() else None
        if results is None:
            lines.append(f"no mAP: there is no {settings.boxes}, which a run writes that is given it as --boxes")
        elif not counted(results, said, asked):
            lines.append(f"no mAP: the boxes in {settings.boxes} are not those that {settings.submission} counts")
        else:
            mean, precisions = average_precision(results, settings.truth_boxes, asked, list(true.index))
            found += [Score(name, value, by("pycocotools")) for name, value in _named(mean).items()]
            for column in by_class.keys() & asked.keys():
                if asked[column] in precisions:
                    by_class[column] |= _named(precisions[asked[column]])
    return Evaluation(found, [*lines, *_lines(by_class)], {"by_class": by_class})


def aligned(submission: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables of text with the truth's rows and columns, joined by their first column, the id, which is the index.

    Raises InputError where ids or columns differ.
    """
    said, true = joined(submission, truth)
    lacking = [column for column in true.columns if column not in said.columns]
    if lacking or true.columns.empty:
        raise InputError(
            f"expected the truth's columns {', '.join(true.columns)} in the submission, found {', '.join(said.columns)}"
        )
    return said[true.columns], true


def scores(said: pd.DataFrame, true: pd.DataFrame) -> dict[str, float]:
    """`figures` over all cells (image, prompt) of two aligned tables, and the baseline's, named always_one_*.

    Raises InputError for a cell that is no number.
    """
    counts, expected = to_counts(said), to_counts(true)
    ones = figures(np.ones_like(expected), expected)
    return figures(counts, expected) | {f"always_one_{name}": ones[name] for name in BASELINE}


def figures(said: Counts, true: Counts) -> dict[str, float]:
    """How far counts are from the truth.

    Shares that are exact and at most one off, mean absolute error, root mean square error and bias (said minus true);
    of the cells where there is something the share that is exact, of those where there is nothing the share of zeros.
    Mostly there is nothing, so that the other figures flatter who finds little; without such cells the share is left
    out.
    """
    errors = said - true
    right, present = errors == 0, true > 0
    shares = {"exact_present": right[present], "zero_absent": right[~present]}
    return {
        "exact": float(right.mean()),
        "within_one": float((np.abs(errors) <= 1).mean()),
        "mae": float(np.abs(errors).mean()),
        "rmse": float(np.sqrt((errors**2).mean())),
        "bias": float(errors.mean()),
        **{name: float(cells.mean()) for name, cells in shares.items() if cells.size},
    }


def asked_of(submission: Path, columns: Sequence[str]) -> dict[str, str]:
    """Column or prompt -> the English that the detector was asked: by the run record, else the lexicon's of columns.

    Raises InputError where the file beside the submission is no run record, or the lexicon lacks a column.
    """
    record = submission.with_suffix(".json")
    if not record.exists():
        words = to_english(columns, Vocabulary(read_lexicon()), translate=None)
        return {column: words[column].text for column in columns}
    try:
        prompts = json.loads(record.read_text(encoding="utf-8"))["run"]["prompts"]
        english: dict[str, str] = {prompt: it["english"] for prompt, it in prompts.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise InputError(f"expected the run record of a detect run in {record}, found another file") from None
    # A single prompt's column is `count`, or whatever the sample calls it.
    return dict(zip(columns, english.values(), strict=True)) if len(columns) == len(english) == 1 else english


def counted(results: Sequence[Mapping[str, Any]], said: pd.DataFrame, asked: Mapping[str, str]) -> bool:
    """Whether a submission by its ids counts these boxes, image by image; boxes may be left of another run."""
    boxes = Counter[tuple[object, str]]((normalize("NFC", str(box["image_id"])), box["category"]) for box in results)
    return all(
        float(number) == boxes[key, asked[column]]
        for column in said.columns
        if column in asked
        for key, number in said[column].items()
    )


def to_counts(table: pd.DataFrame) -> Counts:
    """float64 (rows, columns) of a table of text. Raises InputError for a cell that is no finite number."""
    try:
        counts = table.to_numpy(dtype=np.float64)
    except ValueError as error:
        raise InputError(f"expected counts as numbers in the columns {', '.join(table.columns)}: {error}") from None
    if not np.isfinite(counts).all():
        raise InputError(
            f"expected counts as numbers in the columns {', '.join(table.columns)}, found empty or infinite ones"
        )
    return counts


def _named(precision: Precision) -> dict[str, float]:
    return {"mAP": precision.ap, "mAP50": precision.ap50}


def _lines(by_class: dict[str, dict[str, float]]) -> list[str]:
    """A line for each class, with what counts most."""
    shown = ("mae", "bias", "exact_present", "zero_absent", "mAP50")
    return [
        f"{name}: " + ", ".join(f"{figure} {found[figure]:.3g}" for figure in shown if figure in found)
        for name, found in by_class.items()
    ]
