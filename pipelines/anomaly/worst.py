"""The mistakes of a submission that lie the farthest beyond the threshold."""

import pandas as pd

from pipelines.anomaly.evaluate import best_threshold, categories_of
from pipelines.core.errors import InputError
from pipelines.core.submission.columns import read_labels, read_numbers
from pipelines.core.submission.scores import Wrong
from pipelines.core.submission.truth import joined


def find(submission: pd.DataFrame, truth: pd.DataFrame) -> list[Wrong]:
    """The rows with the wrong label, their own or by the best threshold; the error is as `_beyond` has it.

    Raises InputError where the two do not belong together, or nothing decides on a label.
    """
    said, true = joined(submission, truth)
    labels = read_labels(true)
    if "label" in said:
        decided = read_numbers(said, "label", "submission").astype(int)
        scores = read_numbers(said, "score", "submission") if "score" in said else decided.astype(float)
    elif "score" not in said or labels.nunique() < 2:
        raise InputError("expected a column `label` in the submission, or `score` and a truth with the labels 0 and 1")
    else:
        scores = read_numbers(said, "score", "submission")
        decided = (scores > best_threshold(scores.tolist(), labels.tolist())).astype(int)
    groups = [of_it.index for of_it in categories_of(labels).values()]
    far = pd.concat([_beyond(scores[ids], decided[ids]) for ids in groups]).loc[labels.index]
    return [
        Wrong(
            str(key),
            "missed" if label else "false alarm",
            f"{own} (score {score:.4g})" if "score" in said else str(own),
            str(label),
            float(error),
        )
        for key, label, own, score, error in zip(labels.index, labels, decided, scores, far, strict=True)
        if label != own
    ]


def _beyond(scores: "pd.Series[float]", decided: "pd.Series[int]") -> "pd.Series[float]":
    """How far each score lies from where label 1 begins, in standard deviations of its category's scores.

    A submission says its labels and not its threshold, which lies between the highest score of label 0 and the lowest
    of label 1. Scores of two categories do not compare, their deviations do.
    """
    normal, anomalous = scores[decided == 0], scores[decided == 1]
    begins = pd.Series([normal.max(), anomalous.min()]).mean()  # of the one there is, where all have one label
    return (scores - begins).abs() / (scores.std(ddof=0) or 1.0)
