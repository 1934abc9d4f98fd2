"""`evaluate`: what a submission scores against its truth, as a table and as a JSON file beside the submission."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipelines.core.config import load_config, parts
from pipelines.core.errors import InputError
from pipelines.core.submission.scores import Evaluation
from pipelines.core.submission.writing import content_hash, write_whole
from pipelines.core.table import print_table
from pipelines.runs.history import note_scores
from pipelines.runs.tracking import Tracking, send
from pipelines.runs.worst import ERRORS, FINDERS, Wrong, worst

ENDING = ".scores.json"
TRACKING = "tracking"
"""The part of a settings file that is no task's."""


class Scoring(Protocol):
    """What the settings of every task's evaluation have."""

    @property
    def submission(self) -> Path: ...
    @property
    def truth(self) -> Path: ...
    @property
    def worst(self) -> int: ...


Settings = TypeVar("Settings", bound=Scoring)


def evaluate_task(
    task: str, settings: Settings, evaluate: Callable[[Settings], Evaluation], tracking: Tracking
) -> Evaluation:
    """Scores one task's submission, shows the scores and the worst rows, writes both, the history and to the tracker.

    Raises InputError, and ConfigError where the tracker is not installed.
    """
    found = evaluate(settings)
    rows = [(score.name, f"{score.value:.4g}", score.by) for score in found.scores]
    print_table([(task, "value", "by"), *rows])
    for line in found.lines:
        print(line)
    wrong = worst(task, settings.submission, settings.truth)[: settings.worst] if task in FINDERS else []
    _show_worst(task, wrong)
    record = {
        "task": task,
        "submission": str(settings.submission),
        "content_hash": content_hash(settings.submission),
        "truth": str(settings.truth),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "scores": [asdict(score) for score in found.scores],
        **found.details,
        **({"worst": [asdict(row) for row in wrong]} if task in FINDERS else {}),
    }
    write_scores(settings.submission, record)
    row = note_scores(task, settings, found.scores)
    send(tracking, settings.submission, row, found.scores)
    return found


def evaluate_all(config: Path, evaluations: Mapping[str, Callable[[], tuple[Any, Any]]], tracking: Tracking) -> None:
    """Scores what there is of the submissions that a settings file names. Raises InputError where there is none."""
    missing = []
    tasks = [part for part in parts(config, [*evaluations, TRACKING]) if part != TRACKING]
    for task in tasks:
        kind, evaluate = evaluations[task]()
        settings = load_config(config, kind, part=task)
        if settings.submission.exists():
            evaluate_task(task, settings, evaluate, tracking)
            print()
        else:
            missing.append(settings.submission)
    if len(missing) == len(tasks):
        some = f"submissions such as {missing[0]}" if missing else f"a task's part in {config}"
        raise InputError(f"expected {some}, found none; make submissions")


def _show_worst(task: str, rows: Sequence[Wrong]) -> None:
    """The worst rows as a table; nothing where none is wrong."""
    if rows:
        print()
        cells = [(row.id, row.kind, f"{row.error:.4g}", row.said, row.truth) for row in rows]
        print_table([("worst", "kind", ERRORS[task], "said", "truth"), *cells])


def write_scores(submission: Path, record: Mapping[str, Any]) -> None:
    """Writes `<submission>.scores.json` beside the submission, whole or not at all."""
    text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    write_whole(submission.with_suffix(ENDING), text)
