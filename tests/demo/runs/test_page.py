import csv
import io
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipelines.__main__ import main
from pipelines.caption.settings import CaptionConfig
from pipelines.core.config import load_config
from pipelines.core.submission.writing import content_hash
from pipelines.demo.runs.files import known_submissions
from pipelines.runs.history import note_merge, note_run

ROOT = Path(__file__).parents[3]
CAPTIONS = list(csv.DictReader((ROOT / "samples/caption/truth.csv").read_text(encoding="utf-8").splitlines()))
COUNTS = (ROOT / "samples/detect/truth.csv").read_text(encoding="utf-8")
LABELS = (ROOT / "samples/anomaly/truth.csv").read_text()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A fresh checkout: settings and samples, and nothing that any run wrote."""
    for name in ("configs", "samples", "mini"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "submissions").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "submissions"


@pytest.fixture
def open_page(folder):
    """Opens a part of the page."""

    def script():
        from pipelines.demo.runs.page import page

        page()

    def open_page(part, lang="ko"):
        app = AppTest.from_function(script, default_timeout=300)
        app.query_params["part"] = part
        app.session_state["lang"] = lang  # as the switch above every page says it
        app.run()
        assert not app.exception
        return app

    return open_page


def captions(change=lambda number, caption: caption):
    """A submission with the true captions, changed."""
    text = io.StringIO(newline="")
    rows = ([row["image"], change(number, row["caption"])] for number, row in enumerate(CAPTIONS))
    csv.writer(text, lineterminator="\n").writerows([["image", "caption"], *rows])
    return text.getvalue()


def noted(path, text, beams):
    """Writes a submission of captions and the row of its run."""
    path.write_text(text, encoding="utf-8")
    config = load_config(Path("configs/mini/caption.yaml"), CaptionConfig, {"beams": beams, "data.output": path})
    record = {
        "submission": str(path),
        "content_hash": content_hash(path),
        "finished": f"2026-01-31T13:05:0{beams}+00:00",
        "rows": 60,
        "blanks": [],
        "missing": 0,
        "seconds": {"setup": 1.0, "total": 12.34},
        "device": "cpu",
        "run": {},
    }
    note_run("caption", config, record)
    assert main(["evaluate", "caption", "--submission", str(path), "--truth", "samples/caption/truth.csv"]) == 0


@pytest.fixture
def runs(folder):
    """Two runs of the captions, of which the second is wrong in 13 rows, and empty in one of them."""
    noted(folder / "one.csv", captions(), 1)
    noted(folder / "two.csv", captions(lambda number, text: "" if number == 3 else "숲" if number < 13 else text), 2)


def texts(app):
    """All that is said as Markdown."""
    return "\n".join(each.value for each in [*app.markdown, *app.error, *app.warning, *app.success, *app.info])


def upload(app, key, *files):
    """Uploads (name, content) pairs."""
    whole = [(name, data.encode() if isinstance(data, str) else data, "text/csv") for name, data in files]
    app.file_uploader(key=key).set_value(whole if "files" in key else whole[0]).run()
    assert not app.exception


@pytest.mark.parametrize("part", ["runs", "errors"])
def test_without_a_history_the_page_says_what_to_do(open_page, part):
    assert "make submissions" in texts(open_page(part))
    assert "There are no runs yet" in texts(open_page(part, lang="en"))


def test_a_part_that_nobody_knows_is_the_first_one(open_page):
    assert open_page("nonsense").session_state["part"] == "runs"


def test_runs_are_a_table_with_their_scores(open_page, runs):
    table = open_page("runs").dataframe[0].value
    assert table["submission"].tolist() == ["two.csv", "one.csv"]
    assert table["exact"].tolist() == [pytest.approx(47 / 60), 1]
    assert table["seconds"].tolist() == [12.3, 12.3]


def test_chosen_runs_are_held_side_by_side(open_page, runs):
    app = open_page("runs")
    app.session_state["runs-caption"] = {"selection": {"rows": [0, 1], "columns": [], "cells": []}}
    app.run()
    assert not app.exception
    differing = app.dataframe[1].value
    assert differing.index.tolist() == ["beams"] and differing.iloc[0].tolist() == ["2", "1"]


def test_a_damaged_history_is_a_sentence(open_page, folder):
    (folder / "history.csv").write_text("a,b\n1\n")
    for part in ("runs", "errors", "compare"):
        assert "history" in open_page(part).error[0].value


def test_wrong_rows_are_shown_with_their_photos_twelve_at_a_time(open_page, runs):
    app = open_page("errors")
    assert app.selectbox[0].value.path.name == "two.csv"
    assert len(app.image) == 12
    assert app.segmented_control[1].options == ["전체 13", "많이 다름 12", "비어 있음 1"]
    app.pagination[0].set_value(2).run()
    assert len(app.image) == 1
    app.segmented_control[1].set_value("empty").run()
    assert not app.exception and not app.pagination
    assert "scene\\_003\\.jpg" in texts(app) and len(app.image) == 1


def test_what_is_right_is_said_to_be(open_page, runs):
    app = open_page("errors")
    app.selectbox[0].select_index(1).run()
    assert "60행이 모두 정답과 같습니다" in app.success[0].value


@pytest.mark.parametrize(
    ("task", "text", "kinds", "said"),
    [
        (
            "detect",
            COUNTS.replace("000.jpg,0,0,1,0", "000.jpg,2,0,0,0"),
            ["전체 1", "더하고 덜 셈 1"],
            "+2",
        ),
        ("anomaly", LABELS.replace("good/000.jpg,0", "good/000.jpg,1"), ["전체 2", "헛경보 2"], "표준편차"),
    ],
)
def test_other_tasks_are_held_against_the_bundled_truth(open_page, folder, task, text, kinds, said):
    path = folder / f"{task}.csv"
    path.write_text(text, encoding="utf-8")
    note_merge(task, path, 60, {"merge": "majority"})
    app = open_page("errors")
    assert app.segmented_control[1].options == kinds
    assert said in texts(app).replace("\\", "") + "".join(each.value for each in app.caption)
    assert len(app.image) == int(kinds[0].split()[1])


def test_a_file_that_was_edited_since_is_no_longer_that_run(open_page, folder, runs):
    (folder / "two.csv").write_text(captions())
    assert open_page("errors").selectbox[0].options == ["one.csv · 캡션"]


def test_a_valid_submission_has_no_problem(open_page):
    app = open_page("check")
    upload(app, "check-submission", ("../내 제출.csv", captions()))
    assert app.success[0].value == "문제 없음: 내 제출\\.csv"


def test_problems_are_what_the_command_says_errors_first(open_page, tmp_path, capsys):
    said = captions().replace("\n", "\r\n").replace("scene_001.jpg", "scene_000.jpg")
    app = open_page("check")
    upload(app, "check-submission", ("mine.csv", said))
    shown = [each.value.replace("\\", "") for each in [*app.error, *app.warning]]
    path = tmp_path / "mine.csv"
    path.write_bytes(said.encode())
    assert main(["doctor", "caption", "--config", "configs/mini/caption.yaml", "--submission", str(path)]) == 2
    lines = capsys.readouterr().err.replace(str(path), "mine.csv").splitlines()
    assert sorted(shown) == sorted(line.partition(": ")[2] for line in lines if "mine.csv" in line)
    assert app.error and app.warning
    assert "vision-demo" not in texts(app)


def test_the_contests_own_sample_decides(open_page):
    app = open_page("check")
    app.segmented_control(key="check-task").set_value("detect").run()
    upload(app, "check-sample", ("sample_submission.csv", "id,사람,가방\n001,0,0\n002,0,0\n"))
    upload(app, "check-submission", ("mine.csv", "id,사람,가방\n001,2,0\n002,1,3\n"))
    assert "문제 없음" in app.success[0].value
    upload(app, "check-submission", ("mine.csv", "id,사람,가방\n1,2,0\n002,1,x\n"))
    assert len(app.error) == 2 and "sample\\_submission\\.csv" not in app.error[0].value


def zipped():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("caption.csv", captions())
    return data.getvalue()


ODD = {
    "large": (b"image,caption\n" + b"a,b\n" * 1_400_000, "5 MB까지"),
    "no text": (b"\xff\xfe\x00\x01\x80\x81" * 100, "글자로 된 파일"),
    "zip": (zipped(), "글자로 된 파일"),
    "columns": (b"a," * 2_400_000 + b"a\n", "1,000개까지"),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(("part", "key"), [("check", "check-submission"), ("compare", "compare-files")])
def test_odd_files_are_refused_in_a_sentence(open_page, part, key, name):
    data, reason = ODD[name]
    app = open_page(part)
    upload(app, key, ("odd.csv", data))
    assert reason in app.warning[0].value and "odd\\.csv" in app.warning[0].value


@pytest.mark.parametrize("data", ["", "image\n", 'image,caption\n"a,b\n', "image,caption\n" + "x" * 200_000 + ",개\n"])
def test_what_is_hardly_a_csv_is_a_sentence(open_page, data):
    app = open_page("check")
    upload(app, "check-submission", ("odd.csv", data))
    assert app.error and all(len(each.value) < 2000 for each in app.error)
    app = open_page("compare")
    upload(app, "compare-files", ("odd.csv", data), ("odd.csv", data))
    assert app.error or "모든 행이 같습니다" in texts(app)
    assert "vision-demo" not in texts(app)


def test_two_uploads_are_compared_scored_and_merged(open_page):
    app = open_page("compare")
    other = captions(lambda number, caption: "*숲*" if number < 14 else caption)
    upload(app, "compare-files", ("a.csv", captions()), ("a.csv", other))
    assert app.metric[0].value == "14 / 60"
    assert len(app.image) == 12
    assert "\\*숲\\*" in texts(app) and "a \\(2\\)\\.csv" in texts(app)
    scores = app.dataframe[0].value.set_index("점수")
    assert scores.loc["exact", ["A", "B"]].tolist() == ["1", f"{46 / 60:.4g}"]
    assert [button.label for button in app.download_button] == ["이 비교를 한 장의 HTML로 받기", "합친 CSV 받기"]
    app.segmented_control(key="compare-merge").set_value("mean").run()
    assert "use majority" in app.error[0].value and len(app.download_button) == 1


def test_files_of_the_folder_are_compared_with_uploads(open_page, runs):
    app = open_page("compare")
    app.multiselect[0].select(known_submissions(Path("submissions"))[0]).run()
    upload(app, "compare-files", ("two.csv", captions()))
    assert app.metric[0].value == "13 / 60"
    assert "two \\(2\\)\\.csv" in texts(app)


def test_a_damaged_history_leaves_uploads_to_be_compared(open_page, folder):
    (folder / "history.csv").write_text("a,b\n1\n")
    app = open_page("compare")
    upload(
        app, "compare-files", ("a.csv", captions()), ("b.csv", captions(lambda number, caption: f"{number} {caption}"))
    )
    assert app.metric[0].value == "60 / 60" and len(app.error) == 1 and len(app.image) == 12


def test_an_own_truth_scores_and_a_wrong_one_is_a_sentence(open_page):
    app = open_page("compare")
    upload(app, "compare-files", ("a.csv", "id,count\nx,1\ny,2\n"), ("b.csv", "id,count\nx,1\ny,3\n"))
    assert not app.dataframe and not app.image  # neither a truth nor photos of these ids
    upload(app, "compare-truth", ("truth.csv", "id,count\nx,1\ny,3\n"))
    assert app.dataframe[0].value.set_index("점수").loc["exact", ["A", "B"]].tolist() == ["0.5", "1"]
    upload(app, "compare-truth", ("truth.csv", "id,count\nz,1\n"))
    assert "expected the same ids" in app.warning[0].value
    assert app.metric[0].value == "1 / 2"


def test_files_that_do_not_belong_together_are_a_sentence(open_page):
    app = open_page("compare")
    upload(app, "compare-files", ("a.csv", "id,count\nx,1\n"), ("b.csv", "id,count\nz,1\n"))
    assert "a\\.csv" in app.error[0].value and "vision-demo" not in app.error[0].value
