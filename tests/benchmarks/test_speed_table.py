"""Rows become a table that says what takes the time, what misses its goal, and what was not measured."""

import pytest

from benchmarks import rows, speed_table
from benchmarks.anomaly import at_full_size
from benchmarks.growth import summary
from benchmarks.speed_table import table

REST = "of 310 ms a photo 280 in the network"


def row(work="caption", ratio=2.0, goal=1.5, device="cpu", note="", lever="fewer layers"):
    return rows.Row(
        work, "a loop", device, "images/s", 4.0, 4.0 / ratio, ratio, goal, 0.5, 100.0, 3, note, REST, lever
    )  # fmt: skip


def section(text, title):
    """The lines below a heading."""
    return text.partition(f"### {title}\n")[2].partition("###")[0].strip().splitlines()


def test_no_results_make_no_table(tmp_path):
    assert table(tmp_path) == ""


@pytest.mark.parametrize(
    ("ratio", "goal", "shown", "said"),
    [
        (2.0, 1.5, "2.0", "met"),
        (1.42, 1.5, "1.4", "**missed**"),
        (1.46, 1.5, "1.46", "**missed**"),
        (9.0, None, "9.0", ""),
    ],
)
def test_a_goal_is_met_or_missed(tmp_path, ratio, goal, shown, said):
    rows.write("caption", [row(ratio=ratio, goal=goal, note="random weights")], tmp_path)
    lines = section(table(tmp_path), "Caption, CPU")
    assert f"| {shown} |" in lines[2] and lines[2].endswith(f"MB | {said} |")
    assert "- caption, a loop: random weights" in lines
    assert f"- caption: {REST}" in lines
    [line] = section(table(tmp_path), "Goals that are missed")
    if "missed" in said:
        assert (
            line
            == f"- **caption**, CPU, against a loop: {shown} of 1.5. What takes the time: {REST}. Next: fewer layers."
        )
    else:
        assert line == "None: each row that has a goal meets it."


def test_the_rest_is_told_once_a_work(tmp_path):
    rows.write("caption", [row(), row(ratio=3.0), row("one beam")], tmp_path)
    assert table(tmp_path).count(REST) == 2


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ([("caption", "cpu")], ["No GPU was at hand: no row is of one. `make bench-gpu` fills them in."]),
        (
            [("caption", "cpu"), ("index", "cpu"), ("index", "gpu")],
            ["No GPU row of caption: `make bench-gpu` fills them in."],
        ),
        ([("caption", "cpu"), ("caption", "gpu")], []),
    ],
)
def test_what_was_not_measured_is_said(tmp_path, there, said):
    for name, device in there:
        rows.write(name, [row(device=device)], tmp_path)
    assert [line for line in table(tmp_path).splitlines() if "fills them in" in line] == said


def test_growth_and_memory_of_a_fit(tmp_path):
    parts = [("network", 30.0), ("predict", 33.3)]
    found = [
        {"photos": photos, "bank": 100 * photos, "coreset_ms_a_photo": coreset}
        | {f"{part}_ms_a_photo": value for part, value in parts}
        for photos, coreset in ((12, 5.0), (48, 20.0))
    ]
    peaks = {"bounded": [900, 950], "unbounded": [1400]}
    memory = {
        "photos": [12, 48],
        "side": 330,
        "candidates": 21168,
        "peak_mb": peaks,
        "computed": at_full_size(4000, 330),
    }
    rows.write("anomaly", [row()], tmp_path, growth=found, memory=memory)
    text = table(tmp_path)
    assert "| 48 | 4,800 | 30 | 20 | 33.3 |" in text
    assert "With 4 times the photos the coreset takes 4 times as long for each." in text
    assert "at its peak 900 MB for 12, 950 MB for 48 photos; without that bound 1,400 MB for 48." in text
    assert "within the bar of 12 GB; without the bound 43.4 GB." in text


@pytest.mark.parametrize(
    ("gb", "said"),
    [(5.0, "at most 10.0 GB beside the libraries, within"), (7, "14.0 GB beside the libraries, **beyond**")],
)
def test_memory_is_held_to_its_bar(gb, said):
    full = {"photos": 4000, "without_bound_gb": 43.4, "features_gb": gb, "bank_gb": gb}
    found = {
        "photos": [1],
        "side": 330,
        "candidates": 1,
        "peak_mb": {"bounded": [1], "unbounded": [1]},
        "computed": full,
    }
    assert said in speed_table.memory(found)


def test_growth_of_the_commands(tmp_path):
    tasks = {"caption": summary(1.0, {11: 2.0, 41: 5.0}), "index": summary(1.0, {11: 2.0, 41: 6.0})}
    rows.keep(tmp_path / "growth.json", "cpu", most=0.15, tasks=tasks)
    lines = section(table(tmp_path), "Growth, CPU")
    assert lines[2] == "| caption | 11, 41 | 100, 100 | +0% | yes | 1 s |"
    assert lines[3] == "| index | 11, 41 | 100, 125 | +25% | **no** | 1 s |"
