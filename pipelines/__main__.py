"""`python -m pipelines <command>`: each command imports what it needs only when it is called."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from pipelines.core.errors import SuiteError
from pipelines.core.terminal import settle
from pipelines.runs import command
from pipelines.tasks import TASKS

COMMANDS = {
    "enrich": ("pipelines.enrich", "captions an album's photos and counts objects in them"),
    "doctor": ("pipelines.runs.doctor", "says what would make a run or a submission invalid"),
    "models": ("pipelines.runs.models", "lists checkpoints: licence, download, memory, published scores"),
    "evaluate": ("pipelines.runs.evaluate", "scores submissions against their truth"),
    "compare": ("pipelines.runs.compare", "shows where submissions differ, and merges them"),
    "history": ("pipelines.runs.history", "shows which settings gave which score"),
}
"""Beside the tasks: name -> the module whose `main` takes the words after the name, and one line for the help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0, or 2 with one line on standard error where the user can mend something.

    A run that SIGINT or SIGTERM has stopped gives 128 and the signal's number, whether or not it wrote a submission.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # our own threads prepare the batches
    try:
        return _dispatch(words)
    except SuiteError as error:
        print("error:", str(error).replace("\n", " "), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130


def _dispatch(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m pipelines", description="Vision challenge suite.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, task in TASKS.items():
        commands.add_parser(name, help=task.help[1], add_help=False)
    for name, (_, line) in COMMANDS.items():
        commands.add_parser(name, help=line, add_help=False)
    known, rest = parser.parse_known_args(words)
    if known.command in TASKS:
        return command.main(TASKS[known.command], rest)
    return int(import_module(COMMANDS[known.command][0]).main(rest))


if __name__ == "__main__":
    settle()
    code = main()
    if sys.argv[1:2] and sys.argv[1] in TASKS:
        # All is written. Python would take 2 to 4 s to free what torch and transformers made: past a deadline.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
