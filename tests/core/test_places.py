"""No run writes over what it reads, nor one of its outputs over another, whichever settings name them."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_type_hints

import pytest

from pipelines.__main__ import main
from pipelines.anomaly.calibrate import AnomalyCalibration
from pipelines.core.config import load_config
from pipelines.core.errors import ConfigError
from pipelines.core.places import OutputFile, OutputFolder, PictureFolder, Place, Submission, check, read, written
from pipelines.detect.calibrate import DetectCalibration
from pipelines.tasks import TASKS

PHOTO = b"a photo"


@dataclass(frozen=True)
class Settings:
    """One of each kind."""

    images: PictureFolder
    table: Path | None = None
    weights_checkpoint: str = "owner/name"
    output: Submission = Path("out/a.csv")
    boxes: OutputFile | None = None
    drawn: OutputFolder | None = None
    maps: OutputFolder | None = None


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photos/a.jpg", "photos/old.csv", "weights/config.json", "data/sample.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_bytes(PHOTO)
    Path("link").symlink_to("photos")
    Path("hard.csv").hardlink_to("data/sample.csv")
    return tmp_path


def settings(**given) -> Settings:
    paths = {key: Path(text) if key != "weights_checkpoint" else text for key, text in given.items()}
    return Settings(**{"images": Path("photos"), "table": Path("data/sample.csv")} | paths)


OVER = {
    "a table": ({"boxes": "data/sample.csv"}, "--boxes (data/sample.csv) would write over its input data/sample.csv"),
    "by another way": ({"output": "photos/../data/sample.csv"}, "(--table)"),
    "by a link": ({"output": "link/a.jpg"}, "over its input photos (--images)"),
    "by a hard link": ({"boxes": "hard.csv"}, "(--table)"),
    "a photo": ({"boxes": "photos/a.jpg"}, "over its input photos (--images)"),
    "by the record": ({"output": "weights/config.csv", "weights_checkpoint": "weights"},
                      "the run record of --output (weights/config.json) would write over its input weights"),
    "the folder of photos": ({"drawn": "photos"}, "--drawn (photos) would write over its input photos"),
    "in the folder of photos": ({"maps": "photos/maps"}, "--maps (photos/maps) would write over its input"),
    "a file by a folder": ({"drawn": "data/sample.csv"}, "(--table)"),
    "the record by the boxes": ({"boxes": "out/a.json"}, "--boxes would write over the run record of --output"),
    "the output": ({"boxes": "out/../out/a.csv"}, "--boxes would write over --output: both are"),
    "the output by its record": ({"output": "out/a.json"}, "the run record of --output would write over --output"),
    "the history": ({"output": "out/history.csv"}, "the history of --output would write over --output"),
    "the history by boxes": ({"boxes": "out/history.csv"}, "--boxes would write over the history of --output"),
    "a file and a folder": ({"boxes": "out/x", "drawn": "out/x"}, "--drawn would write over --boxes"),
}  # fmt: skip


@pytest.mark.parametrize(("given", "part"), OVER.values(), ids=OVER.keys())
def test_what_would_be_written_over(folder, given, part):
    config = settings(**given)
    with pytest.raises(ConfigError) as refused:
        check(written(config), read(config))
    assert part in str(refused.value)


CLEAR = {
    "apart": {"boxes": "out/b.json", "drawn": "out/drawn", "maps": "out/maps"},
    "a table among the photos, once more": {"output": "photos/old.csv"},
    "a new file among the photos": {"output": "photos/new.csv", "boxes": "photos/new_boxes.json"},
    "two folders in one": {"drawn": "out/beside", "maps": "out/beside"},
    "a file in a folder of outputs": {"drawn": "out", "boxes": "out/b.json"},
}


@pytest.mark.parametrize("given", CLEAR.values(), ids=CLEAR.keys())
def test_what_is_written_apart(folder, given):
    config = settings(**given)
    check(written(config), read(config))


def test_the_settings_file_is_read_too(folder):
    config = settings(output="mine.csv")
    with pytest.raises(ConfigError, match=r"record of --output .* over its input mine\.json \(--config"):
        check(written(config), read(config, Path("mine.json")))


NAMED = {"save", "output", "boxes", "top", "cache", "settings", "plot"}
"""Words that a setting begins with which a run writes."""


@pytest.mark.parametrize(
    "kind",
    [*(task.config for task in TASKS.values()), AnomalyCalibration, DetectCalibration],
    ids=lambda kind: kind.__name__,
)
def test_every_setting_that_names_an_output_is_marked(kind, tmp_path):
    """A setting of tomorrow that is called as those of today must not be forgotten."""
    hints = get_type_hints(kind, include_extras=True)
    paths = {name: hint for name, hint in hints.items() if "Path" in str(hint) and name.partition("_")[0] in NAMED}
    assert all("Written" in str(hint) for hint in paths.values()), paths


def run(task: str, *words: object) -> int:
    return main([task, "--config", f"configs/mini/{task}.yaml", *map(str, words)])


@pytest.mark.parametrize(
    ("task", "flag"),
    [("detect", "--boxes"), ("classify", "--top-file"), ("caption", "--output"), ("anomaly", "--save-maps")],
)
def test_a_run_leaves_its_sample_as_it_is(tmp_path, capsys, task, flag):
    sample = tmp_path / "sample.csv"
    sample.write_bytes(Path(f"samples/{task}/sample_submission.csv").read_bytes())
    before = sample.read_bytes()
    words = ["--sample-submission", sample, "--output", tmp_path / "out/a.csv", flag, sample]
    assert run(task, *words) == 2
    assert f"{flag} ({sample}) would write over its input {sample} (--sample-submission)" in capsys.readouterr().err
    assert main(["doctor", task, "--config", f"configs/mini/{task}.yaml", *map(str, words)]) == 2
    assert sample.read_bytes() == before and list(tmp_path.iterdir()) == [sample]


def test_boxes_do_not_become_the_run_record(tmp_path, capsys):
    assert run("detect", "--output", tmp_path / "x.csv", "--boxes", tmp_path / "x.json") == 2
    assert "--boxes would write over the run record of --output" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_ranking_is_not_written_over_its_queries(tmp_path, capsys):
    queries = tmp_path / "truth.csv"
    queries.write_text("caption\na dog\n", encoding="utf-8")
    words = [
        "search",
        "rank",
        "--config",
        "configs/mini/search.yaml",
        "--queries",
        str(queries),
        "--output",
        str(queries),
    ]
    assert main(words) == 2
    assert "--output" in capsys.readouterr().err and queries.read_text(encoding="utf-8") == "caption\na dog\n"


@pytest.mark.parametrize("task", ["detect", "anomaly"])
def test_a_calibration_does_not_write_over_its_truth_or_settings(tmp_path, capsys, task):
    truth = tmp_path / "truth.csv"
    truth.write_text("id,label\n", encoding="utf-8")
    mine = tmp_path / "mine.yaml"
    mine.write_bytes(Path(f"configs/mini/{task}.yaml").read_bytes())
    for target in (truth, mine):
        before = target.read_bytes()
        words = ["--config", mine, "--truth", truth, "--settings-out", target]
        assert main([task, "calibrate", *map(str, words)]) == 2
        assert "would write over its input" in capsys.readouterr().err and target.read_bytes() == before


def test_scores_are_not_written_over_what_is_scored(tmp_path, capsys):
    for name in ("a.csv", "history.csv"):
        (tmp_path / name).write_text("image,count\na,1\n", encoding="utf-8")
    words = ["evaluate", "detect", "--submission", tmp_path / "history.csv", "--truth", tmp_path / "a.csv"]
    assert main(list(map(str, words))) == 2
    assert "the history" in capsys.readouterr().err
    assert (tmp_path / "history.csv").read_text(encoding="utf-8") == "image,count\na,1\n"


def test_the_page_of_a_comparison_is_not_the_merged_file(tmp_path, capsys):
    files = [tmp_path / name for name in ("a.csv", "b.csv")]
    for path in files:
        path.write_text("image,count\na,1\n", encoding="utf-8")
    both = ["--merge", "majority", "--output", tmp_path / "m.csv", "--html", tmp_path / "m.csv"]
    assert main(["compare", *map(str, [*files, *both])]) == 2
    assert "--html would write over --output" in capsys.readouterr().err


def test_the_settings_of_every_task_tell_their_places(tmp_path):
    for name, task in TASKS.items():
        config = load_config(Path(f"configs/mini/{name}.yaml"), task.config)
        assert {"--output"} <= {place.what for place in written(config)}
        assert {"--images", "--checkpoint"} <= {place.what for place in read(config)}
        check(written(config), [*read(config), Place("--config", Path(f"configs/mini/{name}.yaml"))])
