import json

import pytest
import torch

from pipelines.core.errors import CheckpointError
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.detect.boxes.detections import Query
from pipelines.detect.convert import convert, main
from pipelines.detect.models.yolo import Yolo
from tests.detect.tiny import random_yolo


class Bomb:
    """What a hostile .pt holds: unpickling it runs a function."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def network():
    network = random_yolo("yolo11n", 2)
    network.yaml["yaml_file"] = "yolo11n.yaml"
    network.names = {0: "dog", 1: "cat"}
    network.args = {"imgsz": 64}
    return network


def test_a_file_of_nothing(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"a\.pt"):
        convert(tmp_path / "a.pt", tmp_path / "made")


def test_what_was_converted_finds_the_same(network, photos, tmp_path, capsys):
    torch.save({"model": network, "ema": None, "epoch": -1}, tmp_path / "best.pt")
    assert main([str(tmp_path / "best.pt"), str(tmp_path / "made")]) == 0
    settings = json.loads((tmp_path / "made" / "config.json").read_text())
    assert settings == {
        "model_type": "ultralytics", "architecture": "yolo11n", "image_size": 64, "names": ["dog", "cat"]
    }  # fmt: skip
    yolo = Yolo(tmp_path / "made", 0.3)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(yolo.module.state_dict()[name], tensor)
    found = next(Runner(RunnerConfig(batch=1, progress=False)).run(yolo, [Query(photos[0], ("dog", "cat"))]))
    assert len(found.result) > 0


def test_code_in_the_file_does_not_run(network, tmp_path, capsys):
    torch.save({"model": network, "more": Bomb(tmp_path / "ran")}, tmp_path / "bad.pt")
    assert main([str(tmp_path / "bad.pt"), str(tmp_path / "made")]) == 2
    assert "error: expected an ultralytics checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "made").exists()


def test_an_architecture_of_ones_own_is_refused(network, tmp_path):
    network.yaml["yaml_file"] = "mine.yaml"
    torch.save({"model": network}, tmp_path / "mine.pt")
    with pytest.raises(CheckpointError, match="'mine'"):
        convert(tmp_path / "mine.pt", tmp_path / "made")


def test_a_missing_file(tmp_path, capsys):
    assert main([str(tmp_path / "no.pt"), str(tmp_path)]) == 2
    assert "found nothing" in capsys.readouterr().err
