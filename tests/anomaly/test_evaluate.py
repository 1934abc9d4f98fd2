import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    precision_recall_curve,
    roc_auc_score,
)

from pipelines.anomaly.evaluate import AnomalyScoring, best_threshold, evaluate, score
from pipelines.anomaly.maps.files import map_path, read_mask, write_map
from pipelines.core.config import load_config
from pipelines.core.errors import ConfigError, InputError

TRUTH = pd.DataFrame({"image": ["a", "b", "c", "d"], "label": ["0", "0", "1", "1"]}, dtype=str)


def frame(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype=str)


def figures(submission: pd.DataFrame, truth: pd.DataFrame = TRUTH) -> dict[str, float]:
    return {each.name: each.value for each in score(submission, truth).scores}


def test_empty_truth():
    with pytest.raises(InputError, match="rows in the truth, found none"):
        score(frame(image=[], label=[], score=[]), TRUTH.iloc[:0])


def test_perfect_ranking_with_a_threshold_too_low():
    found = figures(frame(image=list("dcba"), label=["1", "1", "1", "0"], score=["9.5", "10", "2", "1"]))
    assert found["image AUROC"] == found["AP"] == found["F1-max"] == 1
    assert found["accuracy"] == 0.75
    assert found["macro-F1"] == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_scores_are_numbers_and_not_text():
    assert figures(frame(image=list("abcd"), score=["2", "9", "10", "11"]))["image AUROC"] == 1


def test_constant_scores_are_worth_chance():
    found = figures(frame(image=list("abcd"), score=["0"] * 4, label=["0"] * 4))
    assert found == {
        "image AUROC": 0.5, "AP": 0.5, "F1-max": pytest.approx(2 / 3), "accuracy": 0.5,
        "macro-F1": pytest.approx(1 / 3),
    }  # fmt: skip


def test_equal_to_scikit_learn():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    values = (labels * 0.5 + rng.random(60)).round(1)  # with ties
    own = (values > 0.8).astype(int)
    names = [str(index) for index in range(60)]
    truth = frame(image=names, label=labels.astype(str))
    evaluation = score(frame(image=names, score=values.astype(str), label=own.astype(str)), truth)
    precision, recall, _ = precision_recall_curve(labels, values)
    assert {each.name: each.value for each in evaluation.scores} == pytest.approx(
        {
            "image AUROC": roc_auc_score(labels, values),
            "AP": average_precision_score(labels, values),
            "F1-max": (2 * precision * recall / (precision + recall)).max(),
            "accuracy": accuracy_score(labels, own),
            "macro-F1": f1_score(labels, own, average="macro"),
        }
    )
    assert all(each.by.startswith("scikit-learn ") for each in evaluation.scores)
    decided = values > evaluation.details["F1-max"]["threshold"]
    assert f1_score(labels, decided) == evaluation.scores[2].value


@pytest.mark.parametrize(
    ("scores", "labels", "expected"),
    [
        ([1.0, 2.0, 4.0, 8.0], [0, 0, 1, 1], 3.0),
        ([1.0, 2.0, 4.0, 8.0], [0, 1, 0, 1], 1.5),
        ([5.0, 5.0], [0, 1], 4.5),
        ([3.0, 1.0], [0, 1], 0.5),
    ],
)
def test_best_threshold(scores, labels, expected):
    assert best_threshold(scores, labels) == expected


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"score": ["1", "2", "3", "4"]}, ["image AUROC", "AP", "F1-max"]),
        ({"label": ["0", "0", "1", "1"]}, ["accuracy", "macro-F1"]),
    ],
)
def test_what_the_submission_lacks_is_left_out(columns, names):
    assert list(figures(frame(image=list("abcd"), **columns))) == names


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
        score(submission, TRUTH)


@pytest.mark.parametrize(
    ("labels", "message"),
    [(["0", "0"], "found no 1"), (["1", "1"], "found no 0"), (["0", "2"], "found 2"), (["0.5", "1"], "found 0.5")],
)
def test_truth_of_other_labels(labels, message):
    with pytest.raises(InputError, match=f"expected the labels 0 and 1 in the truth, {message}"):
        score(frame(image=["a", "b"], score=["1", "2"]), frame(image=["a", "b"], label=labels))


CATEGORIES = ["low/test/good/0", "low/test/hole/0", "high/test/good/0", "high/test/hole/0"]


def test_categories_are_ranked_apart():
    """Each category ranks perfectly, but the one's normal images score above the other's anomalous ones."""
    truth = frame(image=CATEGORIES, label=["0", "1", "0", "1"])
    evaluation = score(frame(image=CATEGORIES, score=["1", "2", "3", "4"]), truth)
    found = {each.name: each.value for each in evaluation.scores}
    assert (found["image AUROC"], found["image AUROC, mean of categories"]) == (0.75, 1)
    assert evaluation.details["categories"] == {"high": {"image AUROC": 1}, "low": {"image AUROC": 1}}
    assert evaluation.lines == [f"{name} (2 images, 1 anomalous): image AUROC 1" for name in ("high", "low")]


def test_a_category_of_one_class_is_left_out_and_said():
    names = [*CATEGORIES, "flat/test/good/0"]
    truth = frame(image=names, label=["0", "1", "1", "0", "0"])
    evaluation = score(frame(image=names, score=["1", "2", "3", "4", "5"]), truth)
    assert {each.name: each.value for each in evaluation.scores}["image AUROC, mean of categories"] == 0.5
    assert evaluation.lines[0].startswith("flat (1 images, 0 anomalous): left out of the means")


@pytest.mark.parametrize("folders", [["good", "bad"], ["test/good", "test/bad"]])
def test_other_folders_are_no_categories(folders):
    names = [f"{folder}/{index}" for folder in folders for index in range(2)]
    truth = frame(image=names, label=["0", "0", "1", "1"])
    evaluation = score(frame(image=names, score=["1", "2", "3", "4"]), truth)
    assert len(evaluation.scores) == 3 and not evaluation.lines


@pytest.fixture
def perfect(tree, tmp_path):
    """Settings of a submission whose scores and maps are perfect on the tree."""
    names = [
        f"{category}/test/{kind}/{index:03}.png"
        for category in ("fine", "wide") for kind in ("good", "broken") for index in range(3)
    ]  # fmt: skip
    labels = [str(int("broken" in name)) for name in names]
    frame(image=names, label=labels).to_csv(tmp_path / "truth.csv", index=False)
    frame(image=names, score=labels).to_csv(tmp_path / "submission.csv", index=False)
    for name in names:
        heat = torch.zeros(64, 64)
        if "broken" in name:
            path = tree / name.replace("/test/", "/ground_truth/").replace(".png", "_mask.png")
            heat = torch.from_numpy(read_mask(path)).float()
        write_map(map_path(tmp_path / "maps", name), heat)
    given = {name: str(tmp_path / f"{name}.csv") for name in ("submission", "truth")}
    return given | {"maps": str(tmp_path / "maps"), "masks": str(tree)}


def test_maps_are_held_against_masks(perfect):
    evaluation = evaluate(load_config(None, AnomalyScoring, perfect))
    found = {each.name: each for each in evaluation.scores}
    assert found["pixel AUROC, mean of categories"].value == 1
    assert found["AUPRO, mean of categories"].value == pytest.approx(1, abs=1e-6)
    assert found["AUPRO, mean of categories"].by.startswith("anomalib ")
    assert found["AUPRO, mean of categories"].by.endswith("to a false-positive rate of 0.3")
    assert list(evaluation.details["categories"]["fine"]) == ["image AUROC", "pixel AUROC", "AUPRO"]


def test_maps_of_one_category(perfect, tree):
    for name in ("submission", "truth"):
        table = pd.read_csv(perfect[name], dtype=str)
        table[table["image"].str.startswith("fine")].to_csv(perfect[name], index=False)
    names = [each.name for each in evaluate(load_config(None, AnomalyScoring, perfect)).scores]
    assert names == ["image AUROC", "AP", "F1-max", "pixel AUROC", "AUPRO"]


@pytest.mark.parametrize("left_out", ["maps", "masks"])
def test_maps_need_masks(perfect, left_out):
    del perfect[left_out]
    with pytest.raises(ConfigError, match="give both, or neither"):
        load_config(None, AnomalyScoring, perfect)
