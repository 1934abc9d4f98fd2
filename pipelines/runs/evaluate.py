"""`evaluate`: what a submission scores against its truth, as a table and as a JSON file beside the submission."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pipelines.core.config import add_flags, given_flags, load_config, parts
from pipelines.core.errors import InputError
from pipelines.core.places import HISTORY, Place, check, read
from pipelines.core.submission.scores import Evaluation, Wrong
from pipelines.core.submission.writing import content_hash, write_whole
from pipelines.core.table import print_table
from pipelines.core.task import Task
from pipelines.runs.history import note_scores
from pipelines.runs.tracking import Tracking, send
from pipelines.runs.worst import worst
from pipelines.tasks import TASKS

ENDING = ".scores.json"
TRACKING = "tracking"
"""The part of a settings file that is no task's."""


def main(words: Sequence[str]) -> int:
    """`python -m pipelines evaluate [TASK]`. Raises SuiteError."""
    parser = argparse.ArgumentParser(prog="python -m pipelines evaluate", allow_abbrev=False)
    parser.add_argument("--config", type=Path, help="settings file (YAML) with a part for each task")
    add_flags(parser, Tracking)
    names = parser.add_subparsers(dest="task", metavar="TASK", help="without it, every task that the settings file has")
    for name, task in TASKS.items():
        of_task = names.add_parser(name, allow_abbrev=False)
        if name in words:  # what scores the others is not imported
            add_flags(of_task, task.scoring().settings)
            add_flags(of_task, Tracking)
    arguments = parser.parse_args(words)
    if arguments.task is None and arguments.config is None:
        parser.error(f"expected a task ({', '.join(TASKS)}) or --config with settings for several")
    given = given_flags(arguments)
    of_tracking = {"track": given.pop("track")} if "track" in given else {}
    tracking = load_config(arguments.config, Tracking, of_tracking, part=TRACKING)
    if arguments.task is None:
        evaluate_all(arguments.config, tracking)
        return 0
    task = TASKS[arguments.task]
    settings = load_config(arguments.config, task.scoring().settings, given, part=task.name)
    evaluate_task(task, settings, tracking)
    return 0


def evaluate_task(task: Task, settings: Any, tracking: Tracking) -> Evaluation:  # noqa: ANN401 - of its scoring
    """Scores one task's submission, shows the scores and the worst rows, writes both, the history and to the tracker.

    Raises InputError, and ConfigError where the tracker is not installed.
    """
    scores = settings.submission.with_suffix(ENDING)
    outputs = [Place("the scores", scores), Place("the history", settings.submission.parent / HISTORY)]
    check(outputs, read(settings))
    found = task.scoring().evaluate(settings)
    rows = [(score.name, f"{score.value:.4g}", score.by) for score in found.scores]
    print_table([(task.name, "value", "by"), *rows])
    for line in found.lines:
        print(line)
    wrong = worst(task, settings.submission, settings.truth)[: settings.worst]
    _show_worst(task, wrong)
    record = {
        "task": task.name,
        "submission": str(settings.submission),
        "content_hash": content_hash(settings.submission),
        "truth": str(settings.truth),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "scores": [asdict(score) for score in found.scores],
        **found.details,
        "worst": [asdict(row) for row in wrong],
    }
    write_scores(settings.submission, record)
    row = note_scores(task.name, settings, found.scores)
    send(tracking, settings.submission, row, found.scores)
    return found


def evaluate_all(config: Path, tracking: Tracking) -> None:
    """Scores what there is of the submissions that a settings file names. Raises InputError where there is none."""
    missing = []
    tasks = [TASKS[part] for part in parts(config, [*TASKS, TRACKING]) if part != TRACKING]
    for task in tasks:
        settings = load_config(config, task.scoring().settings, part=task.name)
        if settings.submission.exists():
            evaluate_task(task, settings, tracking)
            print()
        else:
            missing.append(settings.submission)
    if len(missing) == len(tasks):
        some = f"submissions such as {missing[0]}" if missing else f"a task's part in {config}"
        raise InputError(f"expected {some}, found none; make submissions")


def _show_worst(task: Task, rows: Sequence[Wrong]) -> None:
    """The worst rows as a table; nothing where none is wrong."""
    if rows:
        print()
        cells = [(row.id, row.kind, f"{row.error:.4g}", row.said, row.truth) for row in rows]
        print_table([("worst", "kind", task.worst.unit, "said", "truth"), *cells])


def write_scores(submission: Path, record: Mapping[str, Any]) -> None:
    """Writes `<submission>.scores.json` beside the submission, whole or not at all."""
    text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
    write_whole(submission.with_suffix(ENDING), text)
