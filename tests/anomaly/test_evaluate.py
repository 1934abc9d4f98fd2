import pandas as pd
import pytest

from pipelines.anomaly.evaluate import scores
from pipelines.core.errors import InputError

TRUTH = pd.DataFrame({"image": ["a", "b", "c", "d"], "label": ["0", "0", "1", "1"]}, dtype=str)


def frame(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype=str)


def test_empty_truth():
    with pytest.raises(InputError, match="rows in the truth, found none"):
        scores(frame(image=[], label=[], score=[]), TRUTH.iloc[:0])


def test_perfect_ranking_with_a_threshold_too_low():
    found = scores(frame(image=list("dcba"), label=["1", "1", "1", "0"], score=["9.5", "10", "2", "1"]), TRUTH)
    assert found["image AUROC"] == found["AP"] == 1
    assert found["accuracy"] == 0.75
    assert found["macro-F1"] == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_scores_are_numbers_and_not_text():
    assert scores(frame(image=list("abcd"), score=["2", "9", "10", "11"]), TRUTH)["image AUROC"] == 1


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"score": ["1", "2", "3", "4"]}, ["image AUROC", "AP"]),
        ({"label": ["0", "0", "1", "1"]}, ["accuracy", "macro-F1"]),
    ],
)
def test_what_the_submission_lacks_is_left_out(columns, names):
    assert list(scores(frame(image=list("abcd"), **columns), TRUTH)) == names


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        (frame(image=list("abc"), score=["1", "2", "3"]), "found 1 only in the truth, such as 'd'"),
        (frame(image=list("abcde"), score=list("12345")), "found 1 only in the submission, such as 'e'"),
        (frame(image=list("abcc"), score=list("1234")), "each id once in the submission, found 'c' again"),
        (frame(image=list("abcd"), answer=list("1234")), "expected a column `score` or `label`.*found answer"),
        (frame(image=list("abcd"), score=["1", "2", "nan", "4"]), "expected numbers in column `score`.*'nan' for 'c'"),
        (frame(image=list("abcd"), label=["0", "", "1", "1"]), "expected numbers in column `label`.*'' for 'b'"),
    ],
)
def test_unusable_submissions_are_named(submission, message):
    with pytest.raises(InputError, match=message):
        scores(submission, TRUTH)


def test_truth_of_one_class():
    with pytest.raises(InputError, match="expected the labels 0 and 1 in the truth, found \\[0\\]"):
        scores(frame(image=["a", "b"], score=["1", "2"]), TRUTH.iloc[:2])
