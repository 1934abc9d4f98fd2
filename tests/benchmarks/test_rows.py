"""Contestants take turns, the time of a run is told apart, and results are kept by device."""

import json
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from benchmarks import rows
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig


def row(ratio=2.0, device="cpu"):
    return rows.Row("caption", "a loop", device, "images/s", 4.0, 4.0 / ratio, ratio, 1.5, 0.5, 100.0, 3)


@pytest.fixture
def race(monkeypatch):
    """A race of contestants who take the given seconds, time after time: its rates, and who worked when."""

    def run(seconds, repeats, **settings):
        now, order, coming = [0.0], [], {name: iter(times) for name, times in seconds.items()}
        monkeypatch.setattr(rows.time, "perf_counter", lambda: now[0])

        def work(name):
            order.append(name)
            now[0] += next(coming[name])
            return 10

        return rows.race({name: partial(work, name) for name in seconds}, repeats, "cpu", **settings), order

    return run


def test_contestants_take_turns_and_each_begins_once(race):
    rates, order = race({"quick": [0.1, 0.2, 0.4], "slow": [1, 2, 4]}, 3)
    assert order == ["quick", "slow", "slow", "quick", "quick", "slow"]
    assert rates == pytest.approx({"quick": 50, "slow": 5})


def test_who_takes_as_long_twice_needs_no_third_time(race):
    rates, order = race({"quick": [1, 1.05, 9], "slow": [2, 4, 6]}, 3)
    assert order == ["quick", "slow", "slow", "quick", "slow"]
    assert rates == pytest.approx({"quick": 10 / 1.025, "slow": 2.5})


def test_who_takes_long_works_once(race):
    rates, order = race({"quick": [1, 1, 1], "slow": [20, 30, 40]}, 3)
    assert order == ["quick", "slow", "quick"]
    assert rates == pytest.approx({"quick": 10, "slow": 0.5})


def test_of_fewer_times_each_works_once_before_unless_all_are_warm(race):
    rates, order = race({"quick": [9, 1, 2], "slow": [9, 2, 4]}, 2)
    assert order == ["quick", "slow", "quick", "slow", "slow", "quick"]
    assert rates == pytest.approx({"quick": 10 / 1.5, "slow": 10 / 3})
    rates, order = race({"quick": [1], "slow": [5]}, 1, warm=True)
    assert order == ["quick", "slow"] and rates == pytest.approx({"quick": 10, "slow": 2})


PEAK = """
import time, torch
from benchmarks import rows
with rows.peak_memory("cpu") as peak:
    before = rows.resident_mb()
    held = torch.ones(50_000_000)
    for _ in range(600):  # a busy machine may look late
        if peak.mb - before > 150:
            break
        time.sleep(0.1)
assert peak.mb - before > 150, (before, peak.mb)
"""


def test_the_peak_of_memory_is_seen():
    """In a process of its own: another one may have room left that it need not ask for."""
    subprocess.run([sys.executable, "-c", PEAK], check=True)


@pytest.mark.parametrize("keyed", [False, True])
def test_a_timed_network_gives_what_the_network_gives_and_adds_up_its_seconds(monkeypatch, keyed):
    now = [0.0]

    class Slow:
        module, dtypes = torch.nn.Identity(), frozenset({torch.float32})

        def prepare(self, items):
            now[0] += 0.05
            return {"numbers": torch.tensor(items)}

        def predict(self, batch):
            now[0] += 0.1
            return (2 * batch["numbers"]).tolist()

    class Keyed(Slow):
        def shape_key(self, item):
            return item % 2

    timed = rows.Timed(Keyed() if keyed else Slow())
    outcomes = list(Runner(RunnerConfig(device="cpu", batch=2, progress=False)).run(timed, [1, 2, 3, 4]))
    assert [outcome.result for outcome in outcomes] == [2, 4, 6, 8]
    assert timed.shape_key(3) == (1 if keyed else None)
    timed.prepare_s = timed.predict_s = 0.0
    monkeypatch.setattr(rows.time, "perf_counter", lambda: now[0])
    for _ in range(2):
        assert timed.predict(timed.prepare([1, 2])) == [2, 4]
    assert (timed.prepare_s, timed.predict_s) == pytest.approx((0.1, 0.2))


def test_a_run_says_where_its_time_went():
    timed = rows.Timed(SimpleNamespace(module=None, dtypes=frozenset()))
    timed.predict_s, timed.prepare_s = 2.8, 0.45
    assert rows.rest(timed, 1, 12.345).startswith("of 12,345 ms a photo 2,800 in the network, 9,545 outside it")
    threads = "45 in threads, beside it but for the first batch"
    said = f"of 310 ms a photo 280 in the network, 30 outside it; files to pixels take {threads}"
    assert rows.rest(timed, 10, 3.1) == said
    said = f"of 270 ms a text 280 in the network, 0 outside it; tokens take {threads}"
    assert rows.rest(timed, 10, 2.7, "text", "tokens") == said


def test_a_run_replaces_that_of_its_device_and_no_other(tmp_path):
    rows.write("caption", [row(device="gpu")], tmp_path)
    rows.write("caption", [row(ratio=1.0)], tmp_path)
    path = rows.write("caption", [row(ratio=3.0)], tmp_path)
    runs = json.loads(path.read_text(encoding="utf-8"))["runs"]
    assert [(run["rows"][0]["device"], run["rows"][0]["ratio"]) for run in runs] == [("gpu", 2.0), ("cpu", 3.0)]
    assert {"cores", "commit", "versions"} <= runs[0]["machine"].keys()
