"""`python -m pipelines search ...`: finds photos by words or by a photo."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from pipelines.core.config import add_flags, given_flags, load_config
from pipelines.history import note_run
from pipelines.search.settings import SearchConfig


def main(words: Sequence[str]) -> int:
    """Runs one of the commands; 0 where it went well. Raises SuiteError."""
    parser = argparse.ArgumentParser(prog="python -m pipelines search", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    rank = commands.add_parser("rank", help="ranks a folder's photos for many queries, to be scored")
    for command in (rank,):
        command.add_argument("--config", type=Path, default=Path("configs/search.yaml"), help="settings file (YAML)")
        add_flags(command, SearchConfig)
    arguments = parser.parse_args(list(words))
    config = load_config(arguments.config, SearchConfig, given_flags(arguments))
    if arguments.command == "rank":
        from pipelines.search.rank import rank as run

        note_run("search", config, run(config))
    return 0
