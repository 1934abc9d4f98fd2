"""What was measured of runs is within its bars, and becomes a table."""

import json

from benchmarks.reliability_table import MOST_OVERSHOOT_S, table
from benchmarks.tables import RESULTS
from tests.stress import faults

TALLY = {"kills": 10, "resumed_runs": 7, "resumed_images": 1200, "resumed_fits": 1, "faults": []}
LATE = {"deadline_s": 20.0, "overshoot_s": -0.52, "images": 1500, "missing": 400, "faults": []}
STRESS = {
    "kills": {"tasks": {"caption": TALLY, "anomaly": TALLY}},
    "signals": {"tasks": {"detect": {"sent": 6, "submissions": 4, "faults": ["odd"]}}},
    "deadlines": {"tasks": {"caption": LATE}},
}
MEMORY = {"photos": [200, 2000], "most_ratio": 1.1, "tasks": {"detect": {"peak_mb": [1000.0, 1031.4], "ratio": 1.0314}}}


def test_no_results_make_no_rows(tmp_path):
    assert table(tmp_path) == "| what | figure | bar |\n|---|---|---|\n"


def test_the_results_that_are_there_make_rows(tmp_path):
    (tmp_path / "stress.json").write_text(json.dumps(STRESS))
    (tmp_path / "memory.json").write_text(json.dumps(MEMORY))
    cells = [line.split(" | ")[1:] for line in table(tmp_path).splitlines()[2:]]
    assert cells == [
        ["20", " |"],
        ["14; 2,400 results, 2 fitted models", " |"],
        ["6; 4", " |"],
        ["1", "0 |"],
        ["0.5 s before it, 1,100 photos done", "at most 2 s after |"],
        ["1,031 MB, +3.1%", "at most +10% |"],
    ]


def test_what_was_measured_is_within_its_bars():
    stress = json.loads((RESULTS / "stress.json").read_text(encoding="utf-8"))
    assert faults(stress) == []
    killed = stress["kills"]["tasks"].values()
    assert sum(task["kills"] for task in killed) >= 300
    assert all(task["resumed_runs"] and task["resumed_images"] for task in killed)
    assert all(late["overshoot_s"] <= MOST_OVERSHOOT_S for late in stress["deadlines"]["tasks"].values())
    assert json.loads((RESULTS / "memory.json").read_text(encoding="utf-8"))["within"]
