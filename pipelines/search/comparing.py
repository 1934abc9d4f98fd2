"""Lays rankings of photos side by side, a query a row, and puts several together."""

from collections.abc import Sequence

import pandas as pd

from pipelines.search.evaluate import ranked
from pipelines.search.query.fusion import rank_fusion

SHOWN = 10
"""Of a query's photos, the best first: those below are no difference that anybody looks for."""


def by_query(submission: pd.DataFrame) -> pd.DataFrame:
    """A row a query: `caption`, and `images`, its first photos on one line. Raises InputError."""
    rows = [(query, " | ".join(images[:SHOWN])) for query, images in ranked(submission).items()]
    return pd.DataFrame(rows, columns=["caption", "images"], dtype=str)


def fused(submissions: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One ranking a query, of as many photos as the first has, by reciprocal rank fusion, whose sums are the scores.

    Raises InputError for what is no ranking.
    """
    first, *others = (ranked(each) for each in submissions)
    rows = [
        (query, str(found.key), f"{found.score:.6f}")
        for query, images in first.items()
        for found in rank_fusion([images, *(other.get(query, []) for other in others)])[: len(images)]
    ]
    return pd.DataFrame(rows, columns=["caption", "image", "score"], dtype=str)
