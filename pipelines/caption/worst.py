"""The captions of a submission that are the farthest from their references."""

import pandas as pd

from pipelines.caption.evaluate import CAPTION, aligned
from pipelines.caption.scoring.metrics import chrf
from pipelines.core.submission.scores import Wrong

UNLIKE = 0.5
"""Error above which a caption shares little with its references."""


def find(submission: pd.DataFrame, truth: pd.DataFrame) -> list[Wrong]:
    """The captions that are not one of their references; the error is 1 minus chrF2 against them, 0 to 1.

    Raises InputError where the two do not belong together.
    """
    said, true = aligned(submission, truth)
    found = []
    for key, caption, texts in zip(said.index, said[CAPTION], true[CAPTION], strict=True):
        error = 1 - chrf([caption], [texts])
        kind = "empty" if not caption.strip() else "unlike" if error > UNLIKE else "alike"
        if error > 0:
            found.append(Wrong(str(key), kind, caption, " | ".join(texts), error))
    return found
