"""Submissions and runs: a run of the history, and a visitor's CSV that is checked."""

import pytest
from playwright.sync_api import expect

from pipelines.caption.settings import CaptionConfig
from pipelines.core.config import load_config
from pipelines.core.submission.writing import content_hash
from pipelines.runs.history import note_run
from tests.browser.server import ROOT
from tests.browser.visiting import cell, rerun, upload, visit

SAMPLE = (ROOT / "samples/caption/sample_submission.csv").read_text(encoding="utf-8-sig")


@pytest.fixture
def run(demo):
    """A submission of captions, and the row of its run."""
    path = demo.folder / "submissions" / "one.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(filled(), encoding="utf-8")
    config = load_config(ROOT / "configs/mini/caption.yaml", CaptionConfig, {"data.output": path})
    record = {
        "submission": str(path),
        "content_hash": content_hash(path),
        "finished": "2026-01-31T13:05:01+00:00",
        "rows": 60,
        "blanks": [],
        "missing": 0,
        "seconds": {"setup": 1.0, "total": 12.34},
        "device": "cpu",
        "run": {},
    }
    note_run("caption", config, record)


def filled(rows=None):
    """The sample submission with a caption of its own in each of its first rows."""
    header, *lines = SAMPLE.splitlines()
    captions = [f"{line.split(',')[0]},강아지 {number}마리" for number, line in enumerate(lines)]
    return "\n".join([header, *captions[:rows]]) + "\n"


def test_a_run_is_in_the_table(run, page):
    visit(page, "/runs")
    expect(cell(page, 2, 0)).to_have_text("one.csv")


@pytest.mark.parametrize(
    ("rows", "said"), [(None, "문제 없음"), (50, "10 missing")], ids=["a whole one", "one without its last rows"]
)
def test_a_submission_is_checked(page, tmp_path, rows, said):
    path = tmp_path / "mine.csv"
    path.write_text(filled(rows), encoding="utf-8")
    visit(page, "/runs")
    with rerun(page):
        page.get_by_role("radio", name="제출 확인").click()
    assert "part=check" in page.url
    upload(page, path)
    expect(page.get_by_text(said).first).to_be_visible()
