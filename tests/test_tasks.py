"""What every task of the list does on its bundled samples, from the doctor to the demo's page of runs."""

import csv
import json
import shutil
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import grimp
import pytest
from streamlit.testing.v1 import AppTest

from pipelines.__main__ import main
from pipelines.core.config import load_config
from pipelines.core.submission.truth import read_frame
from pipelines.core.task import Task
from pipelines.core.words.lexicon import has_hangul
from pipelines.demo.runs.files import bundled_truth, known_submissions
from pipelines.runs.submissions import noted_task
from pipelines.tasks import TASKS
from tests.stress import WRITTEN

PROFILES = ("configs", "configs/mini", "configs/gpu")
RUNS = [name for name, task in TASKS.items() if task.pipeline]
EVERY = 9
"""Of the samples' rows that many are left out for each that is used."""


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_a_task_says_what_it_is_in_both_languages(task):
    kinds = [*task.worst.kinds.values(), task.worst.far(0.5)]
    for korean, english in (task.title, task.help, task.blank, task.fallback, *kinds):
        assert korean.strip() and english.strip() and not has_hangul(english)
    assert all(has_hangul(text) for text in (task.title[0], task.help[0]))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_a_task_has_settings_for_each_profile(task, profile):
    assert load_config(Path(profile) / f"{task.name}.yaml", task.config)


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_a_task_has_bundled_samples_with_their_truth(task):
    config = load_config(Path(f"configs/mini/{task.name}.yaml"), task.config)
    assert task.data(config).images.is_relative_to(task.bundled)
    assert len(task.samples(config)) >= 60
    assert bundled_truth(task.name) == task.bundled / "truth.csv"


def test_no_task_imports_another():
    graph = grimp.build_graph("pipelines")
    for one, other in permutations(TASKS, 2):
        chain = graph.find_shortest_chain(f"pipelines.{one}", f"pipelines.{other}", as_packages=True)
        assert chain is None, " -> ".join(chain)


@dataclass(frozen=True)
class Run:
    """A run on some of the bundled samples, of which the first cannot be read."""

    task: Task
    words: list[str]
    """Its settings, as a user gives them."""
    submission: Path
    truth: Path
    bad: str
    """The id of the photo that cannot be read."""


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory) -> Run:
    task, folder = TASKS[request.param], tmp_path_factory.mktemp(request.param)
    file = Path(f"configs/mini/{task.name}.yaml")
    data = load_config(file, task.config).data
    images = shutil.copytree(data.images, folder / "images")
    some = written(folder / "sample.csv", data.sample_submission)
    output = folder / "out" / "answers.csv"
    words = ["--config", str(file), "--images", str(images), "--sample-submission", str(some), "--output", str(output)]
    words += ["--device", "cpu", "--progress", "false"]
    words += [word.format(output.parent) for word in WRITTEN.get(task.name, ())]
    assert main(["doctor", task.name, *words]) == 0
    flags = {"data.images": str(images), "data.sample_submission": str(some)}
    bad = task.samples(load_config(file, task.config, flags))[0]
    bad.path.write_text("no picture at all")
    assert main([task.name, *words]) == 0
    truth = written(folder / "truth.csv", bundled_truth(task.name))
    assert main(["evaluate", task.name, "--submission", str(output), "--truth", str(truth), "--worst", "1000"]) == 0
    return Run(task, words, output, truth, bad.id)


def written(path: Path, source: Path) -> Path:
    """Some of the rows of a CSV, those of every so-manieth id."""
    with source.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = csv.reader(file)
    ids = list(dict.fromkeys(row[0] for row in rows))[:: EVERY + 1]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *(row for row in rows if row[0] in ids)])
    return path


def test_each_id_gets_its_row_and_the_record_says_which_is_blank(run):
    assert list(read_frame(run.submission).iloc[:, 0]) == list(dict.fromkeys(read_frame(run.truth).iloc[:, 0]))
    record = json.loads(run.submission.with_suffix(".json").read_text(encoding="utf-8"))
    assert record["task"] == run.task.name
    assert [blank["id"] for blank in record["blanks"]] == [run.bad]


def test_the_doctor_finds_no_error_in_the_submission(run, capsys):
    assert main(["doctor", run.task.name, *run.words, "--submission", str(run.submission)]) == 0
    assert f"rows, and in {run.submission}" in capsys.readouterr().out


def test_the_truth_scores_without_a_wrong_row_and_the_run_with_those_that_the_task_names(run):
    assert run.task.worst.find(read_frame(run.truth), read_frame(run.truth)) == []
    scores = json.loads(run.submission.with_suffix(".scores.json").read_text(encoding="utf-8"))
    assert scores["scores"]
    for row in scores["worst"]:
        assert row["kind"] in run.task.worst.kinds and row["error"] > 0


def test_the_history_has_the_run(run, capsys):
    assert main(["history", "--folder", str(run.submission.parent), "--task", run.task.name]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{run.task.name}: ") and run.submission.name in out


def test_submissions_are_compared_and_merged_by_what_their_columns_hold(run, tmp_path, capsys):
    assert noted_task(run.submission) == run.task.name
    copy, merged = shutil.copy(run.submission, tmp_path), tmp_path / "merged.csv"
    files = [str(run.submission), str(copy), str(run.submission)]
    assert main(["compare", *files, "--merge", "majority", "--output", str(merged)]) == 0
    assert "0 of " in capsys.readouterr().out
    assert merged.read_text(encoding="utf-8") == run.submission.read_text(encoding="utf-8")


@pytest.mark.parametrize("part", ["runs", "errors", "compare", "check"])
def test_the_demo_shows_the_run(run, monkeypatch, tmp_path, part):
    (known,) = [each for each in known_submissions(run.submission.parent) if each.path == run.submission]
    assert known.task == run.task.name
    settings = Path("configs/mini/demo.yaml").read_text(encoding="utf-8")
    mine = tmp_path / "demo.yaml"
    mine.write_text(settings.replace("submissions: submissions", f"submissions: {run.submission.parent}"))
    monkeypatch.setenv("DEMO_CONFIG", str(mine))
    for name in (*TASKS, "evaluate"):
        shutil.copy(f"configs/mini/{name}.yaml", tmp_path)

    def script():
        from pipelines.demo.runs.page import page

        page()

    app = AppTest.from_function(script, default_timeout=180)
    app.query_params["part"] = part
    app.session_state["lang"] = "ko"
    app.run()
    assert not app.exception and not app.error
    shown = [*app.segmented_control, *app.selectbox, *app.multiselect]
    assert any(run.task.title[0] in str(option) for each in shown for option in each.options)
