"""Scores anomaly submissions against a truth: ranking by `score`, decisions by `label`, places by maps and masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from statistics import fmean
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from pipelines.core.config import schema
from pipelines.core.errors import InputError
from pipelines.core.submission.columns import read_labels, read_numbers
from pipelines.core.submission.scores import Evaluation, Score, by
from pipelines.core.submission.truth import joined, read_frame

TEST = "test"  # the folder of a category with its images, in MVTec AD's layout


@schema
class AnomalyScoring:
    """The settings of the evaluation of anomaly scores, labels and maps."""

    submission: Path
    """CSV to score, with a column `score` or `label` or both."""
    truth: Path
    """CSV with the true `label` of each image, 0 or 1."""
    maps: Path | None = None
    """Folder of the anomaly maps that save_maps wrote; with `masks`, pixels are scored too."""
    masks: Path | None = None
    """Folder of the masks: an MVTec-like tree with ground_truth, or one whose masks are named as the images."""
    worst: int = 5
    """How many of the mistakes that lie the farthest beyond the threshold are shown (0 or more)."""

    def __post_init__(self) -> None:
        if (self.maps is None) != (self.masks is None):
            raise ValueError("maps and masks are held against each other: give both, or neither")
        if self.worst < 0:
            raise ValueError(f"worst is 0 or more, not {self.worst}")


def evaluate(settings: AnomalyScoring) -> Evaluation:
    """Scores a submission's ranking and labels, and its maps where the settings name them. Raises InputError."""
    return score(read_frame(settings.submission), read_frame(settings.truth), settings.maps, settings.masks)


def score(
    submission: pd.DataFrame, truth: pd.DataFrame, maps: Path | None = None, masks: Path | None = None
) -> Evaluation:
    """Image AUROC, AP and F1-max of `score`; accuracy and macro-F1 of `label`; pixel AUROC and AUPRO of the maps.

    Each is from 0 to 1. Both frames have the id first; the truth's `label` is 0 or 1, 1 for an anomaly. What the
    submission has no column for is left out. Scores of different categories do not compare: where ids begin with
    several (`bottle/test/...`), each has its own AUROC, and their mean is the one to look at; pixels are scored by
    category only. Raises InputError where neither column is there, the ids differ, or the truth has one class only.
    """
    said, true = joined(submission, truth)
    labels = read_labels(true)
    if missing := {0, 1}.difference(labels):
        raise InputError(f"expected the labels 0 and 1 in the truth, found no {missing.pop()}")
    scores: list[Score] = []
    details: dict[str, Any] = {}
    values = read_numbers(said, "score", "submission") if "score" in said else None
    if values is not None:
        threshold = best_threshold(values.tolist(), labels.tolist())
        details["F1-max"] = {"threshold": threshold}
        scores += [
            _score("image AUROC", roc_auc_score(labels, values)),
            _score("AP", average_precision_score(labels, values)),
            _score("F1-max", f1_score(labels, values > threshold)),
        ]
    if "label" in said:
        own = read_numbers(said, "label", "submission").astype(int)
        scores += [
            _score("accuracy", accuracy_score(labels, own)),
            _score("macro-F1", f1_score(labels, own, average="macro")),
        ]
    if not scores:
        raise InputError(f"expected a column `score` or `label` in the submission, found {', '.join(said.columns)}")
    categories, lines = categories_of(labels), []
    found = {
        name: _of_category(of_it, values, maps, masks) for name, of_it in categories.items() if of_it.nunique() == 2
    }
    if len(categories) > 1 or maps is not None:
        scores += _means(found, len(categories))
    if len(categories) > 1:
        details["categories"] = {name: {each.name: each.value for each in figures} for name, figures in found.items()}
        lines = [_line(name, found.get(name), of_it) for name, of_it in categories.items()]
    return Evaluation(scores, lines, details)


def best_threshold(scores: Sequence[float], labels: Sequence[int]) -> float:
    """The threshold above which calling images anomalous has the best F1; labels are 0 and 1, both are there.

    It lies midway between two scores, or 0.5 below them all; of several equally good ones it is the lowest.
    """
    precision, recall, starts = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    first = float(starts[int(f1[:-1].argmax())])  # the last point of the curve calls none anomalous
    return (first + max((score for score in scores if score < first), default=first - 1)) / 2


def categories_of(labels: "pd.Series[int]") -> "dict[str, pd.Series[int]]":
    """The labels of each category of an MVTec-like tree, else all as one."""
    parts = [PurePosixPath(str(image)).parts for image in labels.index]
    if not all(len(names) > 2 and names[1] == TEST for names in parts):
        return {"all": labels}
    return {str(name): of_it for name, of_it in labels.groupby([names[0] for names in parts])}


def _of_category(
    labels: "pd.Series[int]", values: "pd.Series[float] | None", maps: Path | None, masks: Path | None
) -> list[Score]:
    """What one category's scores and maps are worth."""
    found = [] if values is None else [_score("image AUROC", roc_auc_score(labels, values[labels.index]))]
    if maps is None or masks is None:
        return found
    from pipelines.anomaly.maps.pixels import FPR_LIMIT, pixel_scores

    pixels = pixel_scores({str(image): label for image, label in labels.items()}, maps, masks)
    overlap = by("anomalib", f"to a false-positive rate of {FPR_LIMIT:g}")
    return [*found, _score("pixel AUROC", pixels.auroc), Score("AUPRO", pixels.aupro, overlap)]


def _means(found: Mapping[str, Sequence[Score]], categories: int) -> list[Score]:
    """The mean of each figure over the categories; of one category its figures that are not there already."""
    if categories == 1:
        return [score for figures in found.values() for score in figures if score.name != "image AUROC"]
    columns = zip(*found.values(), strict=True)
    return [Score(f"{of[0].name}, mean of categories", fmean(score.value for score in of), of[0].by) for of in columns]


def _line(name: str, found: Sequence[Score] | None, labels: "pd.Series[int]") -> str:
    count = f"{len(labels)} images, {labels.sum()} anomalous"
    if found is None:
        return f"{name} ({count}): left out of the means, which need normal and anomalous images of each category"
    return f"{name} ({count}): " + ", ".join(f"{score.name} {score.value:.4g}" for score in found)


def _score(name: str, value: float) -> Score:
    return Score(name, float(value), by("scikit-learn"))
