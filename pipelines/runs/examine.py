"""What would make a run or a submission invalid, found without loading a model."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from pipelines.core.doctor import Finding, ahead, check_inputs, check_models, check_submission
from pipelines.core.errors import ConfigError, InputError, SuiteError
from pipelines.core.images.samples import read_samples
from pipelines.core.model import models_of
from pipelines.core.networks.catalogue import model_of
from pipelines.core.networks.fitting import device_of
from pipelines.core.notes import noticing
from pipelines.core.running.cards import CardFacts
from pipelines.core.running.device import choose, note_said
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.truth import read_frame
from pipelines.core.submission.writing import content_hash
from pipelines.core.task import Task
from pipelines.runs.history import read_history

FREE_MEMORY = 2 * 2**30
"""Bytes of a GPU below which even the smaller models are likely not to fit."""


def examine_inputs(task: Task, config: Any) -> list[Finding]:  # noqa: ANN401 - a task's settings class
    """All that is wrong with what a run is given, found before a model loads; an empty list where nothing is."""
    with noticing() as noticed:
        findings = _examine_inputs(task, config)
    findings += [Finding("warning", f"{path}: {what}") for path, what in noticed.items()]
    of_device = examine_device(config.runner)
    if not any(finding.severity == "error" for finding in of_device):
        of_device += ahead.warnings(config, device_of(Runner(config.runner)), ahead.here())
    return findings + of_device


def _examine_inputs(task: Task, config: Any) -> list[Finding]:  # noqa: ANN401 - a task's settings class
    findings = []
    try:
        fields = task.fields(config)
    except SuiteError as error:
        findings.append(Finding("error", str(error)))
        fields = None
    said = None
    if (data := task.data(config)) is not None:
        images = images_that_count(task, config)
        findings += check_inputs(data, fields, images)
        said = _refusal(lambda: read_samples(data, images))  # the same, of which `check_inputs` says more
    refused = _refusal(lambda: task.samples(config))
    broken = any(finding.severity == "error" for finding in findings)
    if refused and not (broken and refused == said) and Finding("error", refused) not in findings:
        findings.append(Finding("error", refused))
    return findings + check_models(config)


def examine_device(runner: RunnerConfig, cards: CardFacts | None = None) -> list[Finding]:
    """Whether the device is to be had, and is what a person expects; `cards` are this machine's where left out."""
    try:
        choice = choose(runner.device, runner.precision, cards)
    except ConfigError as error:
        return [Finding("error", str(error))]
    note_said(choice.words)  # a Runner would say it again
    found = [Finding("warning", word) for word in choice.words]
    return found + (check_memory(torch.cuda.mem_get_info(choice.device)[0]) if choice.card else [])


def examine_submission(path: Path, task: Task, config: Any) -> list[Finding]:  # noqa: ANN401 - a task's settings class
    """All that is wrong with a submission of this task and these settings. Raises InputError for unusable settings."""
    if task.command is None:
        return check_submission(path, config.data, task.fields(config), images_that_count(task, config))
    refused = _refusal(lambda: task.comparison.by_id(read_frame(path)))  # rankings: several rows an id
    return [Finding("error", f"{path}: {refused}")] if refused else []


def images_that_count(task: Task, config: Any) -> list[Path] | None:  # noqa: ANN401 - a task's settings class
    """The images that the task would run on if no CSV chose among them; None where it has no such thing."""
    if task.command is None:
        config = replace(config, data=replace(config.data, sample_submission=None, test_csv=None))
    try:
        return [sample.path for sample in task.samples(config)]
    except SuiteError:
        return None


def enforce(findings: Sequence[Finding]) -> None:
    """Prints the warnings, and raises InputError where there are errors: with the last one, the others printed."""
    errors = [finding for finding in findings if finding.severity == "error"]
    show([finding for finding in findings if finding not in errors[-1:]])
    if errors:
        raise InputError(errors[-1].message)


def show(findings: Sequence[Finding]) -> None:
    """Prints each on a line of standard error, the warnings first."""
    for finding in sorted(findings, key=lambda finding: finding.severity, reverse=True):
        print(f"{finding.severity}: {' '.join(finding.message.split())}", file=sys.stderr)


def estimate(task: Task, config: Any, images: int, device: str) -> str | None:  # noqa: ANN401 - its settings class
    """How long a run will take by the last whole run of the same task, model and device; None where there is none."""
    rows: list[dict[str, str]] = []
    with suppress(InputError):  # a damaged history spoils no run
        if (data := task.data(config)) is not None:
            rows = read_history(data.output.parent)
    models = models_of(config).get("model")
    model = model_of(config.checkpoint, models, config.model) if models else None
    for row in reversed(rows):
        record = _record_of(row) if (row["task"], row["device"]) == (task.name, device) else None
        if record is None or record["settings"].get("checkpoint") != getattr(config, "checkpoint", None):
            continue
        if model is not None and record["settings"].get("model") != model:
            continue
        if record.get("missing") or any(stage.get("resumed") for stage in record["stages"]):
            continue  # it did not see all images itself
        setup, count = record["seconds"]["setup"], record["images"]
        seconds = record["seconds"]["total"] - setup
        took = setup + images * seconds / count
        return f"about {_spoken(took)} for {images:,} images at {count / seconds:.1f} a second, as in the last run"
    return None


def check_memory(free: int) -> list[Finding]:
    """Whether a GPU with `free` bytes of memory has room for a model."""
    if free >= FREE_MEMORY:
        return []
    message = f"the GPU has {free / 2**30:.1f} GiB of free memory, less than 2 GiB; end what else runs there"
    return [Finding("warning", message)]


def report(task: Task, config: Any, submission: Path | None) -> int:  # noqa: ANN401 - a task's settings class
    """Prints all that is found, and of a run that may begin what it takes; 2 where something is an error, else 0."""
    findings = examine_inputs(task, config)
    if submission is not None:
        with suppress(InputError):  # unusable settings, as `examine_inputs` has said
            findings += [found for found in examine_submission(submission, task, config) if found not in findings]
    show(findings)
    errors = sum(finding.severity == "error" for finding in findings)
    told = [f"{count} {what}{'s' * (count > 1)}" for count, what in
            ((errors, "error"), (len(findings) - errors, "warning")) if count]  # fmt: skip
    if errors:
        print(f"{task.name}: {' and '.join(told)} found")
        return 2
    rows, images = len(task.samples(config)), len(images_that_count(task, config) or task.samples(config))
    looked = f"{images} images" if task.command else f"{images} images and {rows} rows"
    of_file = f", and in {submission}" if submission else ""
    print(f"{task.name}: {' and '.join(told) or 'no problem'} found in {looked}{of_file}")
    runner = Runner(config.runner)
    told = ahead.lines(config, device_of(runner), ahead.here())
    if (taking := estimate(task, config, rows, runner.device_name)) is not None:
        told.append(taking)
    for line in told:
        print(line)
    return 0


def _refusal(read: Callable[[], object]) -> str | None:
    try:
        read()
    except SuiteError as error:
        return str(error)
    return None


def _record_of(row: Mapping[str, str]) -> dict[str, Any] | None:
    """The run record of a row of the history, while it is still beside the file that this run wrote."""
    path = Path(row["submission"])
    try:
        record: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        return record if record["content_hash"] == row["content_hash"] == content_hash(path) else None
    except (OSError, ValueError, KeyError):
        return None


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
