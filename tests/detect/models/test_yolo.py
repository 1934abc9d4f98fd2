import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_model

from pipelines.core.errors import CheckpointError, InputError
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.models.yolo import Yolo, architecture_of, ultralytics_module
from tests.detect.conftest import assert_same
from tests.detect.tiny import YOLO_NAMES, random_yolo


@pytest.fixture(scope="module")
def yolo(yolo_folder) -> Yolo:
    return Yolo(yolo_folder, 0.3)


def detect(yolo, sample, classes):
    return next(Runner(RunnerConfig(batch=1, progress=False, device="cpu")).run(yolo, [Query(sample, classes)])).result


def test_no_classes_find_nothing(yolo, photos):
    assert len(detect(yolo, photos[0], ())) == 0


def test_closed_classes_are_listed(yolo):
    yolo.check(["dog", "Cat"])
    with pytest.raises(InputError, match=r"dog, cat, traffic light.* found zebra, cow"):
        yolo.check(["dog", "zebra", "cow"])


def test_class_ids_are_places_in_the_query(yolo, photos):
    both = detect(yolo, photos[1], ("cat", "dog"))
    swapped = detect(yolo, photos[1], ("dog", "cat"))
    assert set(both.class_ids.tolist()) == {0, 1}
    assert both.class_ids.tolist() == (1 - swapped.class_ids).tolist()
    alone = detect(yolo, photos[1], ("dog",))
    assert len(alone) == (both.class_ids == 1).sum()


def test_boxes_are_those_of_ultralytics_own_nms(yolo, photos):
    """Ultralytics' own threshold, NMS and scaling of boxes, on the same pixels."""
    nms = ultralytics_module("ultralytics.utils.nms")
    ops = ultralytics_module("ultralytics.utils.ops")
    query = Query(photos[1], ("dog", "cat", "traffic light"))  # 60x90
    batch = yolo.prepare([query])
    assert batch["pixels"].shape == (1, 3, 64, 64)
    assert batch["resized_hw"].tolist() == [[64, 43]]
    with torch.inference_mode():
        (found,) = yolo.predict(batch)
        values = (batch["pixels"] / 255).masked_fill(~batch["mask"][:, None], 114 / 255)
        (theirs,) = nms.non_max_suppression(yolo.module(values)[0].clone(), 0.3, 1.0, max_det=1000)
    boxes = ops.scale_boxes((64, 43), theirs[:, :4].clone(), (90, 60), padding=False)
    assert len(found) > 10
    # Theirs divides both sides by one scale, where 60 px became 43 and not 42.7.
    assert_same(found, Detections(boxes, theirs[:, 4], theirs[:, 5].long()), pixels=0.6)


@pytest.mark.parametrize("architecture", ["yolov8n", "yolov10n", "yolo26n"])
def test_other_architectures(architecture, tmp_path, photos):
    settings = {"model_type": "ultralytics", "architecture": architecture, "image_size": 64, "names": ["dog"]}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    save_model(random_yolo(architecture, 1), tmp_path / "model.safetensors")
    assert len(detect(Yolo(tmp_path, 0.1), photos[0], ("dog",))) > 0


@pytest.mark.parametrize(
    "name",
    ["", "yolo", "yolo11", "yolo11q", "yolo11n-seg", "../yolo11n", "yolo11n.yaml", "https://x/yolo11n", "rtdetr-l"],
)
def test_only_detectors_that_ship_with_ultralytics(name):
    with pytest.raises(CheckpointError, match="expected"):
        architecture_of(name)


def test_a_description_in_the_working_directory_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "yolo11n.yaml").write_text("activation: print('code')")
    monkeypatch.chdir(tmp_path)
    assert "activation" not in architecture_of("yolo11n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_type": "blip"}, "of a YOLO"),
        ({"architecture": 11}, "of a YOLO"),
        ({"names": []}, "class names"),
        ({"names": {"0": "dog"}}, "class names"),
        ({"names": [*YOLO_NAMES, "cow"]}, "do not fit"),
        ({"architecture": "yolo11s"}, "do not fit"),
    ],
)
def test_a_folder_that_does_not_fit(yolo_folder, tmp_path, change, reason):
    folder = shutil.copytree(yolo_folder, tmp_path / "yolo")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | change))
    with pytest.raises(CheckpointError, match=reason):
        Yolo(folder, 0.3)


def test_ultralytics_is_imported_late_and_leaves_home_and_network_alone(tmp_path):
    """Late, because its licence (AGPL-3.0) is to concern only those who choose a YOLO."""
    code = (
        "import sys, pipelines.detect.pipeline\n"
        "assert not any(name.startswith('ultralytics') for name in sys.modules)\n"
        "from pipelines.detect.models.yolo import ultralytics_module\n"
        "assert ultralytics_module('ultralytics.utils').ONLINE is False\n"
    )
    variables = {key: value for key, value in os.environ.items() if not key.startswith("YOLO_")}
    variables |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    subprocess.run([sys.executable, "-c", code], env=variables, check=True)
    assert [path for path in tmp_path.rglob("*") if "ltralytics" in path.name] == []
