"""The doctor as a user calls it: once for each task on the samples, then what it says of a run that cannot be."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.core.config import load_config
from pipelines.core.errors import InputError
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.writing import content_hash
from pipelines.runs.examine import Finding, check_memory, enforce, estimate, examine_device, examine_inputs
from pipelines.runs.history import note_run
from pipelines.tasks import TASKS
from tests.core.running.card_situations import ON_THE_CPU

ROWS = 60
RUNS = [name for name, task in TASKS.items() if task.pipeline]


def doctor(task: str, *more: str) -> int:
    return main(["doctor", task, "--config", f"configs/mini/{task}.yaml", "--device", "cpu", *more])


@pytest.mark.parametrize("task", RUNS)
def test_the_samples_are_clean(capsys, tmp_path, task):
    assert doctor(task, "--output", str(tmp_path / "new/my.csv")) == 0
    assert capsys.readouterr() == (f"{task}: no problem found in {ROWS} images and {ROWS} rows\n", "")
    assert list(tmp_path.iterdir()) == []


def test_the_plan_of_columns_is_shown(capsys, tmp_path):
    """A sample in the other language and order, with a column that nobody fills."""
    sample = tmp_path / "sample.csv"
    rows = Path("samples/detect/sample_submission.csv").read_text(encoding="utf-8").splitlines()
    ids = [row.partition(",")[0] for row in rows[1:]]
    sample.write_text(
        "".join(f"{row}\n" for row in ["id,cat,n_dogs", *(f"{key},0,0" for key in ids)]), encoding="utf-8"
    )
    words = ["--sample-submission", str(sample), "--prompts", "강아지", "고양이", "--output", str(tmp_path / "a.csv")]
    assert doctor("detect", *words) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1] == "columns: cat <- 고양이, n_dogs <- 강아지" and not captured.err
    sample.write_text(sample.read_text(encoding="utf-8").replace("n_dogs", "bird"), encoding="utf-8")
    assert doctor("detect", *words) == 2
    assert "found cat <- 고양이, bird <- ?; say what goes where" in capsys.readouterr().err


@pytest.mark.parametrize("task", RUNS)
def test_a_submission_is_checked_besides(capsys, tmp_path, task):
    path = tmp_path / "my.csv"
    shutil.copy(Path("samples") / task / "sample_submission.csv", path)
    path.write_text(path.read_text(encoding="utf-8").replace("\n", ",x\n"), encoding="utf-8")
    assert doctor(task, "--output", str(path), "--submission", str(path)) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{task}: ") and "error" in captured.out
    assert "it has x besides" in captured.err
    assert all(line.startswith(("error: ", "warning: ")) for line in captured.err.splitlines())


@pytest.mark.parametrize(
    ("task", "more", "part"),
    [
        ("detect", ["--prompts", "쀍뙭"], "expected a prompt that names what to find, found '쀍뙭'"),
        ("detect", ["--prompts", "플랑크톤"], "expected Korean prompts that the lexicon knows, found 플랑크톤"),
        ("detect", ["--prompts", "?"], "expected a prompt that names what to find"),
        ("detect", ["--prompts", "강아지", "--sample-submission", "null", "--prompt-column", "q"], "a column `q`"),
        ("anomaly", ["--images", "samples/caption/images"], "expected train/good with normal images"),
        ("anomaly", ["--images", "samples/anomaly", "--normal", "nowhere"], "expected a folder of images at nowhere"),
        ("caption", ["--images", "nowhere"], "expected a folder of images at nowhere"),
        ("caption", ["--device", "cuda:99"], "expected a device that this machine has"),
        ("detect", ["--model", "nobody"], "expected as `model` one of auto, grounding-dino (grounding-dino, mm-"),
        ("detect", ["--model", "yolo"], "(ultralytics), found mini/weights/grounding-dino, which is one of grounding-"),
        (
            "detect",
            ["--checkpoint", "mini/weights/nllb"],
            "found m2m_100; name another checkpoint, or insist with --mod",
        ),
        (
            "detect",
            ["--checkpoint", "IDEA-Research/grounding-dino-tiny", "--model", "yolo"],
            "which is one of grounding",
        ),
        ("caption", ["--model", "nobody"], "expected as `model` one of auto, blip (blip), "),
        (
            "caption",
            ["--model", "chat"],
            "found mini/weights/blip, which is one of blip; name another `model` or check",
        ),
        ("caption", ["--checkpoint", "Qwen/Qwen3-VL-4B-Instruct", "--model", "blip"], "which is one of chat"),
        ("anomaly", ["--model", "patchcor"], "expected as `model` one of auto, patchcore, padim"),
        ("caption", ["--sample-submission", "samples/detect/sample_submission.csv"], "columns that this task can fill"),
    ],
)
def test_what_a_run_would_refuse_is_said_once(capsys, task, more, part):
    assert doctor(task, *more) == 2
    assert [line[:7] for line in capsys.readouterr().err.splitlines() if part in line] == ["error: "]


def test_the_checkpoints_of_the_run_ahead_have_a_line_each(capsys, tmp_path):
    more = [
        "--config",
        "configs/caption.yaml",
        "--images",
        "samples/caption/images",
        "--output",
        str(tmp_path / "o.csv"),
    ]
    assert main(["doctor", "caption", *more, "--device", "cpu"]) == 0
    problems, captioner, translator = capsys.readouterr().out.splitlines()
    assert problems == f"caption: no problem found in {ROWS} images and {ROWS} rows"
    assert captioner.startswith("checkpoint Salesforce/blip-image-captioning-large: ")
    assert translator.startswith("translation.checkpoint facebook/nllb-200-distilled-600M: ")
    assert "CC-BY-NC-4.0 (not for commercial use)" in translator


def test_a_checkpoint_that_is_too_large_is_a_warning_and_no_error(capsys, tmp_path):
    settings = tmp_path / "large.yaml"
    settings.write_text("data: {images: samples/caption/images}\ncheckpoint: Qwen/Qwen3-VL-4B-Instruct\nmodel: chat\n")
    task = TASKS["caption"]
    config = load_config(settings, task.config, {"runner.device": "cpu", "data.output": str(tmp_path / "o.csv")})
    assert {finding.severity for finding in examine_inputs(task, config)} <= {"warning"}


def test_an_unknown_setting_is_refused_as_by_a_run(tmp_path, capsys):
    settings = tmp_path / "mine.yaml"
    settings.write_text("data: {images: samples/caption/images}\ncheckpoint: x\nbeamz: 3\n")
    assert main(["doctor", "caption", "--config", str(settings)]) == 2
    assert "unknown setting `beamz`; did you mean `beams`?" in capsys.readouterr().err


def test_findings_are_all_printed_and_the_last_error_ends_the_run(capsys):
    with pytest.raises(InputError, match="second"):
        enforce([Finding("error", "first"), Finding("warning", "look"), Finding("error", "second")])
    assert capsys.readouterr().err == "warning: look\nerror: first\n"
    enforce([Finding("warning", "look")])
    assert capsys.readouterr().err == "warning: look\n"


@pytest.mark.parametrize(("free", "severities"), [(2**30, ["warning"]), (8 * 2**30, [])])
def test_the_gpu_has_room(free, severities):
    assert [finding.severity for finding in check_memory(free)] == severities


@pytest.mark.parametrize("situation", ON_THE_CPU)
def test_a_card_that_is_not_used_is_a_warning(situation):
    facts, message = ON_THE_CPU[situation]
    expected = [] if message is None else [Finding("warning", f"this runs on the CPU: {message}")]
    assert [examine_device(RunnerConfig(), facts) for _ in range(2)] == [expected] * 2
    (refused,) = examine_device(RunnerConfig(device="cuda"), facts)
    assert refused.severity == "error" and (message or "found 'cuda'") in refused.message
    assert examine_device(RunnerConfig(device="cpu"), facts) == []


def test_a_prompt_a_row_needs_no_other_column(tmp_path):
    names = sorted(path.name for path in Path("samples/detect/images").iterdir())
    table = tmp_path / "test.csv"
    table.write_text("image,question\n" + "".join(f"{name},dog\n" for name in names), encoding="utf-8")
    task = TASKS["detect"]
    flags = {"data.sample_submission": None, "data.test_csv": str(table), "prompts": None, "prompt_column": "question",
             "data.output": str(tmp_path / "my.csv"), "runner.device": "cpu"}  # fmt: skip
    assert examine_inputs(task, load_config(Path("configs/mini/detect.yaml"), task.config, flags)) == []


def test_the_time_is_estimated_from_the_last_whole_run_of_the_model(tmp_path):
    output = tmp_path / "my.csv"
    output.write_text("image,caption\n")
    kind = TASKS["caption"].config
    config = load_config(Path("configs/mini/caption.yaml"), kind, {"data.output": str(output)})
    record = {
        "finished": "2026-01-31T13:05:09+00:00", "submission": str(output), "rows": 100, "blanks": [], "missing": 0,
        "seconds": {"total": 60.0, "setup": 10.0}, "device": "T4", "run": {}, "content_hash": content_hash(output),
        "images": 100, "stages": [{"resumed": 0}],
        "settings": {"model": "blip", "checkpoint": config.checkpoint},
    }  # fmt: skip
    output.with_suffix(".json").write_text(json.dumps(record))
    assert estimate(TASKS["caption"], config, 2000, "T4") is None
    note_run("caption", config, record)
    assert (
        estimate(TASKS["caption"], config, 2000, "T4")
        == "about 17 min for 2,000 images at 2.0 a second, as in the last run"
    )
    assert estimate(TASKS["caption"], config, 2000, "L4") is None
    other = load_config(Path("configs/mini/caption.yaml"), kind, {"data.output": str(output), "checkpoint": "other"})
    assert estimate(TASKS["caption"], other, 2000, "T4") is None
    output.with_suffix(".json").write_text(json.dumps(record | {"stages": [{"resumed": 5}]}))
    assert estimate(TASKS["caption"], config, 2000, "T4") is None
