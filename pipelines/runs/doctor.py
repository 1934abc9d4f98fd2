"""`python -m pipelines doctor`: says what would make a run or a submission invalid, without loading a model."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipelines.core.config import add_flags, given_flags, load_config
from pipelines.runs.command import settings_file
from pipelines.tasks import TASKS


def main(words: Sequence[str]) -> int:
    """Prints each problem on standard error; the exit code is 2 where one is an error. Raises ConfigError."""
    choice = argparse.ArgumentParser(prog="python -m pipelines doctor", allow_abbrev=False)
    names = choice.add_subparsers(dest="task", required=True, metavar="TASK")
    for name in TASKS:
        names.add_parser(name, help=f"with the flags of `{name}`", add_help=False)
    known, rest = choice.parse_known_args(words)
    task = TASKS[known.task]
    parser = argparse.ArgumentParser(prog=f"python -m pipelines doctor {task.name}", allow_abbrev=False)
    parser.add_argument("--config", type=Path, default=settings_file(task), help="settings (YAML)")
    parser.add_argument("--submission", type=Path, help="a submission to check besides")
    add_flags(parser, task.config)
    arguments = parser.parse_args(rest)
    config = load_config(arguments.config, task.config, given_flags(arguments))
    from pipelines.runs.examine import report  # torch, which takes seconds

    return report(task, config, arguments.submission, arguments.config)
