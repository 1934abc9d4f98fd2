"""A task's own command, `python -m pipelines TASK ...`: its run, its calibration, or what it has in their place."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from pipelines.core.config import add_flags, given_flags, load_config
from pipelines.core.errors import StoppedError
from pipelines.core.places import check, read, written
from pipelines.core.running.stopping import Stop, seconds_of
from pipelines.core.task import Task
from pipelines.tasks import TASKS


def main(task: Task, words: Sequence[str]) -> int:
    """Runs the words after a task's name. Raises SuiteError."""
    if task.command is None:
        return _calibrate(task, words[1:]) if task.calibration and words[:1] == ["calibrate"] else _run(task, words)
    if words and words[0] in TASKS:  # `search classify DIR` is that task, with the folder as its images
        folder = ["--images"] if words[1:] and not words[1].startswith("-") else []
        return main(TASKS[words[0]], [*folder, *words[1:]])
    from pipelines.runs.history import note_run

    return task.command(words, note_run)


def settings_file(task: Task) -> Path:
    """Where a task's settings are read from unless --config names a file."""
    return Path("configs") / f"{task.name}.yaml"


def _run(task: Task, words: Sequence[str]) -> int:
    started = time.monotonic()  # before torch is imported: a deadline is for all of it
    more = f"; `{task.name} calibrate --help`: the settings that suit known answers best" if task.calibration else ""
    parser = argparse.ArgumentParser(
        prog=f"python -m pipelines {task.name}", description=task.help[1] + more, allow_abbrev=False
    )
    parser.add_argument("--config", type=Path, default=settings_file(task), help="settings file (YAML)")
    add_flags(parser, task.config)
    parser.add_argument("--fresh", action="store_true", help="begin anew, where a run before was not finished")
    arguments = parser.parse_args(words)
    config = load_config(arguments.config, task.config, given_flags(arguments))
    deadline = config.runner.deadline
    stop = Stop(None if deadline is None else seconds_of(deadline), started)
    from pipelines.runs.run import run_task  # torch, which takes seconds: --help and a wrong flag do without

    try:
        run_task(task, config, fresh=arguments.fresh, stop=stop, settings=arguments.config)
    except StoppedError as error:
        if stop.signal is None:
            raise
        print("error:", error, file=sys.stderr)
    return 0 if stop.signal is None else 128 + stop.signal


def _calibrate(task: Task, words: Sequence[str]) -> int:
    assert task.calibration is not None
    calibration = task.calibration()
    parser = argparse.ArgumentParser(prog=f"python -m pipelines {task.name} calibrate", allow_abbrev=False)
    if task.config in calibration.settings:
        parser.add_argument("--config", type=Path, default=settings_file(task), help="settings of the run")
    for kind in calibration.settings:
        add_flags(parser, kind)
    arguments = parser.parse_args(words)
    given = given_flags(arguments)
    settings = []
    for kind in calibration.settings:
        own = {entry.name for entry in fields(kind)}
        flags = {key: value for key, value in given.items() if key.partition(".")[0] in own}
        settings.append(load_config(arguments.config if kind is task.config else None, kind, flags))
    file = arguments.config if task.config in calibration.settings else None
    outputs = [place for each in settings if type(each) is not task.config for place in written(each)]
    check(outputs, [place for each in settings for place in read(each, file)])
    calibration.calibrate(*settings)
    return 0
