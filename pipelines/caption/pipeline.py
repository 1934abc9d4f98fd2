"""The caption task: photos in, one sentence each out, in Korean where translated or asked for."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from pipelines.caption.models import CAPTIONERS, load_captioner
from pipelines.caption.models.captioner import Said
from pipelines.caption.settings import CaptionConfig, fields
from pipelines.caption.text.style import Style, restyle
from pipelines.caption.text.translation import NO_REPEAT, SecondTries, translate_distinct
from pipelines.core.images.samples import Sample
from pipelines.core.model import choose
from pipelines.core.networks import checkpoints
from pipelines.core.networks.fitting import Device, device_of, taken
from pipelines.core.networks.translate import Translator
from pipelines.core.running.batch_model import BatchModel, Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.submission.schema import Row
from pipelines.core.words.garbled import WORDS, Fault, fault_of

T = TypeVar("T")

FIRST_WINDOW, WINDOW = 8, 64
"""Pictures whose captions are translated together, at first and, doubled each time, at most: enough for full batches,
few enough to lose at a deadline."""


CAPTIONER_SETTINGS = ("prompt", "beams", "min_tokens", "max_tokens", "max_pixels", "clean")


@dataclass(frozen=True)
class Caption:
    """What is said of one picture: in English, in Korean, or first in the one and then in the other."""

    english: str | None = None
    korean: str | None = None

    @property
    def text(self) -> str:
        """The Korean caption where there is one."""
        return self.korean if self.korean is not None else self.english or ""

    def styled(self, style: Style, phrases: bool = False) -> "Caption":
        """With the Korean sentences' endings in `style`, and those of noun phrases where `phrases` asks for it."""
        return self if self.korean is None else Caption(self.english, restyle(self.korean, style, phrases))


class CaptionPipeline:
    """Captions every sample, and translates what was said, each distinct sentence once."""

    results: Sequence[type] = (Said,)

    def __init__(self, config: CaptionConfig, runner: Runner, device: Device | None = None) -> None:
        """Loads the captioner and, where it is wanted, the translator. Raises CheckpointError or ConfigError.

        `device`: what decides which of several captioners fits; without it what the runner's has.
        """
        self.config, self.runner = config, runner
        self.fields = fields(config)
        self.models: dict[str, dict[str, str]] = {}
        self.captions: dict[str, Caption] = {}
        self.cut: list[str] = []
        """The ids whose captions max_tokens cut off."""
        self.garbled: dict[str, Fault] = {}
        """The ids whose Korean captions went wrong, and how."""
        self.second_tries: SecondTries | None = None
        settings = {key: getattr(config, key) for key in CAPTIONER_SETTINGS}
        folder = self._folder("captioner", self._checkpoint(device))
        self.config = replace(config, model=choose(CAPTIONERS, config.model, folder))
        self.captioner = runner.load(partial(load_captioner, self.config.model, folder, settings))
        self.translator: Translator | None = None
        if config.translate is True or (config.translate == "auto" and not self.captioner.writes_korean):
            to = config.translation
            folder = self._folder("translator", to.checkpoint)
            self.translator = runner.load(partial(Translator, folder, to.source, to.target, to.beams, to.max_tokens))
            self.second_tries = SecondTries(runner, self.translator.without_repeats(NO_REPEAT), to.target)

    def __call__(self, samples: Sequence[Sample]) -> Iterator[Outcome[Sample, Caption]]:
        """One Outcome per sample, in order; captions are translated a window of at most WINDOW pictures at a time."""
        self.cut.clear()
        self.garbled.clear()
        if self.second_tries is not None:
            self.second_tries.faults.clear()
        said = self._heard(self.runner.run(self.captioner, samples, "caption"))
        if self.translator is None:
            outcomes = untranslated(said, self.captioner.writes_korean)
        else:
            outcomes = translated(said, self.runner, self.translator, self.second_tries)
        self.captions.clear()  # the record is of the latest run
        for outcome in outcomes:
            if outcome.result is None:
                yield outcome
                continue
            caption = self._judged(outcome.item.id, outcome.result)
            caption = caption.styled(self.config.style, self.config.style_phrases)
            self.captions[outcome.item.id] = caption
            yield Outcome(outcome.item, caption)
        self._tell()

    def rows(self, sample: Sample, result: Caption) -> list[Row]:
        """The picture's one row."""
        return [{"caption": result.text}]

    def blank(self, sample: Sample) -> list[Row]:
        """An empty caption."""
        return [{"caption": ""}]

    def record(self) -> Mapping[str, object]:
        """The models with their hashes, and each picture's caption in the languages it went through."""
        said = {key: {"english": said.english, "korean": said.korean} for key, said in self.captions.items()}
        tried = {} if self.second_tries is None else dict(self.second_tries.faults)
        return {
            "models": self.models,
            "captions": said,
            "cut_off": self.cut,
            "translated_twice": tried,
            "garbled": dict(self.garbled),
        }

    def _heard(self, said: Iterable[Outcome[Sample, Said]]) -> Iterator[Outcome[Sample, str]]:
        """The texts of what was said; a picture of which nothing was said has failed."""
        for outcome in said:
            if outcome.result is None:
                yield Outcome(outcome.item, None, outcome.error, outcome.reached)
                continue
            if outcome.result.cut:
                self.cut.append(outcome.item.id)
            text = outcome.result.text
            yield Outcome(outcome.item, text) if text else Outcome(outcome.item, None, _silence(outcome.result))

    def _judged(self, key: str, caption: Caption) -> Caption:
        """The caption of that id, noted where it went wrong, without a translation that did where that is asked for."""
        fault = fault_of(caption.korean or "", self._language())
        if fault is None:
            return caption
        self.garbled[key] = fault
        is_blanked = self.translator is not None and self.config.translation.garbled == "blank"
        return Caption(caption.english, "") if is_blanked else caption

    def _language(self) -> str | None:
        """What captions should be in, by NLLB's or M2M100's code; None where a prompt asked in no Korean."""
        if self.translator is not None:
            return self.config.translation.target
        return "kor_Hang" if re.search("[가-힣]", self.config.prompt or "가") else None

    def _tell(self) -> None:
        """Says what a person should look at."""
        if self.cut:
            print(
                f"{len(self.cut)} captions were cut off by max_tokens, that of {self.cut[0]} first; "
                "raise --max-tokens, or ask for shorter ones",
                file=sys.stderr,
            )
        if tried := self.second_tries and self.second_tries.faults:
            print(f"{len(tried)} translations went wrong and were made again without repetitions", file=sys.stderr)
        if self.garbled:
            first = next(iter(self.garbled))
            kinds = ", ".join(f"{count} {WORDS[fault]}" for fault, count in Counter(self.garbled.values()).items())
            print(
                f"{len(self.garbled)} captions look wrong: {kinds}; that of {first} is the first; look at them"
                + ("" if self.translator is None else ", or leave them blank with --translation.garbled blank"),
                file=sys.stderr,
            )

    def _checkpoint(self, device: Device | None) -> str:
        """The captioner that fits into the device's memory; says which one where there is a choice."""
        config = self.config
        if not config.smaller:
            return config.checkpoint
        device, precision = device or device_of(self.runner), self.runner.config.precision
        choice = taken(config.checkpoint, config.smaller, device, CAPTIONERS, config.model, precision)
        print(choice.reason, file=sys.stderr)
        return choice.checkpoint

    def _folder(self, role: str, checkpoint: str) -> Path:
        folder = self.runner.keep(partial(checkpoints.resolve, checkpoint))
        self.models[role] = self.runner.keep(partial(checkpoints.identity, checkpoint, folder))
        return folder


def _silence(said: Said) -> str:
    """Why there is no caption."""
    if said.cut:
        return "max_tokens ended the answer before it came to a caption; raise --max-tokens"
    return "the captioner's answer is empty"


def untranslated(said: Iterable[Outcome[Sample, str]], korean: bool) -> Iterator[Outcome[Sample, Caption]]:
    """What was said, as captions in the language that it was said in."""
    for outcome in said:
        if outcome.result is None:
            yield Outcome(outcome.item, None, outcome.error, outcome.reached)
        else:
            yield Outcome(outcome.item, Caption(korean=outcome.result) if korean else Caption(english=outcome.result))


def translated(
    said: Iterable[Outcome[Sample, str]],
    runner: Runner,
    translator: BatchModel[str, str],
    second_tries: SecondTries | None = None,
) -> Iterator[Outcome[Sample, Caption]]:
    """What was said, with its translation; a picture whose caption could not be translated has failed."""
    known: dict[str, Outcome[str, str]] = {}
    for window in _windows(said):
        texts = {outcome.result for outcome in window if outcome.result is not None} - known.keys()
        found = translate_distinct(runner, translator, texts)
        known |= second_tries(found) if second_tries else found
        for outcome in window:
            if outcome.result is None:
                yield Outcome(outcome.item, None, outcome.error, outcome.reached)
            else:
                yield _with_translation(outcome.item, outcome.result, known[outcome.result])


def _windows(said: Iterable[T]) -> Iterator[list[T]]:
    """Parts of FIRST_WINDOW, then twice as many each time, WINDOW at most: the same in every run."""
    rest, size = iter(said), FIRST_WINDOW
    while window := list(islice(rest, size)):
        yield window
        size = min(2 * size, WINDOW)


def _with_translation(sample: Sample, text: str, translation: Outcome[str, str]) -> Outcome[Sample, Caption]:
    if translation.result is not None:
        return Outcome(sample, Caption(text, translation.result))
    if not translation.reached:
        return Outcome(sample, None, translation.error, reached=False)
    return Outcome(sample, None, f"{text!r} could not be translated: {translation.error}")
