import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import timm
import torch
from PIL import Image
from timm.models import save_for_hf

from pipelines.anomaly.evaluate import score
from pipelines.anomaly.maps.files import map_path, read_map
from pipelines.anomaly.maps.heatmap import smooth
from pipelines.anomaly.models import METHODS
from pipelines.anomaly.pipeline import AnomalyPipeline
from pipelines.anomaly.settings import AnomalyConfig, samples
from pipelines.anomaly.task import TASK
from pipelines.core.config import add_flags, given_flags, load_config
from pipelines.core.errors import CheckpointError, ConfigError, InputError, SubmissionError
from pipelines.core.running.runner import Runner
from pipelines.core.running.stopping import Stop
from pipelines.runs.run import run_task

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/data"
COOKIE, MOBILENET = SHARED / "cookie", SHARED / "backbones/mobilenetv2_100.safetensors"
RUNNER = {"device": "cpu", "precision": "fp32", "batch": 4, "workers": 2, "progress": False}


@pytest.fixture
def settings(backbone_folder, tree, tmp_path):
    """Makes the settings of a run over the tree, with `changes` (dotted keys) put over them."""

    def make(**changes: Any) -> AnomalyConfig:
        base = {
            "data": {"images": str(tree), "output": str(tmp_path / "out/anomaly.csv")},
            "checkpoint": str(backbone_folder), "input_size": 64, "fit": {"dimensions": 20}, "runner": RUNNER,
        }  # fmt: skip
        path = tmp_path / "anomaly.yaml"
        path.write_text(json.dumps(base))
        return load_config(path, AnomalyConfig, {key.replace("__", "."): value for key, value in changes.items()})

    return make


def run(config: AnomalyConfig) -> list[dict[str, str]]:
    run_task(TASK, config)
    with config.data.output.open(newline="") as file:
        return list(csv.DictReader(file))


def record(config: AnomalyConfig) -> dict[str, Any]:
    return json.loads(config.data.output.with_suffix(".json").read_text())


def truth(rows: list[dict[str, str]]) -> pd.DataFrame:
    labels = ["0" if "/good/" in row["image"] else "1" for row in rows]
    return pd.DataFrame({"image": [row["image"] for row in rows], "label": labels})


def figures(rows: list[dict[str, str]], maps: Path | None = None, masks: Path | None = None) -> dict[str, float]:
    return {each.name: each.value for each in score(pd.DataFrame(rows), truth(rows), maps, masks).scores}


def test_no_normal_images(settings, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="expected train/good with normal images"):
        run(settings(data__images=str(tmp_path / "empty")))


@pytest.mark.parametrize("model", METHODS)
def test_several_categories_make_one_csv(settings, model):
    config = settings(model=model)
    rows = run(config)
    assert [row["image"] for row in rows] == [
        f"{category}/test/{kind}/{index:03}.png"
        for category in ("fine", "wide") for kind in ("broken", "good") for index in range(3)
    ]  # fmt: skip
    assert list(rows[0]) == ["image", "label", "score"]
    assert figures(rows)["image AUROC"] > 0.9
    kept = record(config)["run"]
    assert kept["models"][0]["backbone"] == "test_resnet" and len(kept["models"][0]["fingerprint"]) == 16
    for category, found in kept["categories"].items():
        assert found["normals"] == len(found["held_out"]) == 8
        assert min(found["held_out"]) <= found["threshold"] <= max(found["held_out"])
        for row in rows:
            if row["image"].startswith(category):
                own = kept["scores"][row["image"]]
                assert row["label"] == str(int(own > found["threshold"]))
                assert kept["p_values"][row["image"]] == (1 + sum(other >= own for other in found["held_out"])) / 9


def test_the_same_run_gives_the_same_bytes(settings):
    config = settings()
    run(config)
    first = config.data.output.read_bytes()
    run(config)
    assert config.data.output.read_bytes() == first


def test_sample_submission_gives_columns_ids_and_order(settings, tmp_path):
    ids = ["wide/test/good/002.png", "fine/test/broken/000", "gone", "wide/test/good/000.png"]
    sample = tmp_path / "sample.csv"
    sample.write_text("\n".join(["answer,id", *(f",{key}" for key in ids)]) + "\n")
    rows = run(settings(data__sample_submission=str(sample), data__id_column="id"))
    assert [(list(row), row["id"]) for row in rows] == [(["answer", "id"], key) for key in ids]
    assert rows[2]["answer"] == "0" and {row["answer"] for row in rows} <= {"0", "1"}


def test_names_that_only_the_tests_have_once_find_their_file(settings, tree, tmp_path):
    """`000` lies in train/good as well, but normal images and masks are never meant."""
    root = tmp_path / "one"
    shutil.copytree(tree / "fine", root)
    shutil.rmtree(root / "test/good")
    (tmp_path / "sample.csv").write_text("id,label\n000,0\n002,0\n")
    config = settings(data__images=str(root), data__sample_submission=str(tmp_path / "sample.csv"))
    assert [sample.path for sample in samples(config)] == [root / "test/broken/000.png", root / "test/broken/002.png"]


def test_two_plain_folders(settings, tree, tmp_path):
    normal, images = tmp_path / "train", tmp_path / "사진"
    shutil.copytree(tree / "fine/train/good", normal)
    shutil.copytree(tree / "fine/test", images / "sub")
    (images / "broken.jpg").write_text("no picture")
    (normal / "cut.png").write_bytes((normal / "000.png").read_bytes()[:200])
    config = settings(data__images=str(images), normal=str(normal))
    rows = run(config)
    assert [row["image"] for row in rows][:2] == ["broken.jpg", "sub/broken/000.png"]
    assert (rows[0]["label"], rows[0]["score"]) == ("0", "0.000000")
    kept = record(config)
    assert kept["run"]["categories"]["all"]["normals"] == 8
    assert list(kept["run"]["unreadable_normals"]) == [str(normal / "cut.png")]
    assert [blank["id"] for blank in kept["blanks"]] == ["broken.jpg"]


@pytest.mark.parametrize("readable", [0, 1])
def test_too_few_readable_normal_images(settings, tree, tmp_path, readable):
    normal = tmp_path / "train"
    normal.mkdir()
    (normal / "bad.png").write_text("no picture")
    for index in range(readable):
        shutil.copy(tree / f"fine/train/good/{index:03}.png", normal)
    config = settings(data__images=str(tree / "fine/test"), normal=str(normal))
    with pytest.raises(
        InputError, match=f"expected at least 2 normal images of all that can be read, found {readable}"
    ):
        run(config)
    assert not config.data.output.exists()


@pytest.mark.parametrize("model", METHODS)
def test_fewer_normal_images_than_folds(settings, tree, tmp_path, model):
    normal = tmp_path / "train"
    normal.mkdir()
    for index in range(3):
        shutil.copy(tree / f"fine/train/good/{index:03}.png", normal)
    config = settings(data__images=str(tree / "fine/test"), normal=str(normal), model=model)
    run(config)
    assert len(record(config)["run"]["categories"]["all"]["held_out"]) == 3


@pytest.mark.parametrize("model", METHODS)
def test_a_saved_model_scores_the_same_without_normal_images(settings, tree, tmp_path, model):
    folder, root = tmp_path / "kept", tmp_path / "tests only"
    config = settings(model=model, save_fitted=str(folder))
    run(config)
    first = config.data.output.read_bytes()
    for category in ("fine", "wide"):
        shutil.copytree(tree / category / "test", root / category / "test")
    run(settings(model=model, fitted=str(folder), data__images=str(root)))
    assert config.data.output.read_bytes() == first
    auto = settings(fitted=str(folder), data__images=str(root))
    run(auto)
    assert auto.data.output.read_bytes() == first and record(auto)["settings"]["model"] == model
    with pytest.raises(CheckpointError, match="was fitted with"):
        run(settings(model=model, fitted=str(folder), strides=[8]))


@pytest.fixture(scope="module")
def dino(tmp_path_factory) -> Path:
    """A DINOv2 with registers, its patches 14 pixels wide, with three small blocks of random weights."""
    folder = tmp_path_factory.mktemp("dino")
    torch.manual_seed(7)
    options = {"depth": 3, "embed_dim": 48, "num_heads": 2, "num_classes": 0, "img_size": 112}
    save_for_hf(timm.create_model("vit_small_patch14_reg4_dinov2", **options), folder, safe_serialization=True)
    return folder


@pytest.mark.parametrize("model", METHODS)
def test_a_transformer_is_read_at_a_multiple_of_its_patch(settings, dino, tmp_path, capfd, model):
    changes = {"model": model, "checkpoint": str(dino)}
    config = settings(**changes, save_fitted=str(tmp_path / "kept"), save_maps=str(tmp_path / "maps"))
    rows = run(config)
    assert figures(rows)["image AUROC"] > 0.7
    told = capfd.readouterr().err
    assert told.count("pictures have 70 px instead of 64 px: its patches have 14 px\n") == 1
    assert told.count("all its 3 levels have the stride 14; those of out_indices [1, 2] are read\n") == 1
    used = record(config)["run"]["models"][0]
    assert (used["input_size"], used["out_indices"]) == ([70, 70], [1, 2])
    assert np.load(tmp_path / "maps/fine/test/broken/000.npy").shape == (70, 70)
    extractor = AnomalyPipeline(config, Runner(config.runner)).extractor
    assert extractor.features(extractor.prepare(samples(config)[:2])).shape[:3] == (2, 5, 5)

    before = config.data.output.read_bytes()
    for size in (None, 64, 70):
        run(settings(**changes, fitted=str(tmp_path / "kept"), input_size=size))
        assert config.data.output.read_bytes() == before
    with pytest.raises(CheckpointError, match=r"was fitted with \(input_size: \[70, 70\]\), found .*84"):
        run(settings(**changes, fitted=str(tmp_path / "kept"), input_size=84))


def test_a_model_fitted_before_sizes_were_rounded_scores_at_its_own(settings, dino, tmp_path):
    """256 px in patches of 14 were 18 x 18 of them and 4 px that were not seen; its scores stay what they were."""
    changes = {"checkpoint": str(dino), "input_size": 64}
    run(settings(**changes, save_fitted=str(tmp_path / "kept")))
    described = json.loads((tmp_path / "kept/fitted.json").read_text())
    described["backbone"] |= {"input_size": [64, 64]}
    (tmp_path / "kept/fitted.json").write_text(json.dumps(described))
    config = settings(**changes, fitted=str(tmp_path / "kept"))
    run(config)
    assert record(config)["run"]["models"][0]["input_size"] == [64, 64]


def test_heatmaps_lie_where_the_photos_do(settings, tree, tmp_path):
    run(settings(save_images=str(tmp_path / "heat")))
    written = sorted(path.relative_to(tmp_path / "heat").as_posix() for path in (tmp_path / "heat").rglob("*.*"))
    assert len(written) == 12 and written[0] == "fine/test/broken/000.png.jpg"
    photo = cv2.imread(str(tree / "fine/test/broken/000.png"))
    drawn = cv2.imread(str(tmp_path / "heat" / written[0]))
    assert drawn.shape == photo.shape and not np.array_equal(drawn, photo)


def test_maps_are_the_smoothed_scores_of_the_pixels(settings, tree, tmp_path):
    config = settings(save_maps=str(tmp_path / "maps"))
    run(config)
    written = sorted(path.relative_to(tmp_path / "maps").as_posix() for path in (tmp_path / "maps").rglob("*.*"))
    assert len(written) == 12 and written[0] == "fine/test/broken/000.npy"
    outcomes = list(AnomalyPipeline(config, Runner(config.runner))(samples(config)))
    heat = np.load(tmp_path / "maps/fine/test/broken/000.npy")
    assert heat.dtype == np.float32 and np.array_equal(heat, smooth(outcomes[0].result.map, (64, 64)).numpy())


@pytest.mark.parametrize("name", ["save_maps", "save_images"])
def test_folders_that_cannot_be_written_are_refused_before_the_work(settings, tmp_path, name):
    (tmp_path / "taken").touch()
    config = settings(**{name: str(tmp_path / "taken/maps")})
    with pytest.raises(SubmissionError, match="its folder cannot be made"):
        AnomalyPipeline(config, Runner(config.runner))


def test_images_that_differ_by_their_ending_have_maps_of_their_own(settings, tree, tmp_path):
    images, maps = tmp_path / "images", tmp_path / "maps"
    shutil.copytree(tree / "fine/test", images)
    Image.open(images / "broken/000.png").save(images / "good/000.jpg")
    changes = {"data__images": str(images), "normal": str(tree / "fine/train/good")}
    config = settings(**changes, save_maps=str(maps), save_images=str(tmp_path / "heat"))
    assert len(run(config)) == 7
    heats = [read_map(map_path(maps, f"good/000.{ending}")) for ending in ("png", "jpg")]
    assert not np.array_equal(*heats)
    assert len(list(maps.rglob("*.npy"))) == len(list((tmp_path / "heat").rglob("*.jpg"))) == 7
    assert (maps / "good/001.npy").exists()  # as ever
    (images / "good/000.jpg").unlink()
    run(config)
    assert np.array_equal(read_map(map_path(maps, "good/000.png")), heats[0])
    assert (maps / "good/000.npy").exists()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, lambda held_out: np.quantile(held_out, 0.95)),
        ({"quantile": 0.5}, lambda held_out: np.quantile(held_out, 0.5)),
        ({"threshold": "quantile", "quantile": 0.5}, lambda held_out: np.quantile(held_out, 0.5)),
        ({"threshold": "rate", "false_positive_rate": 0.25}, lambda held_out: sorted(held_out)[6]),
        ({"threshold": 0.125}, lambda _: 0.125),
        ({"threshold": {"fine": 0.125, "wide": 0.125, "other": 1}}, lambda _: 0.125),
    ],
)
def test_thresholds(settings, tmp_path, changes, expected):
    run(config := settings(**changes, save_fitted=str(tmp_path / "kept")))
    found = record(config)["run"]["categories"]["fine"]
    assert found["threshold"] == pytest.approx(expected(found["held_out"]))
    run(config := settings(fitted=str(tmp_path / "kept")))
    assert record(config)["run"]["categories"]["fine"] == found
    run(config := settings(fitted=str(tmp_path / "kept"), **{"threshold": "quantile", **changes}))
    assert record(config)["run"]["categories"]["fine"] == found


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"threshold": {"fine": 1.0}}, ConfigError, r"each category \(fine, wide\), found none for wide"),
        ({"threshold": "rate"}, InputError, "at least 19 normal images for a false-positive rate of 0.05, found 8"),
    ],
)
def test_thresholds_that_cannot_be_are_refused_before_the_work(settings, changes, error, message):
    config = settings(**changes)
    with pytest.raises(error, match=message):
        AnomalyPipeline(config, Runner(config.runner))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_size": [64, 64, 3]}, "input_size is one or two sides of at least 32"),
        ({"input_size": 8}, "input_size is one or two sides of at least 32"),
        ({"strides": []}, "at least one level"),
        ({"mean": [0.5]}, "mean and std have 3 values"),
        ({"folds": 1}, "folds is at least 2"),
        ({"quantile": 1.5}, "quantile from 0 to 1"),
        ({"false_positive_rate": 0}, "false_positive_rate is above 0 and below 1, not 0"),
        ({"threshold": "median"}, "--threshold on .*: expected 'quantile' or 'rate' or .*'median'"),
        ({"threshold": float("nan")}, "--threshold on the command line: expected .* a finite number .* found nan"),
        ({"fit__coreset": 0}, "coreset is above 0 and at most 1, not 0"),
        ({"fit__most": 0}, "at least 1"),
        ({"fitted": "a", "normal": "b"}, "fitted stands for a model that is fitted already"),
        ({"neighbours": 3}, "unknown setting `neighbours`; did you mean `fit.neighbours`"),
    ],
)
def test_settings_are_checked(settings, changes, message):
    with pytest.raises(ConfigError, match=message):
        run(settings(**changes))


def test_heatmaps_never_write_over_the_photos(settings, tree):
    with pytest.raises(ConfigError, match=r"save_images lies in data\.images"):
        settings(save_images=str(tree / "fine"))


def test_flags_reach_every_setting(settings):
    import argparse

    parser = argparse.ArgumentParser()
    add_flags(parser, AnomalyConfig)
    words = "--input-size 64 96 --coreset 0.5 --strides 4 8 --backbone-options {pad_type:\\ same} --save-images heat"
    flags = given_flags(parser.parse_args([word.replace("\\", " ") for word in words.replace("\\ ", "\\").split()]))
    config = settings(**flags)
    assert (config.size_hw, config.fit.coreset, config.strides) == ((64, 96), 0.5, [4, 8])
    assert config.backbone_options == {"pad_type": "same"} and config.save_images == Path("heat")


@pytest.mark.parametrize("name", ["configs/anomaly.yaml", "configs/mini/anomaly.yaml"])
def test_bundled_settings_are_valid(name):
    assert load_config(ROOT / name, AnomalyConfig).model == "auto"


@pytest.mark.skipif(not (COOKIE.is_dir() and MOBILENET.is_file()), reason=f"no real inspection set in {SHARED}")
def test_real_inspection_set(settings, tmp_path):
    rows = run(
        settings(
            data__images=str(COOKIE), checkpoint=str(MOBILENET), backbone="mobilenetv2_100", input_size=256,
            backbone_options={"pad_type": "same"}, mean=[0.5] * 3, std=[0.5] * 3, save_maps=str(tmp_path / "maps"),
        )
    )  # fmt: skip
    assert len(rows) == 46
    found = figures(rows, tmp_path / "maps", COOKIE)
    assert found["image AUROC"] >= 0.98
    assert found["pixel AUROC"] >= 0.95
    assert found["macro-F1"] >= 0.9


BUNDLED = ROOT / "mini/weights/backbone"


@pytest.mark.skipif(not BUNDLED.is_dir(), reason=f"no bundled backbone in {BUNDLED}")
def test_bundled_backbone_on_the_bundled_samples(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    maps = tmp_path / "maps"
    overrides = {"data.output": str(tmp_path / "anomaly.csv"), "runner.progress": False, "save_maps": str(maps)}
    overrides |= {"folds": 2}  # they find the threshold, which the figures here do without
    rows = run(load_config(Path("configs/mini/anomaly.yaml"), AnomalyConfig, overrides))
    found = figures(rows, maps, Path("samples/anomaly"))
    assert found["image AUROC, mean of categories"] > 0.9
    assert found["pixel AUROC, mean of categories"] > 0.9


def test_runner_is_the_only_one_to_choose_a_device(settings):
    config = settings()
    runner = Runner(config.runner)
    pipeline = AnomalyPipeline(config, runner)
    pipeline.fit()
    assert [report.name for report in runner.reports] == ["features fine", "features wide"]
    assert all(fitted.scorer.bank.device == runner.device for fitted in pipeline.fitted.values())


def test_who_watches_is_told_of_every_fold(settings):
    config, told = settings(), []
    AnomalyPipeline(config, Runner(config.runner, watch=lambda *each: told.append(each))).fit()
    assert [each for each in told if each[0] == "fit fine"] == [("fit fine", fold, 6) for fold in range(6)]


def test_a_fit_on_a_part_of_each_picture_finds_the_same(settings):
    """A bank of at most 4 patches has 80 candidates, 10 of the 64 patches of each of 8 pictures."""
    rows = run(config := settings(fit__most=4))
    assert figures(rows)["image AUROC"] > 0.9
    kept = record(config)
    assert {stage["name"] for stage in kept["stages"]} >= {"features fine", "held-out fine", "score"}
    for found in kept["run"]["categories"].values():
        assert found["normals"] == len(found["held_out"]) == 8 and min(found["held_out"]) > 0
    first = config.data.output.read_bytes()
    run(config)
    assert config.data.output.read_bytes() == first


def test_a_picture_that_is_gone_when_it_is_read_again(settings, tree, tmp_path):
    normal = tmp_path / "train"
    shutil.copytree(tree / "fine/train/good", normal)
    config = settings(data__images=str(tree / "fine/test"), normal=str(normal), fit__most=4)

    def watch(stage: str, done: int, total: int | None) -> None:
        if stage == "fit all":
            (normal / "003.png").unlink(missing_ok=True)

    with pytest.raises(InputError, match=r"expected .*003\.png as it was a moment ago, but: .*003\.png"):
        AnomalyPipeline(config, Runner(config.runner, watch=watch)).fit()


class Asked(Stop):
    """Counts how often it is asked, before each batch and each fit; the run is killed at one of these moments."""

    def __init__(self, killed_at: int = 10_000) -> None:
        super().__init__()
        self.killed_at, self.count = killed_at, 0

    def due(self, expected: float = 0.0) -> bool:
        self.count += 1
        if self.count == self.killed_at:
            raise KeyboardInterrupt
        return False


def asked(config: AnomalyConfig, stop: Asked) -> Asked:
    run_task(TASK, config, stop=stop)
    return stop


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_run_that_was_killed_goes_on_with_its_fits_and_writes_the_same(settings, tmp_path, share):
    whole = settings(data__output=str(tmp_path / "whole.csv"))
    every = asked(whole, Asked()).count
    config = settings(save_maps=str(tmp_path / "maps"))
    with pytest.raises(KeyboardInterrupt):
        asked(config, Asked(killed_at=round(share * every)))
    assert not config.data.output.exists()
    assert asked(config, Asked()).count < every - round(share * every) / 3  # the features come again, and no fit
    assert config.data.output.read_bytes() == whole.data.output.read_bytes()
    assert len(list((tmp_path / "maps").rglob("*.npy"))) == 12
    assert list(tmp_path.rglob("*.run")) == []
