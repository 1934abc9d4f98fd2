import csv
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.core.config import DataConfig, schema
from pipelines.core.places import HISTORY as NAME
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.scores import Score
from pipelines.core.submission.writing import content_hash
from pipelines.runs.history import note_merge, note_run, note_scores, read_history, settings_of


@schema
class Task:
    data: DataConfig
    beams: int = 3
    prompts: list[str] | None = None
    runner: RunnerConfig = RunnerConfig(batch=16)


@schema
class Scoring:
    submission: Path
    truth: Path
    tokenizer: str = "char"


def written(path: Path, text: str = "image,count\na.jpg,1\n") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def run(path: Path, **settings: object) -> None:
    """Notes a run that has just written `path`."""
    config = Task(data=DataConfig(images=Path("photos"), output=path), **settings)
    record = {
        "submission": str(path),
        "content_hash": content_hash(path),
        "finished": "2026-01-31T13:05:09+00:00",
        "rows": 4,
        "blanks": [{"id": "a.jpg", "reason": "torn"}],
        "missing": 2,
        "seconds": {"setup": 1.0, "total": 12.34},
        "device": "cpu, 2 threads",
        "run": {"models": {"captioner": {"checkpoint": "models/blip", "fingerprint": "0123456789abcdef"}}},
    }
    note_run("detect", config, record)


def test_no_history_has_no_rows(tmp_path):
    assert read_history(tmp_path) == []


def test_a_run_is_a_row_that_names_what_was_chosen(tmp_path):
    path = written(tmp_path / "detect.csv")
    run(path, beams=5, prompts=["강아지", "고양이; 새"], runner=RunnerConfig(batch=4, progress=False))
    (row,) = read_history(tmp_path)
    assert row["finished_utc"] == "2026-01-31 13:05:09"
    assert (row["task"], row["submission"]) == ("detect", str(path))
    assert (row["rows"], row["blanks"], row["missing"]) == ("4", "1", "2")
    assert (row["seconds"], row["models"]) == ("12.3", "models/blip 01234567")
    expected = {"data.images": "photos", "beams": "5", "prompts": "강아지, 고양이;새", "runner.batch": "4"}
    assert settings_of(row["settings"]) == expected


def test_the_hash_is_of_the_settings_and_not_of_where_they_wrote(tmp_path):
    run(written(tmp_path / "a.csv"))
    run(written(tmp_path / "b.csv"), runner=RunnerConfig(batch=16, progress=False))
    run(written(tmp_path / "c.csv"), beams=4)
    first, second, third = (row["settings_hash"] for row in read_history(tmp_path))
    assert first == second != third


def test_scores_go_to_the_run_that_wrote_the_file(tmp_path):
    path = written(tmp_path / "detect.csv", "image,count\na.jpg,1\n")
    run(path, beams=1)
    run(written(path, "image,count\na.jpg,2\n"), beams=2)
    written(path, "image,count\na.jpg,1\n")  # what the first run wrote, put back
    note_scores("detect", Scoring(submission=path, truth=Path("truth.csv")), [Score("mae", 0.123456789, "numpy")])
    first, second = read_history(tmp_path)
    assert (first["mae"], second["mae"]) == ("0.123457", "")


def test_an_edited_file_is_not_given_the_settings_of_the_run(tmp_path):
    path = written(tmp_path / "detect.csv")
    run(path, beams=7)
    written(path, "image,count\na.jpg,5\n")
    for value in (1.0, 0.5):  # the second evaluation finds the row of the first
        row = note_scores("detect", Scoring(submission=path, truth=Path("truth.csv")), [Score("exact", value, "numpy")])
    assert row["settings"] == "" and row["submission"] == str(path)
    assert [row["exact"] for row in read_history(tmp_path)] == ["", "0.5"]


def test_another_truth_or_tokenizer_has_a_row_of_its_own(tmp_path):
    path = written(tmp_path / "caption.csv")
    run(path, beams=7)
    for tokenizer in ("char", "ko-mecab", "char"):
        note_scores(
            "detect",
            Scoring(submission=path, truth=Path("truth.csv"), tokenizer=tokenizer),
            [Score(tokenizer, 1.0, "nltk")],
        )
    first, second = read_history(tmp_path)
    assert (first["char"], first["ko-mecab"], first["scored_with"]) == ("1", "", "truth=truth.csv")
    assert (second["char"], second["ko-mecab"], second["scored_with"]) == (
        "",
        "1",
        "truth=truth.csv; tokenizer=ko-mecab",
    )
    assert first["settings"] == second["settings"] != ""


def test_new_metrics_add_columns_and_none_takes_one_of_the_histories_own(tmp_path):
    path = written(tmp_path / "detect.csv")
    run(path)
    note_scores("detect", Scoring(submission=path, truth=Path("truth.csv")), [Score("mae", 1.0, "numpy")])
    note_scores(
        "detect",
        Scoring(submission=path, truth=Path("truth.csv")),
        [Score("rmse", 2.0, "numpy"), Score("rows", 3.0, "numpy")],
    )
    (row,) = read_history(tmp_path)
    assert (row["mae"], row["rmse"], row["rows (score)"], row["rows"]) == ("1", "2", "3", "4")


def test_writers_at_once_lose_no_row(tmp_path):
    paths = [written(tmp_path / f"{number}.csv", f"image,count\na.jpg,{number}\n") for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, paths))
    assert {row["submission"] for row in read_history(tmp_path)} == set(map(str, paths))


def test_a_damaged_history_is_left_alone_and_said(tmp_path, capsys):
    history = written(tmp_path / NAME, "my own,table\n1,2\n")
    run(written(tmp_path / "detect.csv"))
    assert "was left as it is: expected a history" in (error := capsys.readouterr().err) and str(history) in error
    assert history.read_text() == "my own,table\n1,2\n"


def test_spreadsheets_see_utf8_and_no_temporary_files_stay(tmp_path):
    note_merge("detect", written(tmp_path / "merged.csv"), 1, {"merge": "mean", "of": ["a.csv", "b.csv"]})
    assert (tmp_path / NAME).read_bytes().startswith(b"\xef\xbb\xbf")
    with (tmp_path / NAME).open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["settings"] == "merge=mean; of=a.csv, b.csv"
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".{NAME}.lock", NAME, "merged.csv"]


def test_the_table_shows_what_differs_and_below_it_what_does_not(tmp_path, capsys):
    for beams in (1, 2):
        path = written(tmp_path / f"{beams}.csv", f"image,count\na.jpg,{beams}\n")
        run(path, beams=beams)
        note_scores("detect", Scoring(submission=path, truth=Path("truth.csv")), [Score("mae", float(beams), "numpy")])
    assert main(["history", "--folder", str(tmp_path), "--task", "detect"]) == 0
    header, _, first, second, same = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["detect:", "finished_utc", "submission", "mae"] and header.split()[-1] == "settings"
    assert first.endswith("beams=1") and second.endswith("beams=2")
    assert same == "the same in all: data.images=photos"


@pytest.mark.parametrize("more", [[], ["--task", "anomaly"]])
def test_a_table_of_nothing_says_where_it_looked(tmp_path, capsys, more):
    if more:
        run(written(tmp_path / "detect.csv"))
    assert main(["history", "--folder", str(tmp_path), *more]) == 2
    assert str(tmp_path / NAME) in capsys.readouterr().err


def test_the_commands_keep_it(tmp_path):
    photo = sorted(Path("samples/detect/images").glob("*.jpg"))[0]
    (tmp_path / "photos").mkdir()
    shutil.copy(photo, tmp_path / "photos")
    output = tmp_path / "detect.csv"
    truth = written(tmp_path / "truth.csv", f"image,count\n{photo.name},0\n")
    given = ["--images", str(tmp_path / "photos"), "--sample-submission", "null", "--output", str(output)]
    quiet = ["--device", "cpu", "--progress", "false"]
    assert main(["detect", "--config", "configs/mini/detect.yaml", *given, "--prompts", "강아지", *quiet]) == 0
    assert main(["evaluate", "detect", "--submission", str(output), "--truth", str(truth)]) == 0
    (row,) = read_history(tmp_path)
    assert settings_of(row["settings"])["prompts"] == "강아지" and float(row["mae"]) >= 0
    assert row["models"].startswith("mini/weights/grounding-dino ") and row["device"].startswith("cpu")
    records = [json.loads(output.with_suffix(end).read_text(encoding="utf-8")) for end in (".json", ".scores.json")]
    assert {record["content_hash"] for record in records} == {row["content_hash"], content_hash(output)}
