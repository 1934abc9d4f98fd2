"""When a run stops: at its deadline, or by a signal."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pipelines.core.running.stopping import MARGIN, Stop, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("9m", 540), ("1h30m", 5400), ("90s", 90), ("540", 540), ("0.5m", 30), ("1h", 3600), ("1m30", 90), (" 2s ", 2)],
)
def test_times(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0m", "nine", "-9m", "9 minutes", "m", "9d", "1m1h", "nan", "1e3"])
def test_what_is_no_time(text):
    with pytest.raises(ValueError, match="such as 9m, 1h30m or 90s, not"):
        seconds_of(text)


def test_without_a_deadline_it_is_never_due():
    assert not Stop().due(1e9)


def test_the_deadline_counts_from_the_start_and_with_what_comes_next():
    started = time.monotonic() - 100
    assert Stop(100, started).due()
    assert not Stop(110 + MARGIN, started).due(5)
    late = Stop(110 + MARGIN, started)
    assert late.due(15)
    assert late.due(0)  # it stays so
    assert late.reason == "the deadline came first"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_makes_it_due(number):
    before = signal.getsignal(number)
    stop = Stop()
    with stop.on_signals():
        assert not stop.due()
        os.kill(os.getpid(), number)
        assert stop.due()
    assert (stop.signal, stop.reason) == (number, f"{number.name} came first")
    assert signal.getsignal(number) == before


def test_a_second_signal_ends_the_process():
    code = (
        "import os, signal\nfrom pipelines.core.running.stopping import Stop\nwith Stop().on_signals():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n    print('first', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n    print('second', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "first\n")
