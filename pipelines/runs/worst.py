"""Finds the rows of a submission that are the farthest from their truth, the worst first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from pipelines.core.errors import InputError
from pipelines.core.submission.truth import read_frame

Kind = Literal["empty", "unlike", "alike", "too many", "too few", "both", "missed", "false alarm", "confused"]
"""caption: there is none, it shares little with its references, or most; detect: counts that are too high, too low, or
some of each; anomaly: a defect called normal, a normal photo called anomalous; classify: another class."""

UNLIKE = 0.5
"""Error above which a caption shares little with its references."""


@dataclass(frozen=True)
class Wrong:
    """A row that is not what the truth says."""

    id: str
    kind: Kind
    said: str
    """What is wrong of the row, as a person reads it."""
    truth: str
    """What belongs there; of several references all."""
    error: float
    """How far off, above 0, larger is worse; `ERRORS` says what it is of each task."""


def worst(task: str, submission: Path, truth: Path) -> list[Wrong]:
    """All rows that are wrong, the worst first, and those that are equally wrong in the truth's order.

    Raises InputError where the task has no such rows, or the two files do not belong together.
    """
    if task not in FINDERS:
        raise InputError(f"expected a task whose rows have an error ({', '.join(FINDERS)}), found {task}")
    found = FINDERS[task](read_frame(submission), read_frame(truth))
    return sorted(found, key=lambda row: -row.error)


def _captions(submission: pd.DataFrame, truth: pd.DataFrame) -> list[Wrong]:
    from pipelines.caption.evaluate import CAPTION, aligned
    from pipelines.caption.scoring.metrics import chrf

    said, true = aligned(submission, truth)
    found = []
    for key, caption, texts in zip(said.index, said[CAPTION], true[CAPTION], strict=True):
        error = 1 - chrf([caption], [texts])
        kind: Kind = "empty" if not caption.strip() else "unlike" if error > UNLIKE else "alike"
        if error > 0:
            found.append(Wrong(str(key), kind, caption, " | ".join(texts), error))
    return found


def _counts(submission: pd.DataFrame, truth: pd.DataFrame) -> list[Wrong]:
    from pipelines.detect.evaluate import aligned, to_counts

    said, true = aligned(submission, truth)
    found = []
    for key, counts, expected in zip(said.index, to_counts(said), to_counts(true), strict=True):
        off = counts - expected
        if off.any():
            kind: Kind = "too many" if (off >= 0).all() else "too few" if (off <= 0).all() else "both"
            wrong = [place for place, error in enumerate(off) if error]
            names = [f"{column} " if len(off) > 1 else "" for column in true.columns]
            text = ", ".join(f"{names[place]}{counts[place]:g} ({off[place]:+g})" for place in wrong)
            right = ", ".join(f"{names[place]}{expected[place]:g}" for place in wrong)
            found.append(Wrong(str(key), kind, text, right, float(abs(off).sum())))
    return found


def _anomalies(submission: pd.DataFrame, truth: pd.DataFrame) -> list[Wrong]:
    from pipelines.anomaly.evaluate import best_threshold, categories_of, read_labels, read_numbers
    from pipelines.core.submission.truth import joined

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


def _classes(submission: pd.DataFrame, truth: pd.DataFrame) -> list[Wrong]:
    from pipelines.classify.evaluate import read_classes
    from pipelines.core.submission.truth import joined

    said, true = joined(submission, truth)
    answers, expected = read_classes(said, "submission"), read_classes(true, "truth")
    sure = pd.to_numeric(said.get("probability", pd.Series(1.0, said.index)), errors="coerce").fillna(1.0)
    return [
        Wrong(str(key), "confused", answer, label, float(error))
        for key, answer, label, error in zip(expected.index, answers, expected, sure, strict=True)
        if label != answer
    ]


FINDERS: Mapping[str, Callable[[pd.DataFrame, pd.DataFrame], list[Wrong]]] = {
    "caption": _captions,
    "detect": _counts,
    "anomaly": _anomalies,
    "classify": _classes,
}
"""Task -> what finds the wrong rows of a submission by its truth, in the truth's order."""

ERRORS: Mapping[str, str] = {
    "caption": "1 - chrF2",
    "detect": "objects",
    "anomaly": "deviations",
    "classify": "probability",
}
"""Task -> what an error is: 1 minus chrF2 against the references, 0 to 1; objects too many or too few, summed over the
classes; standard deviations of its category's scores beyond the threshold; the probability that the wrong class was
given, 0 to 1, or 1 where there is none."""
