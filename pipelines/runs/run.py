"""What every task's command does: settings, samples, pipeline, the checked CSV, its run record and history."""

import hashlib
import json
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipelines.core.config import DataConfig
from pipelines.core.images.samples import Sample
from pipelines.core.notes import by_id, noticing, print_notes
from pipelines.core.running.journal import Journal
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.running.stopping import Stop
from pipelines.core.running.unfinished import Unfinished, files_state, unfinished
from pipelines.core.submission.schema import Pipeline, read_schema
from pipelines.core.submission.writing import Written, check_writable, content_hash, write_record, write_submission
from pipelines.core.table import print_failures
from pipelines.core.task import Task
from pipelines.runs.examine import enforce, examine_inputs, examine_submission, show
from pipelines.runs.history import note_run

PACKAGES = ["torch", "torchvision", "transformers", "timm", "anomalib", "ultralytics", "opencv-python", "pandas"]


class TaskConfig(Protocol):
    """What the settings of every task have."""

    @property
    def data(self) -> DataConfig: ...
    @property
    def runner(self) -> RunnerConfig: ...


T = TypeVar("T")


def run_task(task: Task, config: TaskConfig, *, fresh: bool = False, stop: Stop | None = None) -> Written:
    """Runs a task from its settings to the written submission, its record and its row in the history.

    What can fail before the work fails first: the output's place, all that the doctor finds, then the models. What is
    finished is kept beside the output, and the next run of the same goes on from there, unless it is to be `fresh`;
    once `stop` is due, what is missing gets the fallback. Raises SuiteError with one sentence for the user.
    """
    assert task.pipeline is not None
    started = time.perf_counter()
    stop = stop or Stop()
    output = config.data.output
    enforce(examine_inputs(task, config))
    check_writable(output)
    with unfinished(output) as work:
        with noticing() as noticed:  # what lies in the folder and is not read
            samples = task.samples(config)
        work.keep_room(len(samples))
        runner = Runner(config.runner, stop)
        pipeline = task.pipeline(config, runner)
        schema = read_schema(config.data, pipeline.fields)
        setup = time.perf_counter() - started
        runner.journal = work.journal(run_key(task.name, pipeline, samples), pipeline.results, fresh)
        _report_journal(runner.journal)
        with stop.on_signals(), closing(runner.journal):
            written = write_submission(output, schema, pipeline, _releasing(pipeline(samples), len(samples), work))
        seconds = {"setup": round(setup, 3), "total": round(time.perf_counter() - started, 3)}
        warnings = by_id(noticed | runner.notes, samples)
        record = _record(task.name, runner, pipeline, written, len(samples), seconds, warnings)
        write_record(output.with_suffix(".json"), record)
        if not written.missing:
            work.clear()
    note_run(task.name, config, record)
    _report(task, output, written, record)
    show(examine_submission(output, task, config))
    return written


def _record(
    name: str, runner: Runner, pipeline: Pipeline[Any], written: Written, images: int, seconds: Mapping[str, float],
    warnings: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    """What is kept of a run beside its submission, as JSON."""
    output = pipeline.config.data.output
    return {
        "task": name,
        "submission": str(output),
        "content_hash": content_hash(output),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "rows": written.rows,
        "images": images,
        "blanks": [asdict(blank) for blank in written.blanks],
        "warnings": [{"id": name, "reason": reason} for name, reason in warnings.items()],
        "missing": written.missing,
        "stopped": runner.stop.reason,
        "seconds": seconds,
        "stages": [
            asdict(report) | {"items_per_second": round(report.items_per_second, 3)} for report in runner.reports
        ],
        "device": runner.device_name,
        "versions": _versions(),
        "settings": asdict(pipeline.config),
        "run": pipeline.record(),
    }


def run_key(name: str, pipeline: Pipeline[Any], samples: Sequence[Sample]) -> dict[str, Any]:
    """What has to be the same for the results of one run to be those of another: settings, models, images, versions."""
    settings: dict[str, Any] = asdict(pipeline.config)
    del settings["data"]["output"]
    for newer in ("ignore", "white"):  # a run that was begun before they were known goes on where they say nothing
        if not settings["data"][newer]:
            del settings["data"][newer]
    for changes_nothing in ("progress", "workers", "deadline"):
        del settings["runner"][changes_nothing]
    asked = hashlib.sha256(json.dumps([(each.id, dict(each.fields)) for each in samples]).encode()).hexdigest()[:16]
    images = {"count": len(samples), "ids": asked, "files": files_state(each.path for each in samples)}
    return {"task": name, "settings": settings, "images": images, "run": pipeline.record(), "versions": _versions()}


def _releasing(outcomes: Iterable[T], count: int, work: Unfinished) -> Iterator[T]:
    """`count` outcomes; with the last one the room on the disk is given back, for what is written then."""
    for number, outcome in enumerate(outcomes, start=1):
        if number == count:
            work.release_room()
        yield outcome


def _report_journal(journal: Journal) -> None:
    """Says whether this run goes on from an earlier one, or why it does not."""
    if journal.why_afresh:
        print(f"starting afresh: {journal.why_afresh}", file=sys.stderr)
    elif len(journal):
        print(f"going on from an earlier run that was not finished ({journal.path})", file=sys.stderr)


def _report(task: Task, output: Path, written: Written, record: Mapping[str, Any]) -> None:
    """The end of a run on the terminal: rows, time, and every blank with its reason."""
    print(f"{output}: {written.rows} rows in {record['seconds']['total']:.1f} s ({record['device']})")
    if written.missing:
        print(
            f"{record['stopped']}: {written.missing} of {record['images']} images were not reached, and their rows say "
            f"what is likely by the others ({task.fallback[1]}); run the same again to go on",
            file=sys.stderr,
        )
    print_failures(
        f"{len(written.blanks)} of {record['images']} images could not be used and have a blank row ({task.blank[1]})",
        {blank.id: blank.reason for blank in written.blanks},
        str(output.with_suffix(".json")),
    )
    warnings = {each["id"]: each["reason"] for each in record["warnings"]}
    print_notes(warnings, str(output.with_suffix(".json")))


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
