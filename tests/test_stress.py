"""Runs that are killed, stopped or started twice leave what an undisturbed run leaves; `make stress` kills 300."""

import json
import os
import subprocess
import sys

from tests.stress import RUNS, faults


def test_kills_signals_and_a_second_run():
    command = [sys.executable, "-m", "tests.stress", "--kills", "32", "--signals", "4", "--deadline", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # threads do not survive a fork
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert faults(found) == []
    assert done.returncode == 0
    killed = found["kills"]["tasks"].values()
    assert [of_task["kills"] for of_task in killed] == [32 // len(RUNS)] * len(RUNS)
    assert all(of_task["resumed_runs"] > 0 for of_task in killed)
    assert sum(of_task["resumed_images"] for of_task in killed) > 0
    assert [of_task["sent"] for of_task in found["signals"]["tasks"].values()] == [4 // len(RUNS)] * len(RUNS)
    assert "second_run" in found
