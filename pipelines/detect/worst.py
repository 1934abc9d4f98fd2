"""The photos of a submission whose counts are the farthest off."""

import pandas as pd

from pipelines.core.submission.scores import Wrong
from pipelines.detect.evaluate import aligned, to_counts


def find(submission: pd.DataFrame, truth: pd.DataFrame) -> list[Wrong]:
    """The rows with a wrong count; the error is how many objects are too many or too few, summed over the classes.

    Raises InputError where the two do not belong together.
    """
    said, true = aligned(submission, truth)
    found = []
    for key, counts, expected in zip(said.index, to_counts(said), to_counts(true), strict=True):
        off = counts - expected
        if off.any():
            kind = "too many" if (off >= 0).all() else "too few" if (off <= 0).all() else "both"
            wrong = [place for place, error in enumerate(off) if error]
            names = [f"{column} " if len(off) > 1 else "" for column in true.columns]
            text = ", ".join(f"{names[place]}{counts[place]:g} ({off[place]:+g})" for place in wrong)
            right = ", ".join(f"{names[place]}{expected[place]:g}" for place in wrong)
            found.append(Wrong(str(key), kind, text, right, float(abs(off).sum())))
    return found
