"""Puts the photos that a search found in the order of a second judge, a slower and better network."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.core.running.batch_model import BatchModel
from pipelines.core.running.runner import Runner
from pipelines.core.table import print_failures
from pipelines.search.album.embedding import photo_path
from pipelines.search.album.nearest import Match
from pipelines.search.models.judge import Pair


@dataclass(frozen=True)
class Reranked:
    """What became of a search's photos."""

    matches: list[Match]
    """All of them: those that were judged, the best first, then the others in the order in which they were found."""
    text: str
    """What the judge was asked."""
    failed: dict[str, str]
    """Id -> why a photo was not judged."""
    seconds: float


def rerank(
    judge: BatchModel[Pair, float], runner: Runner, text: str, matches: Sequence[Match], folder: Path
) -> Reranked:
    """Photos of `folder` in the order of a judge that is asked `text`; equals stay as they were found."""
    started = time.perf_counter()
    pairs = [Pair(photo_path(folder, match.id), text) for match in matches]
    judged, failed, rest = [], {}, []
    for match, outcome in zip(matches, runner.run(judge, pairs, "rerank"), strict=True):
        if outcome.result is None:
            failed[match.id] = outcome.error
            rest.append(match)
        else:
            judged.append((outcome.result, match))
    judged.sort(key=lambda pair: -pair[0])
    ordered = [replace(match, judged=score) for score, match in judged]
    return Reranked([*ordered, *rest], text, failed, time.perf_counter() - started)


def say_reranked(found: Reranked, judge: str) -> None:
    """What was judged, how long it took, and what could not be, on standard error."""
    count = len(found.matches) - len(found.failed)
    print(f"{judge} judged {count} photos by {found.text!r} in {found.seconds:.1f} s (--rerank)", file=sys.stderr)
    print_failures(f"{len(found.failed)} photos could not be judged and come last", found.failed)
