"""What every task's command does: settings, samples, pipeline, the checked CSV, its run record and history."""

import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from pipelines.core.config import DataConfig
from pipelines.core.images import Sample
from pipelines.core.runner import Runner, RunnerConfig
from pipelines.core.submission import (
    Pipeline,
    Written,
    check_writable,
    content_hash,
    read_schema,
    write_record,
    write_submission,
)
from pipelines.history import note_run

PACKAGES = ["torch", "torchvision", "transformers", "timm", "anomalib", "ultralytics", "opencv-python", "pandas"]
BLANKS_SHOWN = 20


class TaskConfig(Protocol):
    """What the settings of every task have."""

    @property
    def data(self) -> DataConfig: ...
    @property
    def runner(self) -> RunnerConfig: ...


Config = TypeVar("Config", bound=TaskConfig)


def run_task(
    task: str,
    config: Config,
    make_pipeline: Callable[[Config, Runner], Pipeline[Any]],
    read_samples: Callable[[Config], Sequence[Sample]],
) -> Written:
    """Runs one task from its settings to the written submission, its run record and its row in the history.

    What can fail before the work fails first: the samples, the output folder, then the models and the columns.
    Raises SuiteError with one sentence for the user.
    """
    started = time.perf_counter()
    check_writable(config.data.output)
    samples = read_samples(config)
    runner = Runner(config.runner)
    pipeline = make_pipeline(config, runner)
    schema = read_schema(config.data, pipeline.fields)
    loaded = time.perf_counter() - started
    written = write_submission(config.data.output, schema, pipeline, pipeline(samples))
    record = {
        "task": task,
        "submission": str(config.data.output),
        "content_hash": content_hash(config.data.output),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "rows": written.rows,
        "images": len(samples),
        "blanks": [asdict(blank) for blank in written.blanks],
        "seconds": {"setup": round(loaded, 3), "total": round(time.perf_counter() - started, 3)},
        "stages": [
            asdict(report) | {"items_per_second": round(report.items_per_second, 3)} for report in runner.reports
        ],
        "device": _device_name(runner),
        "versions": _versions(),
        "settings": asdict(config),  # type: ignore[call-overload]
        "run": pipeline.record(),
    }
    write_record(config.data.output.with_suffix(".json"), record)
    note_run(task, config, record)
    _report(config.data.output, written, record)
    return written


def _report(output: Path, written: Written, record: Mapping[str, Any]) -> None:
    """The end of a run on the terminal: rows, time, and every blank with its reason."""
    print(f"{output}: {written.rows} rows in {record['seconds']['total']:.1f} s ({record['device']})")
    if not written.blanks:
        return
    print(
        f"{len(written.blanks)} of {record['images']} images could not be used and have a blank row:", file=sys.stderr
    )
    for blank in written.blanks[:BLANKS_SHOWN]:
        print(f"  {blank.id}: {blank.reason}", file=sys.stderr)
    if len(written.blanks) > BLANKS_SHOWN:
        rest = len(written.blanks) - BLANKS_SHOWN
        print(f"  and {rest} more: see {output.with_suffix('.json')}", file=sys.stderr)


def _device_name(runner: Runner) -> str:
    if runner.device.type == "cuda":
        return torch.cuda.get_device_name(runner.device)
    return f"{runner.device.type}, {torch.get_num_threads()} threads"


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
