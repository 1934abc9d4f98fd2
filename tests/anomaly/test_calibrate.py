import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import f1_score

from pipelines.__main__ import main
from pipelines.anomaly.calibrate import AnomalyCalibration, calibrate, choose
from pipelines.anomaly.pipeline import AnomalyPipeline
from pipelines.anomaly.settings import AnomalyConfig, samples
from pipelines.core.config import load_config
from pipelines.core.errors import InputError
from pipelines.core.running.runner import Runner

RUNNER = {"device": "cpu", "precision": "fp32", "batch": 4, "workers": 2, "progress": False}


@pytest.fixture
def config(backbone_folder, tree, tmp_path):
    """Makes settings over the tree."""

    def make(**changes) -> AnomalyConfig:
        given = {
            "data.images": str(tree), "data.output": str(tmp_path / "out/mine.csv"), "checkpoint": str(backbone_folder),
            "input_size": 64, "runner": RUNNER, **changes,
        }  # fmt: skip
        return load_config(None, AnomalyConfig, given)

    return make


def settings(path):
    return AnomalyCalibration(truth=path, settings_out=path.parent / "out/calibrated.yaml")


def truth(folder, categories=("fine", "wide"), count=3):
    path = folder / "labels.csv"
    rows = [
        f"{category}/test/{kind}/{index:03},{int(kind == 'broken')}"
        for category in categories for kind in ("broken", "good") for index in range(count)
    ]  # fmt: skip
    path.write_text("\n".join(["id,label", *rows]) + "\n")
    return path


def test_no_labelled_images(config, tmp_path):
    (tmp_path / "labels.csv").write_text("id,label\n")
    with pytest.raises(InputError, match=r"rows below the header of .*labels\.csv, found none"):
        calibrate(config(), settings(tmp_path / "labels.csv"))


def test_the_written_settings_decide_by_the_chosen_thresholds(config, tmp_path, capsys):
    # The quantile 0 of the normals calls nearly everything anomalous.
    given = config(quantile=0.0, save_maps=str(tmp_path / "maps"))
    choices = calibrate(given, settings(truth(tmp_path)))
    assert not (tmp_path / "maps").exists() or not list((tmp_path / "maps").rglob("*.npy"))
    out = capsys.readouterr().out.splitlines()
    path = tmp_path / "out/calibrated.yaml"
    assert (
        out[0].startswith("fine (6 images, 3 anomalous): normals only: threshold") and "the second is taken" in out[0]
    )
    assert str(path) in out[-1]
    written = load_config(path, AnomalyConfig)
    assert written.threshold == {name: choice.best for name, choice in choices.items()}
    assert (written.data, written.quantile, written.save_maps) == (given.data, 0.0, given.save_maps)
    outcomes = list(AnomalyPipeline(written, Runner(written.runner))(samples(written)))
    for outcome in outcomes:
        category = outcome.item.id.split("/")[0]
        assert outcome.result.label == int(outcome.result.score > choices[category].best)
    labels = [int("broken" in outcome.item.id) for outcome in outcomes]
    assert f1_score(labels, [outcome.result.label for outcome in outcomes]) == 1


def test_a_category_without_labels_keeps_the_threshold_of_its_normals(config, tmp_path):
    choices = calibrate(config(quantile=0.0), settings(truth(tmp_path, ["fine"])))
    written = load_config(tmp_path / "out/calibrated.yaml", AnomalyConfig).threshold
    assert list(choices) == ["fine"] and list(written) == ["fine", "wide"]
    pipeline = AnomalyPipeline(given := config(quantile=0.0), Runner(given.runner))
    pipeline.fit()
    assert written == {"fine": choices["fine"].threshold, "wide": pipeline.fitted["wide"].threshold}


def test_one_category_is_one_number_and_unreadable_images_are_said(config, tree, tmp_path, capsys):
    shutil.copytree(tree / "fine", tmp_path / "one")
    (tmp_path / "one/test/good/000.png").write_text("no picture")
    path = tmp_path / "labels.csv"
    names = [f"test/{kind}/{index:03}.png" for kind in ("broken", "good") for index in range(3)]
    path.write_text("id,label\n" + "".join(f"{name},{int('broken' in name)}\n" for name in names))
    # A threshold that was fixed before is no threshold of normals only.
    choices = calibrate(config(**{"data.images": str(tmp_path / "one"), "threshold": 1e9}), settings(path))
    assert choices["all"].default < 1e9
    assert "1 of 6 labelled images are left out" in capsys.readouterr().err
    written = load_config(tmp_path / "out/calibrated.yaml", AnomalyConfig)
    assert written.threshold == choices["all"].threshold


@pytest.mark.parametrize(("labels", "message"), [("2", "labels 0 and 1 in the truth, found 2"), ("x", "found 'x'")])
def test_labels_are_checked(config, tmp_path, labels, message):
    (tmp_path / "labels.csv").write_text(f"id,label\nfine/test/good/000,{labels}\n")
    with pytest.raises(InputError, match=message):
        calibrate(config(), settings(tmp_path / "labels.csv"))


def test_a_default_that_is_as_good_stays():
    choice = choose([1.0, 2.0, 3.0, 10.0, 11.0, 12.0], [0, 0, 0, 1, 1, 1], default=5.0, seed=0)
    assert choice.best == 6.5 and choice.of_best == choice.of_default and choice.of_best.f1 == 1
    assert not choice.better and choice.threshold == 5.0


def test_a_default_that_is_too_low_is_replaced():
    choice = choose([1.0, 2.0, 3.0, 10.0, 11.0, 12.0], [0, 0, 0, 1, 1, 1], default=0.0, seed=0)
    assert choice.of_default.f1 == pytest.approx(2 / 3) and choice.of_default.macro == pytest.approx(1 / 3)
    assert choice.better and choice.threshold == 6.5


def test_out_of_fold_is_honest_where_scores_say_nothing():
    """On pure noise the best F1 is flattering, and the out-of-fold one is not."""
    rng = np.random.default_rng(0)
    choice = choose(rng.random(60).tolist(), [0, 1] * 30, default=-1.0, seed=0)
    assert choice.of_best.f1 > choice.out_of_fold.f1
    assert not choice.better  # calling all anomalous has an F1 of 2/3, which chance cannot beat


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [0, 0, 1]])
def test_too_few_labels_keep_the_default(labels):
    choice = choose([1.0, 2.0, 3.0], labels, default=2.5, seed=0)
    assert choice.out_of_fold is None and choice.threshold == 2.5


def test_the_command(tree, backbone_folder, tmp_path, capsys):
    run = [
        "--checkpoint",
        str(backbone_folder),
        "--images",
        str(tree),
        "--input-size",
        "64",
        "--sample-submission",
        "null",
    ]
    run += ["--config", "configs/mini/anomaly.yaml", "--progress", "false", "--device", "cpu", "--save-maps", "null"]
    out = ["--truth", str(truth(tmp_path)), "--settings-out", str(tmp_path / "mine.yaml")]
    assert main(["anomaly", "calibrate", *run, *out]) == 0
    assert "out of fold F1" in capsys.readouterr().out
    assert main(["anomaly", "--config", str(tmp_path / "mine.yaml"), "--output", str(tmp_path / "a.csv")]) == 0
    record = json.loads((tmp_path / "a.json").read_text())
    thresholds = {name: found["threshold"] for name, found in record["run"]["categories"].items()}
    assert load_config(tmp_path / "mine.yaml", AnomalyConfig).threshold == thresholds
