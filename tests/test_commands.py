"""The commands as a user types them: the three tasks on the bundled models, and one line for everything that is off."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipelines.__main__ import main
from pipelines.core.model import models_of
from pipelines.tasks import TASKS

QUIET = ["--progress", "false", "--device", "cpu"]
SAMPLES = {
    "caption": sorted(Path("samples/caption/images").glob("*.jpg")),
    "detect": sorted(Path("samples/detect/images").glob("*.jpg")),
    "anomaly": sorted(Path("samples/anomaly/weave/test/hole").glob("*.jpg")),
}
NORMALS = sorted(Path("samples/anomaly/weave/train/good").glob("*.jpg"))[:6]
BLANKS = {"caption": {"caption": ""}, "detect": {"count": "0"}, "anomaly": {"label": "0", "score": "0.000000"}}


@pytest.fixture
def photos(tmp_path) -> dict[str, Path]:
    """A folder of three good pictures for each task."""
    folders = {}
    for task, paths in SAMPLES.items():
        folders[task] = tmp_path / task
        folders[task].mkdir()
        for path in paths[:3]:
            shutil.copy(path, folders[task])
    return folders


def words(task: str, images: Path, *more: str) -> list[str]:
    """A command on the bundled models, whose submission goes beside the images."""
    normal = images.parent / "normal"
    if task == "anomaly" and not normal.exists():
        normal.mkdir()
        for path in NORMALS:
            shutil.copy(path, normal)
    own = {
        "caption": [],
        "detect": ["--prompts", "강아지", "--boxes", "null"],
        "anomaly": ["--normal", str(normal), "--save-maps", "null"],
    }[task]
    settings = Path("configs/mini") / f"{task}.yaml"
    output = ["--output", str(images.parent / "out" / f"{task}.csv"), "--sample-submission", "null"]
    return [task, "--config", str(settings), "--images", str(images), *output, *own, *QUIET, *more]


def rows(images: Path, task: str) -> list[dict[str, str]]:
    with (images.parent / "out" / f"{task}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def refusal(capsys, *command: str) -> str:
    """The one line on standard error of a command that ends with exit code 2."""
    assert main(command) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    return error


@pytest.mark.parametrize("task", SAMPLES)
def test_bad_images_among_good_ones_have_blank_rows(photos, capsys, task):
    images = photos[task]
    (images / "text.jpg").write_text("no picture at all")
    torn = images / "torn.jpg"
    torn.write_bytes(SAMPLES[task][0].read_bytes()[:200])  # and no pixel
    (images / "empty.png").write_bytes(b"")
    assert main(words(task, images)) == 0
    found = {row.pop("image"): row for row in rows(images, task)}
    bad = ["empty.png", "text.jpg", "torn.jpg"]
    assert list(found) == sorted([*(path.name for path in SAMPLES[task][:3]), *bad])
    assert [found[name] for name in bad] == [BLANKS[task]] * 3
    assert "3 of 6 images could not be used" in (errors := capsys.readouterr().err)
    assert all(f"{name}: " in errors for name in bad)
    record = json.loads((images.parent / "out" / f"{task}.json").read_text())
    assert [blank["id"] for blank in record["blanks"]] == bad
    assert record["rows"] == 6 and record["device"].startswith("cpu")


@pytest.mark.parametrize("task", SAMPLES)
def test_the_samples_columns_ids_and_order_are_taken_over(photos, task):
    images = photos[task]
    sample = images.parent / "sample.csv"
    ids = [path.stem for path in reversed(SAMPLES[task][:3])]
    sample.write_text("\ufeffid,answer\r\n" + "".join(f"{key},\r\n" for key in [*ids, "not there"]))
    assert main(words(task, images, "--sample-submission", str(sample))) == 0
    found = rows(images, task)
    assert [row["id"] for row in found] == [*ids, "not there"]
    assert found[-1]["answer"] == next(iter(BLANKS[task].values()))
    assert all(row.keys() == {"id", "answer"} for row in found)


@pytest.mark.parametrize("task", SAMPLES)
def test_the_same_run_gives_the_same_bytes(photos, task):
    images, written = photos[task], []
    for _ in range(2):
        assert main(words(task, images, "--batch", "2")) == 0
        written.append((images.parent / "out" / f"{task}.csv").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("task", SAMPLES)
def test_the_batch_changes_no_answer(photos, task):
    images, written = photos[task], []
    for batch in ("3", "1"):
        assert main(words(task, images, "--batch", batch)) == 0
        written.append(rows(images, task))
    for one, other in zip(*written, strict=True):
        score, again = (float(row.pop("score", 0)) for row in (one, other))
        assert one == other
        assert score == pytest.approx(again, rel=1e-5), "sums of another order round in another way"


@pytest.mark.parametrize("task", SAMPLES)
def test_an_empty_folder(tmp_path, capsys, task):
    (tmp_path / "images").mkdir()
    error = refusal(capsys, *words(task, tmp_path / "images"))
    assert str(tmp_path / "images") in error and "found none" in error


@pytest.mark.parametrize("task", SAMPLES)
def test_only_bad_images_write_nothing(photos, capsys, task):
    images = photos[task]
    for path in images.iterdir():
        path.write_text("no picture at all")
    error = refusal(capsys, *words(task, images))
    assert "expected at least one picture that can be" in error and "none of these inside" in error
    assert not (images.parent / "out" / f"{task}.csv").exists()


@pytest.mark.parametrize("task", SAMPLES)
@pytest.mark.parametrize(
    ("more", "parts"),
    [
        (["--id-column", "image"], ["sample.csv", "column `image`", "id, answer"]),
        (["--runner.batch", "0"], ["batch is at least 1", "yaml"]),
        (["--runner.precision", "fp8"], ["runner.precision", "'fp8'"]),
        (["--checkpoint", "/no/such/folder"], ["/no/such/folder", "found nothing"]),
    ],
)
def test_settings_that_cannot_be(photos, capsys, task, more, parts):
    sample = photos[task].parent / "sample.csv"
    sample.write_text(f"id,answer\n{SAMPLES[task][0].name},\n")
    error = refusal(capsys, *words(task, photos[task], "--sample-submission", str(sample), *more))
    assert all(part in error for part in parts), error


@pytest.mark.parametrize("task", SAMPLES)
def test_a_column_that_nobody_can_fill(photos, capsys, task):
    sample = photos[task].parent / "sample.csv"
    sample.write_text(f"id,one,two,three\n{SAMPLES[task][0].name},,,\n")
    error = refusal(capsys, *words(task, photos[task], "--sample-submission", str(sample)))
    assert "sample.csv" in error and "--columns" in error


@pytest.mark.parametrize("task", SAMPLES)
def test_a_checkpoint_without_weights(photos, tmp_path, capsys, task):
    weights = {"caption": "blip", "detect": "grounding-dino", "anomaly": "backbone"}[task]
    folder = tmp_path / "bare"
    shutil.copytree(Path("mini/weights") / weights, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    error = refusal(capsys, *words(task, photos[task], "--checkpoint", str(folder)))
    assert str(folder) in error and "expected weights" in error


@pytest.mark.parametrize("task", SAMPLES)
def test_an_unknown_setting_names_the_nearest(photos, tmp_path, capsys, task):
    settings = tmp_path / "settings.yaml"
    settings.write_text(Path(f"configs/mini/{task}.yaml").read_text() + "chekpoint: x\n")
    error = refusal(capsys, *words(task, photos[task], "--config", str(settings)))
    assert "settings.yaml: unknown setting `chekpoint`; did you mean `checkpoint`?" in error


@pytest.mark.parametrize("prompt", ["", "   ", "."])
def test_a_prompt_that_names_nothing(photos, capsys, prompt):
    error = refusal(capsys, *words("detect", photos["detect"], "--prompts", prompt))
    assert f"expected a prompt that names what to find, found {prompt!r}" in error


def test_a_sample_of_other_ids(photos, capsys):
    sample = photos["caption"].parent / "sample.csv"
    sample.write_text("id,caption\nphoto_1,\nphoto_2,\n")
    error = refusal(capsys, *words("caption", photos["caption"], "--sample-submission", str(sample)))
    assert "sample.csv" in error and "photo_1" in error and "seems to be of another version" in error


def test_an_output_that_cannot_be_written(photos, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    error = refusal(capsys, *words("caption", photos["caption"], "--output", str(tmp_path / "file" / "out.csv")))
    assert "file is no folder" in error


def test_evaluate_prints_a_table_and_writes_it(photos, tmp_path, capsys):
    truth = tmp_path / "truth.csv"
    truth.write_text("image,count\na.jpg,2\nb.jpg,0\n")
    submission = tmp_path / "submission.csv"
    submission.write_text("image,count\nb.jpg,0\na.jpg,1\n")
    assert main(["evaluate", "detect", "--submission", str(submission), "--truth", str(truth)]) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert table[0] == ["detect", "value", "by"]
    assert ["mae", "0.5", "numpy"] in [line[:3] for line in table]
    record = json.loads((tmp_path / "submission.scores.json").read_text(encoding="utf-8"))
    assert {score["name"]: score["value"] for score in record["scores"]}["mae"] == 0.5
    assert record["submission"] == str(submission)


def test_evaluate_says_what_it_lacks(capsys):
    with pytest.raises(SystemExit):
        main(["evaluate"])
    assert "expected a task (caption, detect, anomaly" in capsys.readouterr().err
    assert "the setting `truth` is missing" in refusal(capsys, "evaluate", "detect", "--submission", "a.csv")
    files = ["--submission", "a.csv", "--truth", "b.csv"]
    assert "preset is one of" in refusal(capsys, "evaluate", "caption", *files, "--preset", "mine")


def test_evaluate_takes_the_submissions_that_are_there(tmp_path, monkeypatch, capsys):
    config = str(Path("configs/mini/evaluate.yaml").resolve())
    truth = Path("samples/detect/truth.csv").resolve()
    monkeypatch.chdir(tmp_path)
    assert "found none; make submissions" in refusal(capsys, "evaluate", "--config", config)
    for folder in (tmp_path / "submissions", tmp_path / "samples/detect"):
        folder.mkdir(parents=True)
    shutil.copy(truth, tmp_path / "submissions/detect.csv")
    shutil.copy(truth, tmp_path / "samples/detect/truth.csv")
    assert main(["evaluate", "--config", config]) == 0
    out = capsys.readouterr().out
    assert out.startswith("detect") and "caption" not in out
    assert ["exact", "1"] in [line.split()[:2] for line in out.splitlines()]


def test_an_unknown_part_of_the_settings_is_refused(tmp_path, capsys):
    path = tmp_path / "evaluate.yaml"
    path.write_text("detekt:\n  submission: a.csv\n")
    assert "unknown part `detekt`; did you mean `detect`?" in refusal(capsys, "evaluate", "--config", str(path))


def test_a_grey_picture_is_as_good_as_any(photos):
    path = photos["caption"] / SAMPLES["caption"][0].name
    Image.open(path).convert("L").save(path)
    assert main(words("caption", photos["caption"])) == 0
    assert all(row["caption"] for row in rows(photos["caption"], "caption"))


@pytest.mark.parametrize(
    "words", ["--help", "doctor --help", "doctor detect --help", "search --help", "history --help"]
)
def test_help_imports_no_model_library(words):
    assert _imported(words) == []


@pytest.mark.parametrize("task", TASKS)
def test_a_tasks_help_imports_no_model_library(task):
    assert _imported(f"{task} --help") == []


@pytest.mark.parametrize("task", TASKS)
def test_a_tasks_help_lists_its_models(capsys, task):
    with pytest.raises(SystemExit):
        main([task, "--help"] if TASKS[task].pipeline else [task, "rank", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for models in models_of(TASKS[task].config).values():
        assert all(f"{name}: {model.help}." in said for name, model in models.items())


def _imported(words):
    """Those of the libraries that take seconds which a command imports, in a process of its own."""
    code = (
        "import sys; from pipelines.__main__ import main\n"
        f"try: main({words.split()!r})\nexcept SystemExit: pass\n"
        "print(*sorted({'torch', 'transformers', 'timm', 'cv2', 'mecab_ko'} & sys.modules.keys()), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ended.stderr.split()
