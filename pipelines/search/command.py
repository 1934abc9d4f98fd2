"""`python -m pipelines search ...`: finds photos by words or by a photo."""

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipelines.core.config import add_flags, given_flags, load_config
from pipelines.history import note_run
from pipelines.search.settings import SearchConfig
from pipelines.table import print_table

WORDS = (
    "what the photo shows, in Korean or English; a minus takes a word away, quotes keep words together, as in "
    "'바다 -사람 -\"빨간 차\"'. Photos with all the words in their captions come up; a word is found as part of others "
    "too, 눈 in 눈물"
)
WHERE = (
    'a condition, such as "year = 2024 and dog >= 2". Names: year, month, date (2024-05-01, 2024-05), camera, folder, '
    "name, caption, width, height, megapixels, size (3MB), orientation (portrait, landscape, square), colour, lat, "
    "lon, and what `enrich` counted (dog, 강아지). Comparisons: = != < <= > >=, ~ (contains), in (..), between a and "
    "b. Places: near(37.5, 127.0, 5km), box(south, west, north, east). Joined by and, or, not and parentheses"
)
CLASSIFY = "`search classify DIR --labels labels.txt` gives photos a class by its name, as the task `classify`."


def main(words: Sequence[str]) -> int:
    """Runs one of the commands; 0 where it went well. Raises SuiteError."""
    parser = argparse.ArgumentParser(prog="python -m pipelines search", allow_abbrev=False, epilog=CLASSIFY)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    index = commands.add_parser("index", help="makes an album of a folder of photos, or brings it up to date")
    index.add_argument("folder", type=Path, help="the photos; searched with its subfolders")
    index.add_argument("--fresh", action="store_true", help="make the album anew, by another checkpoint for one")
    query = commands.add_parser("query", help="finds an album's photos by words, by a photo, or by both")
    query.add_argument("words", nargs="?", help=WORDS)
    query.add_argument(
        "--image", help="a photo, of the album or any file: finds those most like it, and like the words"
    )
    query.add_argument("--where", metavar="CONDITION", help=WHERE)
    query.add_argument("--json", action="store_true", help="print JSON")
    rank = commands.add_parser("rank", help="ranks a folder's photos for many queries, to be scored")
    for command in (index, query, rank):
        command.add_argument("--config", type=Path, default=Path("configs/search.yaml"), help="settings file (YAML)")
        add_flags(command, SearchConfig)
    arguments = parser.parse_args(list(words))
    if arguments.command == "query" and arguments.words is None and arguments.image is None:
        query.error("expected words, --image or both")
    config = load_config(arguments.config, SearchConfig, given_flags(arguments))
    if arguments.command == "index":
        return _index(arguments.folder, config, arguments.fresh)
    if arguments.command == "query":
        return _query(arguments.words, arguments.image, arguments.where, config, arguments.json)
    return _rank(config)


def _index(folder: Path, config: SearchConfig, fresh: bool) -> int:
    from pipelines.core.stopping import Stop, seconds_of
    from pipelines.search.indexing import index, say

    started = time.monotonic()
    deadline = config.runner.deadline
    stop = Stop(None if deadline is None else seconds_of(deadline), started)
    with stop.on_signals():
        report = index(folder, config, fresh, stop)
    say(report, time.monotonic() - started)
    return 0 if stop.signal is None else 128 + stop.signal


def _query(words: str | None, image: str | None, where: str | None, config: SearchConfig, as_json: bool) -> int:
    from pipelines.search import asking
    from pipelines.search.filters import spelled_out
    from pipelines.search.rank import say_translated
    from pipelines.search.rerank import say_reranked
    from pipelines.search.words import take_apart

    album = asking.find_album(config)
    search = asking.Asking(album, config)
    asked = take_apart(words or "", search.counted())
    if asked.text and config.rerank is not None:
        first = search.ask(words, image, max(config.top, config.rerank_first), where)
        found = search.reranked(asked.text, first)
        say_reranked(found, config.rerank)
        matches = found.matches[: config.top]
    else:
        matches = search.ask(words, image, config.top, where)
    say_translated(search.queries, config.checkpoint)
    if asked.counts and where is None:
        exactly = " and ".join(map(spelled_out, asked.counts))
        print(f"only photos in which so many were counted: --where {shlex.quote(exactly)}", file=sys.stderr)
    if as_json:
        print(asking.as_json(matches, album, asked.words))
    else:
        print_table(asking.as_table(matches, album, config.rerank, asked.words))
    return 0


def _rank(config: SearchConfig) -> int:
    from pipelines.search.rank import rank

    note_run("search", config, rank(config))
    return 0
