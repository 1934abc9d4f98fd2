"""What was measured of the demo is within its bars, and becomes a table."""

import json

from benchmarks.demo_table import table
from benchmarks.tables import RESULTS
from benchmarks.visitors import figures

FOUND = {
    "starts": [{"first_page_s": 2.0, "first_caption_s": 3.0}, {"first_page_s": 4.0, "first_caption_s": 3.5}],
    "start": {"first_page_s": 3.0, "first_caption_s": 3.25},
    "bars": {"first_page_s": 5.0, "first_caption_s": 5.0},
    "together": {
        "visitors": 10, "seconds": 60, "first": {"fit": 7.5},
        "steps": {"open a page": {"times": 3, "p50_s": 0.5, "p95_s": 1.25}, "search": {"times": 0}},
        "errors": [], "networks": ["mini/weights/blip"], "peak_mb": 2345,
    },
}  # fmt: skip


def test_no_results_make_no_table(tmp_path):
    assert table(tmp_path) == ""


def test_results_become_tables(tmp_path):
    (tmp_path / "visitors.json").write_text(json.dumps(FOUND), encoding="utf-8")
    lines = table(tmp_path).splitlines()
    assert lines[2] == "| from the start to a first page that can be used | 3.0 s | 2.0, 4.0 | 5 s |"
    assert "| open a page | 3 | 0.5 s | 1.2 s |" in lines
    assert "| search | 0 | | |" in lines
    assert lines[-1].startswith("Errors: 0. Networks in memory at the end: 1 (mini/weights/blip).")
    assert lines[-1].endswith("2,345 MB.")


def test_no_visitor_met_an_error_and_each_network_was_there_once():
    together = json.loads((RESULTS / "visitors.json").read_text(encoding="utf-8"))["together"]
    assert together["visitors"] >= 10 and together["seconds"] >= 60
    assert together["errors"] == []
    assert len(set(together["networks"])) == len(together["networks"]) >= 4
    assert all(step["times"] for step in together["steps"].values())


def test_the_median_and_nearly_the_longest_of_what_was_waited():
    assert figures([]) == {"times": 0}
    assert figures([1.0]) == {"times": 1, "p50_s": 1.0, "p95_s": 1.0}
    assert figures([float(number) for number in range(100)]) == {"times": 100, "p50_s": 49.5, "p95_s": 95.0}
