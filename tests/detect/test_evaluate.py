import pandas as pd
import pytest

from pipelines.core.errors import InputError
from pipelines.detect.evaluate import scores


def table(columns: str, *rows: str) -> pd.DataFrame:
    return pd.DataFrame([row.split(",") for row in rows], columns=columns.split(","), dtype=str)


TRUTH = table("image,dog,cat", "a,1,0", "b,2,4")


@pytest.mark.parametrize("truth", [TRUTH.iloc[:0], TRUTH[["image"]]])
def test_nothing_to_score(truth):
    with pytest.raises(InputError, match="expected"):
        scores(truth, truth)


def test_the_truth_is_exact():
    assert scores(TRUTH, TRUTH) == {
        "exact": 1.0,
        "mae": 0.0,
        "rmse": 0.0,
        "always_one_exact": 0.25,
        "always_one_mae": pytest.approx((0 + 1 + 1 + 3) / 4),
        "always_one_rmse": pytest.approx((11 / 4) ** 0.5),
    }


def test_rows_and_columns_are_joined_by_name():
    found = scores(table("image,cat,more,dog", "b,4,9,4", "a,1,9,1"), TRUTH)
    assert found["exact"] == 0.5
    assert found["mae"] == pytest.approx(3 / 4)
    assert found["rmse"] == pytest.approx((5 / 4) ** 0.5)


@pytest.mark.parametrize(
    ("submission", "reason"),
    [
        (table("image,dog,cat", "a,1,0"), "1 only in the truth, such as 'b'"),
        (table("image,dog,cat", "a,1,0", "b,2,4", "c,0,0"), "such as 'c'"),
        (table("image,dog", "a,1", "b,2"), "columns dog, cat"),
        (table("image,dog,cat", "a,1,0", "a,2,4"), "each id once"),
        (table("image,dog,cat", "a,1,none", "b,2,4"), "as numbers"),
        (table("image,dog,cat", "a,1,nan", "b,2,4"), "as numbers"),
    ],
)
def test_what_cannot_be_scored(submission, reason):
    with pytest.raises(InputError, match=reason):
        scores(submission, TRUTH)
