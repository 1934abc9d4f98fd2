"""`enrich`: gives an album's photos captions and counts of objects, by the pipelines of the two tasks."""

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.caption.settings import CaptionConfig
from pipelines.core.config import add_flags, given_flags, load_config
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.running.stopping import Stop, seconds_of
from pipelines.core.table import print_failures
from pipelines.core.words.lexicon import tidy
from pipelines.detect.settings import DetectConfig, run_prompts
from pipelines.search.album.album import Album, Row, writing
from pipelines.search.album.place import Place
from pipelines.search.settings import EnrichConfig, SearchConfig

if TYPE_CHECKING:  # they import transformers, which is only needed where there is something to do
    from pipelines.caption.pipeline import CaptionPipeline
    from pipelines.detect.pipeline import DetectPipeline

MOST_AT_ONCE, LONGEST = 64, 10.0
"""What was found is written once there is so much of it, or so many seconds have passed: a kill loses no more."""


@dataclass
class Report:
    """What `enrich` did."""

    album: Place
    photos: int = 0
    """In the album."""
    captioned: int = 0
    counted: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    """Id -> why a photo has no caption or no counts; the next run tries it again."""
    left: set[str] = field(default_factory=set)
    """Ids of the photos that were not come to, because the run was stopped."""


def main(words: Sequence[str]) -> int:
    """Runs the command; 0 where it went well. Raises SuiteError."""
    started = time.monotonic()
    parser = argparse.ArgumentParser(
        prog="python -m pipelines enrich",
        description="Captions an album's photos and counts objects in them, where that is not done yet.",
        allow_abbrev=False,
    )
    parser.add_argument("--config", type=Path, default=Path("configs/search.yaml"), help="settings file (YAML)")
    parser.add_argument("--again", action="store_true", help="also where it was done, by other models for one")
    add_flags(parser, SearchConfig)
    arguments = parser.parse_args(list(words))
    config = load_config(arguments.config, SearchConfig, given_flags(arguments))
    deadline = config.runner.deadline
    stop = Stop(None if deadline is None else seconds_of(deadline), started)
    with stop.on_signals():
        report = enrich(config, arguments.again, Runner(config.runner, stop))
    say(report, time.monotonic() - started)
    return 0 if stop.signal is None else 128 + stop.signal


def enrich(config: SearchConfig, again: bool = False, runner: Runner | None = None) -> Report:
    """Captions the photos that have no caption, and counts where one of the prompts was not counted; `again`: all.

    What can fail before the work, settings, prompts and models, fails first. Once the `runner` is to stop, what was
    found is written and the rest is left. Raises SuiteError.
    """
    from pipelines.caption.pipeline import CaptionPipeline
    from pipelines.detect.pipeline import DetectPipeline
    from pipelines.search.album.captions import index_captions
    from pipelines.search.query.asking import find_album

    runner = runner or Runner(config.runner)
    album, wanted = find_album(config), config.enrich
    with writing(album.path):
        samples, changed = unchanged(album)
        report = Report(album.path, len(album), failed=changed)
        known = album.rows([sample.id for sample in samples], ["caption", "counts"])
        of_captions: Iterator[Outcome[Sample, Row]] = iter(())
        of_counts: Iterator[Outcome[Sample, Row]] = iter(())
        if wanted.captions:
            due = [sample for sample in samples if again or known[sample.id]["caption"] is None]
            settings = load_config(wanted.caption, CaptionConfig)
            if due:
                of_captions = captions(CaptionPipeline(settings, runner), due)
        if wanted.counts:
            counting = detect_settings(wanted)
            counted = {key: json.loads(row["counts"] or "{}") for key, row in known.items()}
            names = {tidy(prompt) for prompt in run_prompts(counting)}
            due = [sample for sample in samples if again or names - counted[sample.id].keys()]
            if due:
                of_counts = counts(DetectPipeline(counting, runner), due, counted)
        report.captioned = write(album, of_captions, report)
        index_captions(album)
        report.counted = write(album, of_counts, report)
        album.tidy()
    return report


def unchanged(album: Album) -> tuple[list[Sample], dict[str, str]]:
    """The photos that are as the album knows them, sorted by id, and the others' ids with what to do about them.

    A caption of what a file is now would not be one of what is searched. Raises InputError for a folder without images.
    """
    from pipelines.search.album.indexing import find_files

    files = {file.id: file for file in find_files(Path(album.about.folder))[0]}
    samples, changed = [], {}
    for key, state in sorted(album.known().items()):
        file = files.get(key)
        if file is not None and (file.size, file.mtime_ns) == (state.size, state.mtime_ns):
            samples.append(Sample(key, file.path))
        else:
            what = "is gone" if file is None else "has changed"
            changed[key] = f"the file {what} since it was indexed; run `search index {album.about.folder}` first"
    return samples, changed


def detect_settings(wanted: EnrichConfig) -> DetectConfig:
    """The detect task's settings for an album: nothing is written beside it. Raises ConfigError."""
    others = {"boxes": None, "save_images": None, "prompt_column": None}
    return load_config(wanted.detect, DetectConfig, others | ({"prompts": wanted.prompts} if wanted.prompts else {}))


def captions(pipeline: "CaptionPipeline", samples: Sequence[Sample]) -> Iterator[Outcome[Sample, Row]]:
    """One Outcome per sample: the columns `caption`, in Korean where there is one, and `caption_english`."""
    for outcome in pipeline(samples):
        row = None
        if outcome.result is not None:
            row = {"caption": outcome.result.text, "caption_english": outcome.result.english}
        yield Outcome(outcome.item, row, outcome.error, outcome.reached)


def counts(
    pipeline: "DetectPipeline", samples: Sequence[Sample], counted: Mapping[str, Mapping[str, int]]
) -> Iterator[Outcome[Sample, Row]]:
    """One Outcome per sample: the column `counts`, what was `counted` (id -> name -> number) before with what is now.

    Each number stands under the prompt, cleaned, and under its English, so that 강아지 and dog both name it.
    """
    prompts = run_prompts(pipeline.config)
    for outcome in pipeline(samples):
        row = None
        if outcome.result is not None:
            (numbers,) = pipeline.rows(outcome.item, outcome.result)
            found = dict(counted[outcome.item.id])
            for prompt, number in zip(prompts, numbers.values(), strict=True):
                found[tidy(prompt)] = found[pipeline.english[prompt].text] = int(number)
            row = {"counts": json.dumps(found, ensure_ascii=False)}
        yield Outcome(outcome.item, row, outcome.error, outcome.reached)


def write(album: Album, outcomes: Iterable[Outcome[Sample, Row]], report: Report) -> int:
    """Writes what was found in batches, notes the rest in the report, and says of how many photos there was some."""
    waiting: list[Row] = []
    done, written = 0, time.monotonic()
    for outcome in outcomes:
        if not outcome.reached:
            report.left.add(outcome.item.id)
        elif outcome.result is None:
            report.failed[outcome.item.id] = outcome.error
        else:
            waiting.append({"id": outcome.item.id, **outcome.result})
        if len(waiting) >= MOST_AT_ONCE or time.monotonic() - written >= LONGEST:
            album.note(waiting)
            done, waiting, written = done + len(waiting), [], time.monotonic()
    album.note(waiting)
    return done + len(waiting)


def say(report: Report, seconds: float) -> None:
    """What was done, and the photos that are still without."""
    print(
        f"{report.album}: {report.photos} photos ({report.captioned} captioned, {report.counted} counted) "
        f"in {seconds:.1f} s"
    )
    if report.left:
        print(f"stopped: {len(report.left)} photos are left; run it again to go on", file=sys.stderr)
    print_failures(f"{len(report.failed)} photos were not captioned or not counted", report.failed)
