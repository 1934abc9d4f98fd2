"""What lies beside an output while a run works on it."""

import os
import signal
import subprocess
import sys

import pytest

from pipelines.core.errors import SubmissionError
from pipelines.core.running.unfinished import files_state, unfinished

HOLD = (
    "import sys\nfrom pathlib import Path\nfrom pipelines.core.running.unfinished import unfinished\n"
    "with unfinished(Path(sys.argv[1])) as work:\n    work.journal({})\n    print('holds', flush=True)\n"
    "    sys.stdin.read()\n"
)


def test_nothing_stays_behind(tmp_path):
    with unfinished(tmp_path / "a.csv") as work:
        work.keep_room(10)
        assert work.folder == tmp_path / ".a.csv.run"
        work.journal({"a": 1}).close()
        work.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_ends_before_its_work_leaves_nothing(tmp_path):
    with pytest.raises(SubmissionError), unfinished(tmp_path / "a.csv"):
        raise SubmissionError("no")
    assert list(tmp_path.iterdir()) == []


def test_a_journal_stays_until_the_output_is_complete(tmp_path):
    for goes_on in (False, True):
        with unfinished(tmp_path / "a.csv") as work:
            journal = work.journal({"a": 1})
            assert journal.get("x") == (1 if goes_on else None)
            journal.put("x", 1)
            journal.close()
    assert (tmp_path / ".a.csv.run/journal").exists()


def test_what_an_unusable_run_left_is_removed(tmp_path):
    for key in ({"a": 1}, {"a": 2}):
        with unfinished(tmp_path / "a.csv") as work:
            work.journal(key).close()
            left = work.folder / "fitted 0"
            assert not left.exists()
            left.mkdir()


def test_a_second_run_is_refused_and_a_killed_one_does_not_block(tmp_path):
    output = tmp_path / "a.csv"
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert first.stdout.readline() == "holds\n"
        found = rf"writes .*a.csv, found one: process {first.pid}, since 20"
        with pytest.raises(SubmissionError, match=found), unfinished(output):
            pass
        with unfinished(tmp_path / "b.csv"):
            pass
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        first.stdin.close()
        first.stdout.close()
    with unfinished(output) as work:
        assert work.folder.exists()


def test_the_state_of_files_changes_with_them(tmp_path):
    path = tmp_path / "a.png"
    states = {files_state([path])}
    for text, changed in (("a", 1), ("b", 2), ("bb", 2)):
        path.write_text(text)
        os.utime(path, ns=(changed, changed))
        states.add(files_state([path]))
    states.add(files_state([path, path]))
    assert len(states) == 5
    assert files_state([path]) in states
