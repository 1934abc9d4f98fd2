from importlib.util import find_spec
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.core.errors import ConfigError
from pipelines.core.submission.scores import Score
from pipelines.runs.tracking import Tracking, send

ROW = {
    "task": "detect",
    "submission": "submissions/detect.csv",
    "content_hash": "sha256:0123456789ab",
    "scored_with": "truth=truth.csv",
    "settings": "box_threshold=0.3; prompts=강아지, 고양이",
}
SCORES = [Score("exact", 0.5, "numpy"), Score("exact (english)", 0.25, "numpy")]


def logged(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_nothing_is_logged_unless_asked(tmp_path):
    send(Tracking(), tmp_path / "detect.csv", ROW, SCORES)
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_has_the_scores_the_text_and_the_hyperparameters(tmp_path):
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    send(Tracking(track="tensorboard"), tmp_path / "detect.csv", ROW, SCORES)
    found = logged(tmp_path / "runs" / "detect-0123456789ab")
    assert {tag: found.Scalars(tag)[0].value for tag in found.Tags()["scalars"]} == {
        "exact": 0.5,
        "exact (english)": 0.25,
    }
    text = found.Tensors("settings/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "- box_threshold: 0.3" in text and "- scored_with: truth=truth.csv" in text
    started = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    hparams = HParamsPluginData.FromString(started).session_start_info.hparams
    assert hparams["prompts"].string_value == "강아지, 고양이" and hparams["task"].string_value == "detect"


@pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is installed")
def test_a_tracker_that_is_not_installed_says_what_to_install(tmp_path):
    with pytest.raises(ConfigError, match="pip install wandb"):
        send(Tracking(track="wandb"), tmp_path / "detect.csv", ROW, SCORES)


@pytest.fixture
def files(tmp_path) -> list[str]:
    (tmp_path / "truth.csv").write_text("image,count\na.jpg,2\n")
    (tmp_path / "detect.csv").write_text("image,count\na.jpg,2\n")
    return ["--submission", str(tmp_path / "detect.csv"), "--truth", str(tmp_path / "truth.csv")]


def test_the_flag_stands_before_or_after_the_task(tmp_path, files):
    assert main(["evaluate", "detect", *files, "--track", "tensorboard"]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    before = len(list(folder.iterdir()))
    assert main(["evaluate", "--track", "tensorboard", "detect", *files]) == 0
    assert len(list(folder.iterdir())) == 2 * before  # the same run


def test_the_settings_file_asks_for_it_and_the_flag_wins(tmp_path, files):
    config = tmp_path / "evaluate.yaml"
    config.write_text(
        f"tracking: {{track: tensorboard}}\ndetect: {{submission: {files[1]}, truth: {files[3]}}}\n", encoding="utf-8"
    )
    assert main(["evaluate", "--config", str(config), "--track", "none"]) == 0
    assert not (tmp_path / "runs").exists()
    assert main(["evaluate", "--config", str(config)]) == 0
    assert (tmp_path / "runs").is_dir()


def test_an_unknown_tracker_is_refused(files, capsys):
    assert main(["evaluate", "detect", *files, "--track", "mlflow"]) == 2
    assert "--track on the command line: expected 'none', 'tensorboard' or 'wandb'" in capsys.readouterr().err


def test_a_settings_file_without_a_task_is_refused(tmp_path, capsys):
    config = tmp_path / "evaluate.yaml"
    config.write_text("tracking: {track: none}\n")
    assert main(["evaluate", "--config", str(config)]) == 2
    assert f"expected a task's part in {config}" in capsys.readouterr().err
