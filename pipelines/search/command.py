"""`python -m pipelines search ...`: finds photos by words or by a photo."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from pipelines.core.config import add_flags, given_flags, load_config
from pipelines.history import note_run
from pipelines.search.settings import SearchConfig
from pipelines.table import print_table

CLASSIFY = "`search classify DIR --labels labels.txt` gives photos a class by its name, as the task `classify`."


def main(words: Sequence[str]) -> int:
    """Runs one of the commands; 0 where it went well. Raises SuiteError."""
    parser = argparse.ArgumentParser(prog="python -m pipelines search", allow_abbrev=False, epilog=CLASSIFY)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    index = commands.add_parser("index", help="makes an album of a folder of photos, or brings it up to date")
    index.add_argument("folder", type=Path, help="the photos; searched with its subfolders")
    index.add_argument("--fresh", action="store_true", help="make the album anew, by another checkpoint for one")
    query = commands.add_parser("query", help="finds an album's photos by words, or by a photo")
    query.add_argument("words", nargs="?", help="what the photo shows, in Korean or English")
    query.add_argument("--image", help="a photo, of the album or any file: finds those most like it")
    query.add_argument("--json", action="store_true", help="print JSON")
    rank = commands.add_parser("rank", help="ranks a folder's photos for many queries, to be scored")
    for command in (index, query, rank):
        command.add_argument("--config", type=Path, default=Path("configs/search.yaml"), help="settings file (YAML)")
        add_flags(command, SearchConfig)
    arguments = parser.parse_args(list(words))
    if arguments.command == "query" and (arguments.words is None) == (arguments.image is None):
        query.error("expected words or --image, and not both")
    config = load_config(arguments.config, SearchConfig, given_flags(arguments))
    if arguments.command == "index":
        return _index(arguments.folder, config, arguments.fresh)
    if arguments.command == "query":
        return _query(arguments.words, arguments.image, config, arguments.json)
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


def _query(words: str | None, image: str | None, config: SearchConfig, as_json: bool) -> int:
    from pipelines.search import asking
    from pipelines.search.rank import say_translated
    from pipelines.search.rerank import say_reranked

    album = asking.find_album(config)
    search = asking.Asking(album, config)
    if words is not None and config.rerank is not None:
        found = search.reranked(words, search.by_words(words, max(config.top, config.rerank_first)))
        say_reranked(found, config.rerank)
        matches = found.matches[: config.top]
    else:
        matches = search.by_words(words, config.top) if words is not None else search.by_photo(image or "", config.top)
    say_translated(search.queries, config.checkpoint)
    if as_json:
        print(asking.as_json(matches, album))
    else:
        folder = Path(album.about.folder)
        rows: list[tuple[str, ...]] = [
            ("score", "photo"),
            *((f"{match.score:.3f}", str(folder / match.id)) for match in matches),
        ]
        if any(match.judged is not None for match in matches):
            judged = ("" if match.judged is None else f"{match.judged:.3f}" for match in matches)
            rows = [(first, *row) for first, row in zip((str(config.rerank), *judged), rows, strict=True)]
        print_table(rows)
    return 0


def _rank(config: SearchConfig) -> int:
    from pipelines.search.rank import rank

    note_run("search", config, rank(config))
    return 0
