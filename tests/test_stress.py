"""Runs that are killed, stopped or started twice leave what an undisturbed run leaves; `make stress` kills 300."""

import json
import os
import subprocess
import sys


def test_thirty_kills_three_signals_and_a_second_run():
    command = [sys.executable, "-m", "tests.stress", "--kills", "30", "--signals", "3", "--deadline", "0"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}  # threads do not survive a fork
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert found["faults"] == []
    assert done.returncode == 0
    assert [of_task["kills"] for of_task in found["kills"].values()] == [10, 10, 10]
    assert all(of_task["resumed_runs"] > 0 for of_task in found["kills"].values())
    assert sum(of_task["resumed_images"] for of_task in found["kills"].values()) > 0
    assert found["signals"]["sent"] == 3
    assert found["second_runs_refused"] == 1
