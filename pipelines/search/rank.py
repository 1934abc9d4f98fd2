"""`search rank`: ranks a folder's photos for many queries, as a CSV that `evaluate search` scores."""

import csv
import io
import sys
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipelines.core.config import DataConfig
from pipelines.core.errors import ConfigError, InputError
from pipelines.core.images.samples import Sample, read_samples, read_table
from pipelines.core.networks import checkpoints
from pipelines.core.networks.clip import load_clip
from pipelines.core.notes import by_id, noticing, print_notes
from pipelines.core.running.batch_model import BatchModel, Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.submission.writing import check_writable, content_hash, write_record, write_whole
from pipelines.core.table import print_failures
from pipelines.core.words.queries import Queries
from pipelines.search.album.exact import Found, most_similar
from pipelines.search.settings import SearchConfig

HEADER = ("caption", "image", "score")


def rank(config: SearchConfig) -> Mapping[str, Any]:
    """Writes the `top` photos of each distinct query, and a run record, which it returns. Raises SuiteError."""
    started = time.perf_counter()
    settings = config.rank
    if settings.images is None or settings.queries is None:
        missing = "images" if settings.images is None else "queries"
        raise ConfigError(f"the setting `rank.{missing}` is missing; give it in the settings file or as --{missing}")
    check_writable(settings.output)
    asked = read_queries(settings.queries, settings.columns)
    with noticing() as noticed:
        samples = read_samples(DataConfig(settings.images, ignore=config.ignore, white=config.white))
    runner = Runner(config.runner)
    folder = checkpoints.resolve(config.checkpoint)
    images, texts = load_clip(folder)
    loaded = time.perf_counter() - started
    queries = Queries(texts, runner, config.translate, config.translation)
    of_queries = queries.vectors(asked)
    say_translated(queries, config.checkpoint)
    readable, vectors, failed = embedded(runner, images, samples)
    warnings = by_id(noticed | runner.notes, samples)
    found = most_similar(of_queries, vectors, config.top)
    write_whole(settings.output, _csv(asked, readable, found))
    seconds = time.perf_counter() - started
    clip = checkpoints.identity(config.checkpoint, folder)
    record = {
        "task": "search",
        "submission": str(settings.output),
        "content_hash": content_hash(settings.output),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "rows": found.scores.numel(),
        "images": len(samples),
        "queries": len(asked),
        "blanks": [{"id": outcome.item.id, "reason": outcome.error} for outcome in failed],
        "warnings": [{"id": name, "reason": reason} for name, reason in warnings.items()],
        "missing": 0,
        "seconds": {"setup": round(loaded, 3), "total": round(seconds, 3)},
        "stages": [asdict(report) for report in runner.reports],
        "device": str(runner.device),
        "settings": asdict(config),
        "run": {"models": {"clip": clip, **queries.models}, "english": queries.english},
    }
    write_record(settings.output.with_suffix(".json"), record)
    print(f"{settings.output}: {len(asked)} queries, {len(readable)} photos in {seconds:.1f} s")
    say_failed(failed)
    print_notes(warnings)
    return record


def read_queries(path: Path, columns: Sequence[str]) -> list[str]:
    """The distinct texts of a CSV's columns, in NFC, in their order. Raises InputError for a missing column or none."""
    table = read_table(path)
    for column in columns:
        if column not in table.columns:
            raise InputError(f"{path}: expected a column `{column}`, found the columns {', '.join(table.columns)}")
    cells = (row[column] for column in columns for row in table.rows)
    found = list(dict.fromkeys(unicodedata.normalize("NFC", cell) for cell in cells if cell.strip()))
    if not found:
        raise InputError(f"expected queries in {path} ({', '.join(columns)}), found none")
    return found


def embedded(
    runner: Runner, images: BatchModel[Sample, Tensor], samples: list[Sample]
) -> tuple[list[str], Tensor, list[Outcome[Sample, Tensor]]]:
    """The ids of the photos that can be read, their unit vectors (N, D) and the others' outcomes.

    Raises InputError where no photo can be read.
    """
    outcomes = list(runner.run(images, samples, "photos"))
    failed = [outcome for outcome in outcomes if not outcome.ok]
    if len(failed) == len(outcomes):
        raise InputError(f"expected a photo that can be read, but all {len(outcomes)} failed: {failed[0].error}")
    ids = [outcome.item.id for outcome in outcomes if outcome.ok]
    return ids, torch.stack([outcome.result for outcome in outcomes if outcome.result is not None]), failed


def say_translated(queries: Queries, checkpoint: str) -> None:
    """One line on standard error where queries were translated."""
    if queries.translates and queries.english:
        (korean, english), more = next(iter(queries.english.items())), len(queries.english) - 1
        rest = f", and {more} more" if more else ""
        print(f"{checkpoint} was asked in English (--translate): {english!r} for {korean!r}{rest}", file=sys.stderr)


def say_failed(failed: list[Outcome[Sample, Tensor]]) -> None:
    """The photos that could not be read, on standard error."""
    reasons = {outcome.item.id: outcome.error for outcome in failed}
    print_failures(f"{len(failed)} photos could not be read and are not ranked", reasons)


def _csv(asked: list[str], ids: list[str], found: Found) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for query, scores, places in zip(asked, found.scores.tolist(), found.places.tolist(), strict=True):
        writer.writerows((query, ids[place], f"{score:.6f}") for score, place in zip(scores, places, strict=True))
    return text.getvalue()
