"""The mistakes of a submission of classes that were made the surest."""

import pandas as pd

from pipelines.classify.evaluate import probabilities, read_answers, read_classes
from pipelines.core.submission.scores import Wrong
from pipelines.core.submission.truth import joined


def find(submission: pd.DataFrame, truth: pd.DataFrame) -> list[Wrong]:
    """The rows with another class; the error is the probability that it was given, 0 to 1, or 1 where there is none.

    Raises InputError where the two do not belong together.
    """
    said, true = joined(submission, truth)
    answers, expected = read_answers(said), read_classes(true, "truth")
    sure = pd.to_numeric(said.get("probability", pd.Series(1.0, said.index)), errors="coerce").fillna(1.0)
    if (likely := probabilities(said)) is not None:
        sure = likely.max(axis=1)
    return [
        Wrong(str(key), "confused", answer, label, float(error))
        for key, answer, label, error in zip(expected.index, answers, expected, sure, strict=True)
        if label != answer
    ]
