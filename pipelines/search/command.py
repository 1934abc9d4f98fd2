"""`python -m pipelines search ...`: finds photos by words or by a photo."""

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pipelines.core.config import add_flags, given_flags, load_config
from pipelines.core.errors import ConfigError
from pipelines.core.table import print_table
from pipelines.core.task import Note
from pipelines.search.settings import SearchConfig

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
TRUTH = (
    "CSV `image,caption` of the album's photos, such as captions or what you would ask (an image may have several "
    "rows, a caption several images); --columns are its texts; without it the captions that `enrich` wrote"
)
CLASSIFY = "`search classify DIR --labels labels.txt` gives photos a class by its name, as the task `classify`."


def main(words: Sequence[str], note_run: Note) -> int:
    """Runs one of the commands; 0 where it went well. A ranking is told to `note_run`. Raises SuiteError."""
    arguments = _given(words)
    config = load_config(arguments.config, SearchConfig, given_flags(arguments))
    if arguments.command == "index":
        return _index(arguments.folder, config, arguments.fresh)
    if arguments.command == "query":
        return _query(arguments, config)
    if arguments.command == "calibrate":
        return _calibrate(config, arguments.truth, arguments.settings_out)
    return _rank(config, note_run)


def _given(words: Sequence[str]) -> argparse.Namespace:
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
    query.add_argument("--all", action="store_true", help="also show photos below the `cutoff`, marked")
    rank = commands.add_parser("rank", help="ranks a folder's photos for many queries, to be scored")
    calibrate = commands.add_parser("calibrate", help="finds the `cutoff` by captions whose photos are known")
    calibrate.add_argument("--truth", type=Path, help=TRUTH)
    calibrate.add_argument(
        "--settings-out",
        type=Path,
        default=Path("submissions/search_calibrated.yaml"),
        help="settings file to write: the one given, with the cutoff (%(default)s)",
    )
    for command in (index, query, rank, calibrate):
        command.add_argument("--config", type=Path, default=Path("configs/search.yaml"), help="settings file (YAML)")
        add_flags(command, SearchConfig)
    arguments = parser.parse_args(list(words))
    if arguments.command == "query" and arguments.words is None and arguments.image is None:
        query.error("expected words, --image or both")
    return arguments


def _index(folder: Path, config: SearchConfig, fresh: bool) -> int:
    from pipelines.core.running.runner import Runner
    from pipelines.core.running.stopping import Stop, seconds_of
    from pipelines.search.album.indexing import index, say

    started = time.monotonic()
    deadline = config.runner.deadline
    stop = Stop(None if deadline is None else seconds_of(deadline), started)
    with stop.on_signals():
        report = index(folder, config, fresh, Runner(config.runner, stop))
    say(report, time.monotonic() - started)
    return 0 if stop.signal is None else 128 + stop.signal


def _query(arguments: argparse.Namespace, config: SearchConfig) -> int:
    from pipelines.core.doctor import check_models
    from pipelines.search.query import asking
    from pipelines.search.query.cutoff import say_fit
    from pipelines.search.query.rerank import say_reranked
    from pipelines.search.rank import say_translated
    from pipelines.search.where.filters import spelled_out

    for wrong in check_models(config):
        raise ConfigError(wrong.message)
    album = asking.find_album(config)
    search = asking.Asking(album, config)
    asked = search.take_apart(arguments.words)
    reranks = config.rerank is not None and bool(asked.text)
    top = max(config.top, config.rerank_first) if reranks else config.top
    matches = search.ask(arguments.words, arguments.image, top, arguments.where)
    say_translated(search.queries, config.checkpoint)
    if asked.counts and arguments.where is None:
        exactly = " and ".join(map(spelled_out, asked.counts))
        print(f"only photos in which so many were counted: --where {shlex.quote(exactly)}", file=sys.stderr)
    if config.cutoff is not None and search.cutoff is None:
        print("the cutoff of the settings is another model's; `search calibrate` finds this one's", file=sys.stderr)
    fit = search.fit(asked, matches) if arguments.image is None else None
    if fit is not None:
        say_fit(fit, asked.text, arguments.all)
        matches = matches if arguments.all else fit.matches
    if reranks and matches:
        found = search.reranked(asked.text, matches)
        say_reranked(found, str(config.rerank))
        matches = found.matches[: config.top]
    below = {match.id for match in fit.below} if fit else set()
    if arguments.json:
        print(asking.as_json(matches, album, asked.words, below))
    else:
        print_table(asking.as_table(matches, album, config.rerank, asked.words, below))
    return 0


def _calibrate(config: SearchConfig, truth: Path | None, settings_out: Path) -> int:
    from pipelines.search.calibrate import calibrate

    calibrate(config, truth, settings_out)
    return 0


def _rank(config: SearchConfig, note_run: Note) -> int:
    from pipelines.search.rank import rank

    note_run("search", config, rank(config))
    return 0
