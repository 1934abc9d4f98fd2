"""The queries whose right photo stands the lowest."""

import pandas as pd

from pipelines.core.submission.scores import Wrong
from pipelines.search.evaluate import ranked, right_images, right_ranks


def find(submission: pd.DataFrame, truth: pd.DataFrame) -> list[Wrong]:
    """The queries whose first photo is not a right one; the error is by how many places the right one stands lower.

    Of the truth's columns those count whose texts were asked. Raises InputError where the two do not belong together.
    """
    found = ranked(submission)
    columns = [str(column) for column in truth.columns[1:] if not found.keys().isdisjoint(right_images(truth, column))]
    ranks = right_ranks(submission, truth, columns or ["caption"])
    return [
        Wrong(query, "lower", found[query][0], ", ".join(sorted(right_images(truth, column)[query])), rank - 1.0)
        for column, of_column in ranks.items()
        for query, rank in of_column.items()
        if rank > 1
    ]
