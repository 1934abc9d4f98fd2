"""Collects runs and their scores in `history.csv` beside the submissions: which settings gave which score."""

import argparse
import csv
import fcntl
import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pipelines.core.errors import InputError, SuiteError
from pipelines.core.images.samples import read_table
from pipelines.core.places import HISTORY
from pipelines.core.submission.scores import Score
from pipelines.core.submission.writing import content_hash, write_whole
from pipelines.core.table import print_table
from pipelines.tasks import TASKS

FRONT = ["finished_utc", "task", "submission"]
"""The first columns; then come the scores, a column each, whichever there are."""
OF_RUN = ["rows", "blanks", "missing", "seconds", "device"]
BACK = [*OF_RUN, "models", "settings", "settings_hash", "scored_with", "content_hash"]
UNSAID = ("data.output", "runner.progress", "runner.deadline", "worst")
"""Settings that have columns of their own, the output `submission` and the deadline `missing`, or change no score."""

Row = dict[str, str]
"""One run, or one evaluation of a file that no run of the history wrote: column -> text."""


def note_run(task: str, config: Any, record: Mapping[str, Any]) -> None:  # noqa: ANN401 - a task's settings class
    """Adds a row for a run, from its settings and its run record."""
    row = {
        "finished_utc": _time(record["finished"]),
        "task": task,
        "submission": record["submission"],
        "rows": str(record["rows"]),
        "blanks": str(len(record["blanks"])),
        "missing": str(record["missing"]),
        "seconds": f"{record['seconds']['total']:.1f}",
        "device": record["device"],
        "models": _models(record["run"].get("models", ())),
        "settings": settings_text(chosen(config)),
        "settings_hash": _settings_hash(config),
        "content_hash": record["content_hash"],
    }
    _change(Path(record["submission"]).parent, lambda rows: _appended(rows, row))


def note_merge(task: str, output: Path, count: int, settings: Mapping[str, object]) -> None:
    """Adds a row for a submission of `count` rows that was merged from others, and how."""
    row = {
        "finished_utc": _time(datetime.now(timezone.utc).isoformat()),
        "task": task,
        "submission": str(output),
        "rows": str(count),
        "settings": settings_text(settings),
        "content_hash": content_hash(output),
    }
    _change(output.parent, lambda rows: _appended(rows, row))


def note_scores(task: str, settings: Any, scores: Sequence[Score]) -> Row:  # noqa: ANN401 - an evaluation's settings
    """Adds an evaluation's scores to the row of the run that wrote what was scored, and returns that row.

    The run is told by the content of the submission, so a file that was edited since is not given its settings: it
    gets a row of its own. So does another truth or tokenizer, whose figures are not to be mixed.
    """
    content = content_hash(settings.submission)
    scored_with = settings_text({key: value for key, value in chosen(settings).items() if key != "submission"})
    figures = {score.name: f"{score.value:.6g}" for score in scores}
    figures = {f"{name} (score)" if name in FRONT + BACK else name: text for name, text in figures.items()}

    def change(rows: list[Row]) -> Row:
        of_file = [row for row in rows if (row["content_hash"], row["task"]) == (content, task)]
        row = next((row for row in reversed(of_file) if row["scored_with"] in ("", scored_with)), None)
        if row is None:
            now = _time(datetime.now(timezone.utc).isoformat())
            own = {"finished_utc": now, "task": task, "submission": str(settings.submission)}
            of_run = {key: of_file[-1][key] for key in FRONT + BACK} if of_file else {}
            row = _appended(rows, own | of_run)
        row.update({"content_hash": content, "scored_with": scored_with} | figures)
        return row

    return _change(settings.submission.parent, change)


def chosen(config: Any) -> dict[str, object]:  # noqa: ANN401 - any settings class
    """Dotted key -> value of the settings that differ from their defaults, but for UNSAID."""
    return {key: value for key, value, usual in _leaves(config) if value != usual and key not in UNSAID}


def settings_text(settings: Mapping[str, object]) -> str:
    """`key=value; key=value`, as one cell has it; `settings_of` reads it back."""
    return "; ".join(f"{key}={_text(value)}" for key, value in settings.items())


def settings_of(text: str) -> dict[str, str]:
    """What `settings_text` wrote: dotted key -> value as text."""
    pairs = (pair.partition("=") for pair in text.split("; ") if pair)
    return {key: value for key, _, value in pairs}


def read_history(folder: Path) -> list[Row]:
    """The rows of a folder's history, the oldest first; none where there is no such file. Raises InputError.

    Each row has all fixed columns.
    """
    path = folder / HISTORY
    if not path.exists():
        return []
    table = read_table(path)
    lacking = [column for column in [*FRONT, "content_hash"] if column not in table.columns]
    if lacking:
        raise InputError(
            f"expected a history of runs with the column {lacking[0]} in {path}, found {', '.join(table.columns)}; "
            "move the file away to begin a new one"
        )
    return [dict.fromkeys(BACK, "") | row for row in table.rows]  # an older history has fewer columns


def main(words: Sequence[str]) -> int:
    """`python -m pipelines history`: the runs of each task as a table, the newest last. Raises InputError."""
    parser = argparse.ArgumentParser(prog="python -m pipelines history", allow_abbrev=False)
    parser.add_argument("--task", choices=list(TASKS), help="only the runs of one task")
    parser.add_argument("--folder", type=Path, default=Path("submissions"), help="folder of the submissions")
    arguments = parser.parse_args(words)
    rows = read_history(arguments.folder)
    found = list(dict.fromkeys(row["task"] for row in rows if arguments.task in (None, row["task"])))
    if not found:
        what = f"runs of {arguments.task}" if arguments.task else "runs"
        raise InputError(
            f"expected {what} in {arguments.folder / HISTORY}, found none; run a task, or name its --folder"
        )
    for number, task in enumerate(found):
        if number:
            print()
        show([row for row in rows if row["task"] == task])
    return 0


def show(rows: Sequence[Row]) -> None:
    """Prints the runs of one task: the scores, and of all else what is not the same in each; that stands below."""
    settings = [settings_of(row["settings"]) for row in rows]
    same = {key: value for key, value in settings[0].items() if all(of.get(key) == value for of in settings)}
    varying = [{key: value for key, value in of.items() if key not in same} for of in settings]
    own = [{**row, "settings": settings_text(of)} for row, of in zip(rows, varying, strict=True)]
    scores = [column for column in rows[0] if column not in FRONT + BACK]
    columns = ["finished_utc", "submission", *(name for name in scores if any(row[name] for row in own))]
    columns += [name for name in OF_RUN if any(row[name] for row in own)]
    columns += [name for name in ("scored_with", "settings") if len({row[name] for row in own}) > 1]
    header = [f"{rows[0]['task']}: {columns[0]}", *columns[1:]]
    print_table([tuple(header), *(tuple(row[column] for column in columns) for row in own)])
    if same:
        print("the same in all:", settings_text(same))


def _appended(rows: list[Row], row: Row) -> Row:
    """`row` with all fixed columns, put last."""
    rows.append(dict.fromkeys(FRONT + BACK, "") | row)
    return rows[-1]


def _change(folder: Path, change: Callable[[list[Row]], Row]) -> Row:
    """Reads a history, lets `change` have its rows, writes it whole; nobody else can do so meanwhile.

    What goes wrong is said and does not raise: the submission and its record are written, and no run is lost over a
    history that somebody holds open or has damaged. Returns what `change` returns.
    """
    try:
        with _locked(folder):
            rows = read_history(folder)
            row = change(rows)
            write_whole(folder / HISTORY, _csv(rows))
            return row
    except (SuiteError, OSError) as error:
        print(f"{folder / HISTORY} was left as it is: {error}", file=sys.stderr)
        return change([])


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Waits for the others that change this folder's history; a process that dies lets go of the lock."""
    with (folder / f".{HISTORY}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _csv(rows: Sequence[Row]) -> str:
    """The rows with a column for every score that any of them has; the BOM tells spreadsheets that it is UTF-8."""
    scores = dict.fromkeys(name for row in rows for name in row if name not in FRONT + BACK)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*FRONT, *scores, *BACK], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return "\ufeff" + text.getvalue()


def _leaves(config: Any, usual: Any = None, prefix: str = "") -> Iterator[tuple[str, object, object]]:  # noqa: ANN401
    """(dotted key, value, default) of every setting; a default is MISSING where the setting has to be given."""
    for entry in fields(config):
        value = getattr(config, entry.name)
        default = _default(entry) if usual is None else getattr(usual, entry.name)
        if is_dataclass(value):
            yield from _leaves(value, default if isinstance(default, type(value)) else None, f"{prefix}{entry.name}.")
        else:
            yield f"{prefix}{entry.name}", value, default


def _default(entry: "Field[Any]") -> object:
    return entry.default if entry.default_factory is MISSING else entry.default_factory()


def _settings_hash(config: Any) -> str:  # noqa: ANN401 - any settings class
    """The same for two runs whose settings are the same in all but UNSAID."""
    said = {key: value for key, value, _ in _leaves(config) if key not in UNSAID}
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _models(models: Mapping[str, Mapping[str, str]] | Sequence[Mapping[str, str]]) -> str:
    """`checkpoint fingerprint; ...` of the models that a run record names."""
    entries = models.values() if isinstance(models, Mapping) else models
    return "; ".join(f"{entry['checkpoint']} {entry['fingerprint'][:8]}" for entry in entries)


def _text(value: object) -> str:
    """A setting as a person reads it, on one line and without what parts two settings."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_text(entry)}" for key, entry in value.items())
    return " ".join(str(value).split()).replace("; ", ";")


def _time(iso: str) -> str:
    """`2026-01-31 13:05:09`, which spreadsheets take for a time, of an ISO time in UTC."""
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M:%S")
