"""Scores classes against the truth: how many are right, class by class, and among the likeliest few."""

from pathlib import Path
from unicodedata import normalize

import pandas as pd
from sklearn.metrics import accuracy_score, f1_score

from pipelines.core.config import schema
from pipelines.core.errors import InputError
from pipelines.core.submission.scores import Evaluation, Score, by
from pipelines.core.submission.truth import joined, read_frame

LABEL = "label"
TOP_COLUMNS = ("image", "rank", LABEL)


@schema
class ClassifyScoring:
    """The settings of the evaluation of classes."""

    submission: Path
    """CSV to score: ids, and a column `label`, a single column of another name, or each label's probability."""
    truth: Path
    """CSV with the true class of each image, in a column `label` or a single one."""
    top_file: Path | None = None
    """CSV of the likeliest labels, as the run's top_file has them: image,rank,label,probability."""
    worst: int = 5
    """How many of the commonest confusions, and of the surest mistakes, are shown (0 or more)."""

    def __post_init__(self) -> None:
        if self.worst < 0:
            raise ValueError(f"worst is 0 or more, not {self.worst}")


def evaluate(settings: ClassifyScoring) -> Evaluation:
    """Accuracy and macro-F1; with `top_file` how often the truth is among the likeliest too. Raises InputError."""
    said, true = joined(read_frame(settings.submission), read_frame(settings.truth))
    answers, truth = read_answers(said), read_classes(true, "truth")
    scores = [
        Score("accuracy", float(accuracy_score(truth, answers)), by("scikit-learn")),
        Score("macro-F1", float(f1_score(truth, answers, average="macro", zero_division=0)), by("scikit-learn")),
    ]
    if settings.top_file is not None:
        scores.append(_among_top(read_frame(settings.top_file), truth))
    pairs = pd.Series([f"{right!r} taken for {answer!r}" for right, answer in zip(truth, answers, strict=True)])
    confused = pairs[(truth != answers).to_numpy()].value_counts()
    shown = [f"confused: {pair}, {count} of {len(pairs)}" for pair, count in confused.head(settings.worst).items()]
    return Evaluation(scores, shown, {"confused": {str(pair): int(count) for pair, count in confused.items()}})


def read_answers(submission: pd.DataFrame) -> "pd.Series[str]":
    """The classes of a submission, in NFC; of one with a column a label the likeliest. Raises InputError."""
    likely = probabilities(submission)
    if likely is None:
        return read_classes(submission, "submission")
    answers: pd.Series[str] = likely.idxmax(axis=1).map(lambda column: normalize("NFC", str(column)))
    return answers


def probabilities(submission: pd.DataFrame) -> pd.DataFrame | None:
    """Each label's probability (rows, labels), where the columns are those; else None."""
    if LABEL in submission or len(submission.columns) < 2 or submission.empty:
        return None
    numbers = submission.apply(pd.to_numeric, errors="coerce")
    return None if bool(numbers.isna().any(axis=None)) else numbers


def read_classes(table: pd.DataFrame, name: str) -> "pd.Series[str]":
    """The column of the classes, in NFC: `label`, or the only one."""
    column = LABEL if LABEL in table else table.columns[0] if len(table.columns) == 1 else None
    if column is None:
        raise InputError(f"expected a column `{LABEL}` in the {name}, found {', '.join(table.columns) or 'only ids'}")
    labels: pd.Series[str] = table[column].map(lambda cell: normalize("NFC", cell))
    return labels


def _among_top(top: pd.DataFrame, truth: "pd.Series[str]") -> Score:
    """The share of the images whose class is among their likeliest labels; an image without any counts as wrong."""
    lacking = [column for column in TOP_COLUMNS if column not in top]
    if lacking or top.empty:
        found = ", ".join(top.columns) if lacking else "no rows"
        raise InputError(f"expected the columns {', '.join(TOP_COLUMNS)} and rows in the top_file, found {found}")
    listed = {normalize("NFC", str(image)): set(rows.map(lambda cell: normalize("NFC", cell)))
              for image, rows in top.groupby("image")[LABEL]}  # fmt: skip
    right = sum(label in listed.get(str(image), ()) for image, label in truth.items())
    return Score(f"top-{top['rank'].nunique()} accuracy", right / len(truth), "ours")
