"""What may hang is killed and told of, however it hangs; all else comes back as what it was."""

import os
import re
import signal
import sys
import threading
from pathlib import Path

import pytest

from pipelines.core.errors import InputError
from tests.in_time import in_time


def test_what_is_given_comes_back():
    assert in_time(lambda: None) is None
    assert in_time(lambda: {"a": [1, Path("b")]}) == {"a": [1, Path("b")]}
    assert len(in_time(lambda: b"x" * 10_000_000)) == 10_000_000  # more than a pipe holds


def test_it_is_another_process():
    assert in_time(os.getpid) != os.getpid()
    limit = sys.getrecursionlimit()
    in_time(lambda: sys.setrecursionlimit(10 * limit))
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize("error", [InputError("a.csv is none"), KeyError("a"), SystemExit(3), KeyboardInterrupt()])
def test_an_exception_comes_back_as_what_it_was(error):
    def work():
        raise error

    end = in_time(work)
    assert (type(end), end.args) == (type(error), error.args)


def deaf():
    """Hangs, in Python, and hears no signal that can be ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    threading.Event().wait()


def backtracking():
    """Hangs in C, which looks at no signal: each further a doubles the steps."""
    re.match("(a+)+$", "a" * 60 + "b")


def without_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "pipe").open("rb")


def in_a_thread():
    """The main thread waits for one that never ends."""
    thread = threading.Thread(target=threading.Event().wait)
    thread.start()
    thread.join()


@pytest.mark.parametrize("hangs", [deaf, backtracking, without_writer, in_a_thread])
def test_what_hangs_is_killed_and_leaves_nothing(tmp_path, hangs):
    threads = threading.active_count()
    with pytest.raises(AssertionError, match="it did not end in 1 s"):
        in_time(lambda: hangs(tmp_path) if hangs is without_writer else hangs(), seconds=1)
    assert threading.active_count() == threads
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # no child either


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1])
def test_who_dies_is_told_of(number):
    with pytest.raises(AssertionError, match=f"ended by {number.name}"):
        in_time(lambda: os.kill(os.getpid(), number))


def test_what_cannot_be_handed_back_is_told_of(capfd):
    with pytest.raises(AssertionError, match="exit code 70"):
        in_time(lambda: lambda: None)
    assert "pickle" in capfd.readouterr().err
