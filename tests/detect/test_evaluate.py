import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, mean_absolute_error, recall_score, root_mean_squared_error

from pipelines.core.errors import InputError
from pipelines.detect.evaluate import DetectScoring, aligned, asked_of, evaluate, figures, scores


def table(columns: str, *rows: str) -> pd.DataFrame:
    return pd.DataFrame([row.split(",") for row in rows], columns=columns.split(","), dtype=str)


def scored(submission: pd.DataFrame, truth: pd.DataFrame) -> dict[str, float]:
    return scores(*aligned(submission, truth))


TRUTH = table("image,dog,cat", "a,1,0", "b,2,4")


@pytest.mark.parametrize("truth", [TRUTH.iloc[:0], TRUTH[["image"]]])
def test_nothing_to_score(truth):
    with pytest.raises(InputError, match="expected"):
        scored(truth, truth)


def test_the_truth_is_exact():
    assert scored(TRUTH, TRUTH) == {
        "exact": 1.0,
        "within_one": 1.0,
        "mae": 0.0,
        "rmse": 0.0,
        "bias": 0.0,
        "exact_present": 1.0,
        "zero_absent": 1.0,
        "always_one_exact": 0.25,
        "always_one_within_one": 0.75,
        "always_one_mae": pytest.approx((0 + 1 + 1 + 3) / 4),
        "always_one_rmse": pytest.approx((11 / 4) ** 0.5),
    }


def test_rows_and_columns_are_joined_by_name():
    found = scored(table("image,cat,more,dog", "b,4,9,4", "a,1,9,1"), TRUTH)
    assert found["exact"] == 0.5
    assert found["mae"] == pytest.approx(3 / 4)
    assert found["rmse"] == pytest.approx((5 / 4) ** 0.5)
    assert found["bias"] == pytest.approx(3 / 4)
    assert found["exact_present"] == pytest.approx(2 / 3)
    assert found["zero_absent"] == 0


def test_the_figures_are_those_of_scikit_learn():
    random = np.random.default_rng(1)
    said, true = random.poisson(0.7, (50, 4)).astype(float), random.poisson(0.5, (50, 4)).astype(float)
    found = figures(said, true)
    flat = true.ravel(), said.ravel()
    there = true > 0
    assert found == {
        "exact": pytest.approx(accuracy_score(*flat)),
        "within_one": pytest.approx(np.isclose(*flat, rtol=0, atol=1).mean()),
        "mae": pytest.approx(mean_absolute_error(*flat)),
        "rmse": pytest.approx(root_mean_squared_error(*flat)),
        "bias": pytest.approx(said.mean() - true.mean()),
        "exact_present": pytest.approx(accuracy_score(true[there], said[there])),
        "zero_absent": pytest.approx(recall_score(true.ravel() > 0, said.ravel() > 0, pos_label=False)),
    }


@pytest.mark.parametrize(("true", "lacking"), [(0.0, "exact_present"), (2.0, "zero_absent")])
def test_a_share_of_no_cells_is_left_out(true, lacking):
    found = figures(np.zeros((3, 1)), np.full((3, 1), true))
    assert {"exact_present", "zero_absent"} - found.keys() == {lacking}


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
        scored(submission, TRUTH)


# --- from files


@pytest.fixture
def settings(tmp_path) -> DetectScoring:
    """A submission of two Korean prompts with its boxes, and its truth."""
    (tmp_path / "detect.csv").write_text("image,강아지,고양이\na.jpg,2,0\nb.jpg,1,0\n", encoding="utf-8")
    (tmp_path / "truth.csv").write_text("image,강아지,고양이\na.jpg,1,0\nb.jpg,1,1\n", encoding="utf-8")
    boxes = [("a.jpg", [0, 0, 10, 10], 0.9), ("a.jpg", [50, 50, 9, 9], 0.3), ("b.jpg", [5, 5, 20, 20], 0.8)]
    results = [
        {"image_id": name, "category_id": 1, "category": "dog", "bbox": bbox, "score": score}
        for name, bbox, score in boxes
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(results))
    truth = {
        "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 3, "file_name": "a.jpg"}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": 0, "image_id": 3, "category_id": 2, "bbox": [0, 0, 10, 10]},
            {"id": 1, "image_id": 7, "category_id": 2, "bbox": [5, 5, 20, 20]},
            {"id": 2, "image_id": 7, "category_id": 1, "bbox": [40, 40, 20, 20]},
        ],
    }
    (tmp_path / "truth_boxes.json").write_text(json.dumps(truth))
    names = {"submission": "detect.csv", "truth": "truth.csv", "boxes": "boxes.json", "truth_boxes": "truth_boxes.json"}
    return DetectScoring(**{key: tmp_path / name for key, name in names.items()})


def test_counts_and_boxes_by_class(settings):
    found = evaluate(settings)
    values = {score.name: score.value for score in found.scores}
    assert (values["mae"], values["bias"]) == (0.5, 0.0)
    assert values["mAP50"] == values["mAP"] == pytest.approx(0.5)  # all dogs above all else, and no cat
    assert {score.by.split()[0] for score in found.scores} == {"numpy", "pycocotools"}
    by_class = found.details["by_class"]
    assert list(by_class) == ["강아지", "고양이"]
    assert (by_class["강아지"]["bias"], by_class["고양이"]["bias"]) == (0.5, -0.5)
    assert (by_class["강아지"]["mAP50"], by_class["고양이"]["mAP50"]) == (pytest.approx(1.0), 0.0)
    assert found.lines[0] == "강아지: mae 0.5, bias 0.5, exact_present 0.5, mAP50 1"
    json.dumps(found.details)


def test_without_boxes_there_are_counts(settings):
    settings.boxes.unlink()
    found = evaluate(settings)
    assert "mAP" not in {score.name for score in found.scores}
    assert found.lines[0] == f"no mAP: there is no {settings.boxes}, which a run writes that is given it as --boxes"
    with pytest.raises(ValueError, match="belong together"):
        DetectScoring(settings.submission, settings.truth, truth_boxes=settings.truth_boxes)


def test_boxes_of_another_run_are_told(settings):
    """A submission may be written again without its boxes."""
    settings.submission.write_text("image,강아지,고양이\na.jpg,1,0\nb.jpg,1,0\n", encoding="utf-8")
    found = evaluate(settings)
    assert "mAP" not in {score.name for score in found.scores}
    assert found.lines[0] == f"no mAP: the boxes in {settings.boxes} are not those that {settings.submission} counts"


def test_the_run_record_knows_what_was_asked(settings):
    record = settings.submission.with_suffix(".json")
    assert asked_of(settings.submission, ["강아지", "고양이"]) == {"강아지": "dog", "고양이": "cat"}
    record.write_text(json.dumps({"run": {"prompts": {"멍멍": {"english": "dog", "source": "translation"}}}}))
    assert asked_of(settings.submission, ["count"]) == {"count": "dog"}
    assert asked_of(settings.submission, ["강아지", "고양이"]) == {"멍멍": "dog"}
    values = {score.name: score.value for score in evaluate(settings).scores}
    assert values["mAP"] == pytest.approx(1.0)  # the cats were not asked for
    for text in ("[]", "{}", "no json", '{"run": {"prompts": ["dog"]}}'):
        record.write_text(text)
        with pytest.raises(InputError, match=r"run record .*detect\.json"):
            asked_of(settings.submission, ["count"])
