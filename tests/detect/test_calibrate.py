from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from pipelines.__main__ import main
from pipelines.core.config import DataConfig, load_config
from pipelines.core.errors import InputError
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.detect.boxes.detections import Detections
from pipelines.detect.calibrate import (
    DetectCalibration,
    Setting,
    Sweep,
    calibrate,
    cost,
    judge,
    sweep_counts,
)
from pipelines.detect.pipeline import DetectPipeline
from pipelines.detect.settings import DetectConfig, samples

RUNNER = RunnerConfig(batch=4, progress=False, device="cpu")
PROMPTS = ["개", "고양이", "강아지"]
DEFAULT = Setting(0.2, 0.5)


@pytest.fixture
def config(dino_folder, photos) -> DetectConfig:
    """The tiny detector, whose scores are about 0.4, on seven photos."""
    return DetectConfig(
        data=DataConfig(images=photos[0].path.parent),
        checkpoint=str(dino_folder),
        prompts=PROMPTS,
        box_threshold=0.35,
        runner=RUNNER,
    )


def counts_of(config: DetectConfig) -> dict[str, list[int]]:
    """What a run of the task counts."""
    pipeline = DetectPipeline(config, Runner(config.runner))
    return {
        outcome.item.id: list(pipeline.rows(outcome.item, outcome.result)[0].values())
        for outcome in pipeline(samples(config))
    }


def truth_of(path: Path, counts: dict[str, list[int]], columns: list[str]) -> Path:
    lines = [",".join([key, *map(str, row)]) for key, row in counts.items()]
    path.write_text("\n".join([",".join(["image", *columns]), *lines]) + "\n", encoding="utf-8")
    return path


def sweep(costs, thresholds=(0.1, 0.2, 0.3, 0.4), ious=(0.5, 1.0), metric="mae") -> Sweep:
    """`costs` (photos, IoUs, thresholds), a missing axis being the same for all."""
    shape = (len(costs), len(ious), len(thresholds))
    return Sweep(metric, thresholds, ious, DEFAULT, np.broadcast_to(np.asarray(costs, dtype=float), shape))


# --- the sweep


def test_no_boxes_are_zero_everywhere():
    found = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert sweep_counts(found, [0, 1], [0.1, 0.5], [0.5, 1.0], False).tolist() == np.zeros((2, 2, 2)).tolist()


def test_a_frame_counts_where_the_threshold_leaves_less_than_two_inside():
    boxes = torch.tensor([[0.0, 0, 10, 20], [12, 0, 22, 20], [0, 0, 22, 20]])
    found = Detections(boxes, torch.tensor([0.5, 0.3, 0.9]), torch.zeros(3, dtype=torch.int64))
    assert sweep_counts(found, [0], [0.2, 0.4], [0.7], False).tolist() == [[[2], [2]]]
    assert sweep_counts(found, [0], [0.2, 0.4], [0.7], False, drop_groups=False).tolist() == [[[3], [2]]]


@pytest.mark.parametrize("across_classes", [False, True])
def test_every_setting_counts_what_a_run_of_it_counts(config, across_classes):
    low = DetectConfig(**{**vars(config), "box_threshold": 0.2, "nms_across_classes": across_classes})
    pipeline = DetectPipeline(low, Runner(RUNNER))
    thresholds, ious = [0.2, 0.4, 0.45], [0.3, 1.0]
    swept = {
        outcome.item.id: sweep_counts(outcome.result, pipeline.places, thresholds, ious, across_classes)
        for outcome in pipeline.detect(samples(low))
    }
    several = set()
    for row, iou in enumerate(ious):
        for column, threshold in enumerate(thresholds):
            once = DetectConfig(**{**vars(low), "box_threshold": threshold, "nms_iou": iou})
            counts = counts_of(once)
            assert {key: found[row, column].tolist() for key, found in swept.items()} == counts
            several.add(str(counts))
    assert len(several) > 4


@pytest.mark.parametrize("metric", ["mae", "rmse", "exact"])
def test_the_metric_is_that_of_scikit_learn(metric):
    random = np.random.default_rng(0)
    said, true = random.poisson(1.0, (30, 2, 4, 3)), random.poisson(1.0, (30, 3))
    costs = np.stack([cost(of_photo, expected, metric) for of_photo, expected in zip(said, true, strict=True)])
    found = sweep(costs, metric=metric)
    chosen = said[:, 1, 2]
    expected = {
        "mae": mean_absolute_error(true, chosen),
        "rmse": root_mean_squared_error(true.ravel(), chosen.ravel()),
        "exact": (chosen == true).mean(),
    }[metric]
    assert found.value(found.of(Setting(0.3, 1.0))) == pytest.approx(expected)


# --- the choice


@pytest.mark.parametrize(
    ("costs", "best"),
    [
        ([[[3, 2, 1, 2], [3, 2, 2, 2]]], Setting(0.3, 0.5)),
        ([[[1, 1, 1, 2], [1, 1, 1, 0.5]]], Setting(0.4, 1.0)),
        ([[[1, 1, 1, 1], [1, 1, 1, 1]]], DEFAULT),  # no reason to change anything
        ([[[2, 3, 2, 2], [2, 3, 2, 2]]], Setting(0.3, 0.5)),  # the middle of those that tie, next to the default's IoU
    ],
)
def test_the_best_setting(costs, best):
    assert sweep(costs).best() == best


def test_the_best_on_some_photos():
    found = sweep([[[0, 1, 1, 1]], [[1, 1, 1, 0]]])
    assert found.best(np.array([True, False])).box_threshold == 0.1
    assert found.best(np.array([False, True])).box_threshold == 0.4


def test_a_gain_that_is_luck_does_not_move_the_default():
    """Each photo has a threshold at which it alone is right: choosing it on the others is worth nothing."""
    costs = np.ones((3, 1, 4))
    costs[[0, 1, 2], 0, [0, 2, 3]] = 0
    found = judge(sweep(costs, metric="exact"), folds=3, full_above=[0.0] * 3)
    assert (found.default_value, found.chosen_value, found.honest_value) == (0, pytest.approx(1 / 3), 0)
    assert found.chosen != found.kept == DEFAULT


def test_a_gain_on_every_photo_is_kept_and_saturation_is_that_of_the_kept_threshold():
    found = judge(sweep([[[2, 2, 1, 2]]] * 10), folds=5, full_above=[0.35, 0.3, 0.25, *[0.0] * 7])
    assert found.kept == found.chosen == Setting(0.3, 0.5)
    assert (found.default_value, found.chosen_value, found.honest_value) == (2, 1, 1)
    assert found.saturated == 1


def test_every_photo_is_held_out_once():
    """One photo differs: it meets what the others chose without it."""
    costs = np.tile([[1.0, 1.0, 0.0, 1.0]], (6, 1))[:, None]
    costs[4] = [[1.0, 1.0, 3.0, 0.0]]
    assert sweep(costs).out_of_fold(6).tolist() == [0, 0, 0, 0, 3, 0]


# --- the command


def test_the_settings_that_made_the_truth_are_found(config, tmp_path, capsys):
    wanted = DetectConfig(**{**vars(config), "box_threshold": 0.45, "nms_iou": 0.7})
    truth = truth_of(tmp_path / "truth.csv", counts_of(wanted), PROMPTS)
    out = tmp_path / "new" / "found.yaml"
    settings = DetectCalibration(truth=truth, metric="mae", folds=3, settings_out=out)
    found = calibrate(config, settings)
    assert found.chosen_value == 0 < found.default_value
    assert found.honest_value < found.default_value
    assert found.photos == 7
    written = load_config(out, DetectConfig)
    assert Setting(written.box_threshold, written.nms_iou) == found.kept == found.chosen
    assert counts_of(written) == counts_of(wanted)
    assert DetectConfig(**{**vars(written), "box_threshold": 0.35, "nms_iou": 0.5}) == config
    with Image.open(out.with_suffix(".png")) as picture:
        assert picture.format == "PNG" and len(picture.convert("RGB").getcolors(1 << 20)) > 100
    assert "counts better than the default" in capsys.readouterr().out


def test_a_threshold_left_open_is_the_detectors_own(config, tmp_path):
    open_ = DetectConfig(**{**vars(config), "box_threshold": None})
    truth = truth_of(tmp_path / "truth.csv", counts_of(config), PROMPTS)
    out = tmp_path / "found.yaml"
    found = calibrate(open_, DetectCalibration(truth=truth, folds=3, settings_out=out))
    assert found.default == Setting(0.3, 0.5)
    written = load_config(out, DetectConfig)
    assert (written.model, written.box_threshold) == ("auto", found.kept.box_threshold)


def test_the_default_stays_where_it_is_best(config, tmp_path, capsys):
    truth = truth_of(tmp_path / "truth.csv", counts_of(config), PROMPTS)
    settings = DetectCalibration(truth=truth, folds=2, settings_out=tmp_path / "found.yaml", plot=tmp_path / "a.png")
    found = calibrate(config, settings)
    assert found.kept == found.chosen == found.default
    assert found.default_value == found.honest_value == 0
    assert "the default stays" in capsys.readouterr().out
    assert (tmp_path / "a.png").exists() and not (tmp_path / "found.png").exists()


def test_saturation_is_judged_at_the_threshold_and_not_at_the_lowest(config, tmp_path, capsys):
    truth = truth_of(tmp_path / "truth.csv", counts_of(config), PROMPTS)
    out = tmp_path / "found.yaml"
    assert calibrate(config, DetectCalibration(truth=truth, folds=2, lowest=0.0, settings_out=out)).saturated == 0
    assert "every slot of the detector, so that" not in capsys.readouterr().err
    low = DetectConfig(**{**vars(config), "box_threshold": 0.0})
    truth_of(truth, counts_of(low), PROMPTS)
    assert calibrate(low, DetectCalibration(truth=truth, folds=2, lowest=0.0, settings_out=out)).saturated == 7
    assert "7 of 7 photos have a box in every slot of the detector above 0: " in capsys.readouterr().out


def test_one_prompt_some_photos_and_one_that_cannot_be_read(config, tmp_path, capsys):
    one = DetectConfig(**{**vars(config), "prompts": "개"})
    counts = dict(list(counts_of(one).items())[:5])
    folder = tmp_path / "images"
    folder.mkdir()
    for path in one.data.images.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "torn.png").write_bytes(b"no picture")
    one = DetectConfig(**{**vars(one), "data": DataConfig(images=folder)})
    truth = truth_of(tmp_path / "truth.csv", counts | {"torn.png": [3]}, ["count"])
    found = calibrate(one, DetectCalibration(truth=truth, folds=5, settings_out=tmp_path / "found.yaml"))
    assert (found.photos, found.default_value) == (5, 0)
    assert "torn.png is left out: " in capsys.readouterr().err
    with pytest.raises(InputError, match=r"a photo a fold at least \(6\), found 5"):
        calibrate(one, DetectCalibration(truth=truth, folds=6, settings_out=tmp_path / "found.yaml"))


@pytest.mark.parametrize(
    ("counts", "columns", "reason"),
    [
        ({"0.png": [1, 1]}, PROMPTS[:2], r"columns 개, 고양이, 강아지 in .*truth\.csv, found no 강아지"),
        ({"0.png": [1, 1, 1], "x.png": [1, 1, 1]}, PROMPTS, r"found 1 others, such as 'x\.png'; the run has '0\.png'"),
        ({"0.png": [1, 1, "many"]}, PROMPTS, "as numbers"),
        ({}, PROMPTS, "rows in .*truth.csv, found none"),
    ],
)
def test_a_truth_that_does_not_fit(config, tmp_path, counts, columns, reason):
    truth = truth_of(tmp_path / "truth.csv", counts, columns)
    with pytest.raises(InputError, match=reason):
        calibrate(config, DetectCalibration(truth=truth, settings_out=tmp_path / "found.yaml"))


@pytest.mark.parametrize("setting", [{"folds": 1}, {"lowest": 0.96}, {"lowest": -0.1}, {"metric": "mse"}])
def test_settings_out_of_range(setting):
    with pytest.raises(ValueError, match=r"is|Input"):
        DetectCalibration(truth=Path("truth.csv"), **setting)


@pytest.mark.skipif(not Path("mini/weights/grounding-dino").is_dir(), reason="needs mini/weights/grounding-dino")
def test_the_command_takes_the_flags_of_both(tmp_path, capsys):
    truth = tmp_path / "truth.csv"
    lines = Path("samples/detect/truth.csv").read_text(encoding="utf-8").splitlines()[:9]
    truth.write_text("\n".join(lines), encoding="utf-8")
    words = ["--config", "configs/mini/detect.yaml", "--truth", str(truth), "--metric", "exact", "--folds", "2"]
    out = tmp_path / "found.yaml"
    more = ["--settings-out", str(out), "--box-threshold", "0.9", "--progress", "false", "--device", "cpu"]
    assert main(["detect", "calibrate", *words, *more]) == 0
    assert "counts better than the default" in capsys.readouterr().out
    found = load_config(out, DetectConfig)
    assert found.box_threshold < 0.9 and found.data.images == Path("samples/detect/images")
    assert main(["detect", "calibrate", *words, "--lowest", "2"]) == 2
    assert "lowest is 0 to 0.95, not 2" in capsys.readouterr().err
