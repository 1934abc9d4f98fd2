"""The detect task: photos and prompts in, how many of each out, with the boxes beside them where wanted."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipelines.core.errors import InputError
from pipelines.core.extras import Extras
from pipelines.core.images.names import file_names
from pipelines.core.images.samples import Sample
from pipelines.core.model import choose
from pipelines.core.networks import checkpoints
from pipelines.core.networks.translate import Translator
from pipelines.core.running.batch_model import Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.submission.schema import Row
from pipelines.core.submission.writing import check_writable
from pipelines.core.words.lexicon import tidy
from pipelines.detect.boxes.counting import count, suppress
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.boxes.drawing import draw, file_name
from pipelines.detect.boxes.files import BoxFile
from pipelines.detect.models import DETECTORS, load_detector
from pipelines.detect.prompts import English, to_english
from pipelines.detect.settings import DetectConfig, column_prompts, fields, run_prompts, vocabulary

PROMPTS_SHOWN = 20
MAX_TOKENS = 32  # of a prompt's translation: a phrase, and no essay


def settled(config: DetectConfig, folder: Path) -> tuple[str, float]:
    """The detector's name and the score that a box has to exceed, where left open by its checkpoint's `folder`."""
    name = choose(DETECTORS, config.model, folder)
    return name, DETECTORS[name].own("box_threshold", config.box_threshold)


class DetectPipeline:
    """Finds and counts in every sample what its prompts name."""

    results: Sequence[type] = (Detections,)

    def __init__(self, config: DetectConfig, runner: Runner) -> None:
        """Translates the run's prompts, then loads the detector.

        Raises InputError for prompts that cannot be used, CheckpointError, ConfigError, or SubmissionError where boxes
        or images cannot be written.
        """
        self.config, self.runner = config, runner
        self.models: dict[str, dict[str, str]] = {}
        self.english: dict[str, English] = {}
        self.saturated: list[str] = []
        self.words = vocabulary(config)
        prompts = run_prompts(config)
        self.fields = fields(config)
        for path in (config.boxes, config.save_images and config.save_images / "image.jpg"):
            if path is not None:
                check_writable(path)
        self._translate(prompts)
        for prompt in prompts:
            self._english_of(prompt)
        self._announce()
        folder = self._folder("detector", config.checkpoint)
        model, self.threshold = settled(config, folder)
        self.config = replace(config, model=model, box_threshold=self.threshold)
        self.detector = runner.load(partial(load_detector, model, folder, threshold=self.threshold))
        self.classes = tuple(dict.fromkeys(self.english[prompt].text for prompt in prompts))
        self.detector.check(self.classes)
        several = len(self.fields) > 1
        self.places = [self.classes.index(self.english[prompt].text) for prompt in prompts] if several else [0]
        """Each field's place among a query's classes."""

    def __call__(self, samples: Sequence[Sample]) -> Iterator[Outcome[Sample, Detections]]:
        """One Outcome per sample, in order, with what is left after NMS; boxes and images are written on the way."""
        queries = self._queries(samples)
        boxes = None if self.config.boxes is None else BoxFile(self.config.boxes)
        words = {english.text: tidy(prompt) for prompt, english in self.english.items()}
        drawn = file_names((sample.id for sample in samples), file_name)
        extras = Extras()
        self.saturated.clear()  # the record is of the latest run
        for query, outcome in zip(queries, self._detect(samples, queries), strict=True):
            if isinstance(query, str) or outcome.result is None:
                yield outcome
                continue
            config = self.config
            objects = suppress(outcome.result, config.nms_iou, config.nms_across_classes, config.drop_groups)
            if objects.full_above > self.threshold:
                self.saturated.append(outcome.item.id)
            if boxes is not None:
                boxes.add(query, objects)
            if self.config.save_images is not None:
                path = self.config.save_images / drawn[outcome.item.id]
                extras.write(partial(draw, query, objects, words, path))
            yield Outcome(outcome.item, objects)
        if boxes is not None:
            extras.write(boxes.write)
        self._warn_of_saturation()

    def detect(self, samples: Sequence[Sample]) -> Iterator[Outcome[Sample, Detections]]:
        """One Outcome per sample, in order, with every box above the threshold, before NMS; nothing is written."""
        return self._detect(samples, self._queries(samples))

    def rows(self, sample: Sample, result: Detections) -> list[Row]:
        """The counts: one, or one a prompt. Prompts of one meaning have the same."""
        counts = count(result, max(1, len(self.classes)))
        return [{field: counts[place] for field, place in zip(self.fields, self.places, strict=True)}]

    def blank(self, sample: Sample) -> list[Row]:
        """Counts of 0."""
        return [dict.fromkeys(self.fields, 0)]

    def record(self) -> Mapping[str, object]:
        """The models with their hashes, what each prompt became, thresholds, and the ids of saturated images."""
        return {
            "models": self.models,
            "prompts": {prompt: {"english": it.text, "source": it.source} for prompt, it in self.english.items()},
            "box_threshold": self.threshold,
            "nms_iou": self.config.nms_iou,
            "drop_groups": self.config.drop_groups,
            "saturated": self.saturated,
        }

    def _detect(
        self, samples: Sequence[Sample], queries: Sequence[Query | str]
    ) -> Iterator[Outcome[Sample, Detections]]:
        """The detector's answers to the queries; a sample without one has its reason."""
        found = self.runner.run(self.detector, [query for query in queries if isinstance(query, Query)], stage="detect")
        for sample, query in zip(samples, queries, strict=True):
            if isinstance(query, str):
                yield Outcome(sample, None, query)
            else:
                outcome = next(found)
                yield Outcome(sample, outcome.result, outcome.error, outcome.reached)
        next(found, None)  # lets the run come to its own end

    def _queries(self, samples: Sequence[Sample]) -> list[Query | str]:
        """What to ask of each sample, or the reason why nothing can be asked."""
        column = self.config.prompt_column
        if column is None:
            return [Query(sample, self.classes) for sample in samples]
        cells = column_prompts(samples, column, self.config.data)
        self.english.clear()
        self._translate([cell for cell in dict.fromkeys(cells) if self.words.usable(cell)])
        self._announce()
        return [self._query(sample, cell) for sample, cell in zip(samples, cells, strict=True)]

    def _query(self, sample: Sample, cell: str) -> Query | str:
        """What a row's prompt asks for, or the reason why it cannot be asked."""
        try:
            self.words.name(cell)
            classes = (self._english_of(cell).text,)
            self.detector.check(classes)
        except InputError as error:
            return f"column `{self.config.prompt_column}`: {error}"
        return Query(sample, classes)

    def _translate(self, prompts: Sequence[str]) -> None:
        """Fills `english` for the prompts that have an English."""
        translate = self._translations if self.config.translation.checkpoint else None
        self.english |= to_english(prompts, self.words, translate)

    def _translations(self, texts: Sequence[str]) -> dict[str, str]:
        """The translator's English of the texts that it could translate."""
        to = self.config.translation
        folder = self._folder("translator", str(to.checkpoint))
        translator = self.runner.load(partial(Translator, folder, to.source, to.target, max_tokens=MAX_TOKENS))
        outcomes = self.runner.run(translator, texts, "translate")
        return {outcome.item: outcome.result for outcome in outcomes if outcome.result is not None}

    def _english_of(self, prompt: str) -> English:
        if prompt not in self.english:
            raise InputError(
                f"expected a translation of {prompt!r} that is English, found none; add the word to a CSV "
                "(korean,english) given as --lexicon"
            )
        return self.english[prompt]

    def _folder(self, role: str, checkpoint: str) -> Path:
        folder = self.runner.keep(partial(checkpoints.resolve, checkpoint))
        self.models[role] = self.runner.keep(partial(checkpoints.identity, checkpoint, folder))
        return folder

    def _announce(self) -> None:
        """Says what the detector is asked for each prompt."""
        shown = [f"{prompt} -> {it.text} ({it.source})" for prompt, it in self.english.items()]
        more = [f"and {len(shown) - PROMPTS_SHOWN} more"] if len(shown) > PROMPTS_SHOWN else []
        if shown:
            print(f"prompts: {', '.join(shown[:PROMPTS_SHOWN] + more)}", file=sys.stderr)
        notes = [f"{prompt} -> {it.text}: {it.note}" for prompt, it in self.english.items() if it.note]
        print(*notes[:PROMPTS_SHOWN], sep="\n", end="\n" if notes else "", file=sys.stderr)

    def _warn_of_saturation(self) -> None:
        if self.saturated:
            print(
                f"{len(self.saturated)} images had a box in every slot of the detector, so that their counts may be "
                f"too low, such as {', '.join(self.saturated[:3])}",
                file=sys.stderr,
            )
