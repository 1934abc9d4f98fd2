"""Scores anomaly submissions against a truth: ranking by `score`, decisions by `label`."""

import math
from pathlib import Path

import pandas as pd
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, roc_auc_score

from pipelines.core.config import schema
from pipelines.core.errors import InputError
from pipelines.core.scores import Evaluation, Score, by
from pipelines.core.truth import joined, read_frame


@schema
class AnomalyScoring:
    """The settings of the evaluation of anomaly scores and labels."""

    submission: Path
    """CSV to score, with a column `score` or `label` or both."""
    truth: Path
    """CSV with the true `label` of each image, 0 or 1."""


def evaluate(settings: AnomalyScoring) -> Evaluation:
    """Scores a submission's ranking and labels. Raises InputError."""
    found = scores(read_frame(settings.submission), read_frame(settings.truth))
    return Evaluation([Score(name, value, by("scikit-learn")) for name, value in found.items()])


def scores(submission: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    """Image AUROC and average precision of `score`, accuracy and macro-F1 of `label` at the pipeline's own threshold.

    Each is from 0 to 1. Both frames have the id first; the truth's `label` is 0 or 1, 1 for an anomaly. What the
    submission has no column for is left out. Raises InputError where neither column is there, the ids differ, or the
    truth has one class only.
    """
    said, true = joined(submission, truth)
    labels = _numbers(true, "label", "truth").astype(int)
    classes = sorted(labels.unique().tolist())
    if classes != [0, 1]:
        raise InputError(f"expected the labels 0 and 1 in the truth, found {classes}")
    found: dict[str, float] = {}
    if "score" in said:
        values = _numbers(said, "score", "submission")
        found |= {"image AUROC": roc_auc_score(labels, values), "AP": average_precision_score(labels, values)}
    if "label" in said:
        own = _numbers(said, "label", "submission").astype(int)
        found |= {"accuracy": accuracy_score(labels, own), "macro-F1": f1_score(labels, own, average="macro")}
    if not found:
        raise InputError(f"expected a column `score` or `label` in the submission, found {', '.join(said.columns)}")
    return {name: float(value) for name, value in found.items()}


def _numbers(frame: pd.DataFrame, column: str, name: str) -> pd.Series:
    if column not in frame:
        raise InputError(f"expected a column `{column}` in the {name}, found {', '.join(frame.columns)}")
    for key, cell in frame[column].items():
        try:
            usable = math.isfinite(float(cell))
        except (TypeError, ValueError):
            usable = False
        if not usable:
            raise InputError(f"expected numbers in column `{column}` of the {name}, found {cell!r} for {key!r}")
    return frame[column].astype(float)
