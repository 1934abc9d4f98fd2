import pandas as pd
import pytest

from pipelines.core.errors import InputError
from pipelines.core.truth import joined


def table(*ids: str, key: str = "image") -> pd.DataFrame:
    return pd.DataFrame({key: ids, "count": [f"of {name}" for name in ids]}, dtype=str)


def test_rows_are_laid_side_by_side_in_the_truths_order():
    said, true = joined(table("b", "0001", "NA", key="id"), table("NA", "b", "0001"))
    assert list(said["count"]) == list(true["count"]) == ["of NA", "of b", "of 0001"]


@pytest.mark.parametrize(
    ("submission", "truth", "message"),
    [
        (table(), table(), "found none"),
        (table("a"), table("a", "b"), "1 only in the truth, such as 'b'"),
        (table("a", "c", "b"), table("a", "b"), "1 only in the submission, such as 'c'"),
        (table("a", "a"), table("a"), "once in the submission, found 'a' again"),
        (table("a"), table("a", "a"), "once in the truth, found 'a' again"),
    ],
)
def test_rows_that_do_not_pair_are_named(submission, truth, message):
    with pytest.raises(InputError, match=message):
        joined(submission, truth)
