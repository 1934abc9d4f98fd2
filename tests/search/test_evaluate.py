"""Search scores are what their definitions say, by hand."""

import unicodedata

import pandas as pd
import pytest

from pipelines.core.errors import InputError
from pipelines.search.evaluate import SearchScoring, evaluate, right_ranks, scores
from pipelines.search.worst import find

TRUTH = pd.DataFrame(
    [("a.jpg", "개"), ("b.jpg", "고양이"), ("c.jpg", "개"), ("c.jpg", "두 마리")], columns=["image", "caption"]
)


def results(*rows):
    return pd.DataFrame(rows, columns=["caption", "image", "score"], dtype=str)


FOUND = results(
    ("개", "b.jpg", "0.9"), ("개", "c.jpg", "0.8"), ("개", "a.jpg", "0.1"),
    ("고양이", "a.jpg", "-2"), ("고양이", "b.jpg", "-1e-3"),
    ("두 마리", "a.jpg", "0.5"), ("두 마리", "b.jpg", "0.5"),
)  # fmt: skip


def test_the_best_right_photo_counts_and_one_that_was_not_found_stands_behind():
    assert right_ranks(FOUND, TRUTH) == {"caption": {"개": 2, "고양이": 1, "두 마리": 3}}


def test_names_and_captions_are_the_same_in_nfc_and_nfd():
    truth = pd.DataFrame([("강아지.jpg", "개")], columns=["image", "caption"])
    found = [unicodedata.normalize("NFD", text) for text in ("개", "강아지.jpg")]
    assert right_ranks(results((*found, "1")), truth) == {"caption": {"개": 1}}


def test_figures_by_hand():
    found = {score.name: score.value for score in scores([1, 2, 3, 11])}
    assert found == {
        "recall@1": 0.25,
        "recall@5": 0.75,
        "recall@10": 0.75,
        "MRR": pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 11) / 4),
        "median rank": 2.5,
    }


def test_a_perfect_search_reaches_the_maximum(tmp_path):
    TRUTH.to_csv(tmp_path / "truth.csv", index=False)
    perfect = results(("개", "a.jpg", "1"), ("고양이", "b.jpg", "1"), ("두 마리", "c.jpg", "1"))
    perfect.to_csv(tmp_path / "found.csv", index=False)
    found = evaluate(SearchScoring(tmp_path / "found.csv", tmp_path / "truth.csv"))
    assert {score.value for score in found.scores} == {1.0}
    assert find(perfect, TRUTH) == []


def test_each_of_several_columns_is_scored_by_itself(tmp_path):
    TRUTH[:2].assign(english=["a dog", "개"]).to_csv(tmp_path / "truth.csv", index=False)
    found = results(
        ("개", "b.jpg", "0.9"), ("개", "a.jpg", "0.8"), ("고양이", "b.jpg", "1"), ("a dog", "b.jpg", "1")
    )  # fmt: skip
    found.to_csv(tmp_path / "found.csv", index=False)
    settings = SearchScoring(tmp_path / "found.csv", tmp_path / "truth.csv", columns=["caption", "english"])
    figures = {score.name: score.value for score in evaluate(settings).scores}
    assert figures["recall@1 caption"] == 0.5 and figures["recall@1 english"] == 0.5
    assert figures["MRR caption"] == 0.75 and figures["median rank english"] == 1.5


@pytest.mark.parametrize(
    ("found", "truth", "message"),
    [
        (FOUND.drop(columns="score"), TRUTH, "expected the columns caption, image, score in the submission"),
        (FOUND, TRUTH.drop(columns="caption"), "expected the columns caption in the truth, found image"),
        (FOUND[:3], TRUTH, "2 only in the truth, such as '고양이', '두 마리'"),
        (FOUND, TRUTH[:2], "1 only in the submission, such as '두 마리'"),
        (FOUND.replace("0.9", "high"), TRUTH, "numbers in column `score` of the submission, found 'high'"),
        (FOUND[:0], TRUTH[:0], "expected rows in the truth"),
    ],
)
def test_what_does_not_fit_is_refused(found, truth, message):
    with pytest.raises(InputError, match=message):
        right_ranks(found, truth)
