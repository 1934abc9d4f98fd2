"""Translates captions: each distinct one once, and in one Korean style."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipelines.core.running.batch_model import BatchModel, Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.words.garbled import Fault, fault_of

NO_REPEAT = 2
"""Tokens that a second try writes only once in a text: a loop's shortest, a word and its comma, are two."""


def translate_distinct(
    runner: Runner, translator: BatchModel[str, str], texts: Iterable[str]
) -> dict[str, Outcome[str, str]]:
    """The outcome for each distinct text, however often it repeats; a blank text stays as it is.

    The longest go first, so that texts of like length share a batch, and a batch that memory does not hold is known at
    once.
    """
    distinct = set(texts)
    blank = {text for text in distinct if not text.strip()}
    ordered = sorted(distinct - blank, key=lambda text: (-len(text), text))
    translated = {outcome.item: outcome for outcome in runner.run(translator, ordered, "translate", progress=False)}
    return translated | {text: Outcome(text, text) for text in blank}


@dataclass
class SecondTries:
    """Translates again what went wrong, by a translator that repeats nothing."""

    runner: Runner
    translator: BatchModel[str, str]
    language: str
    """What the translations should be in, by the checkpoint's own code."""
    faults: dict[str, Fault] = field(default_factory=dict)
    """What was wrong with the translation of each text at first."""

    def __call__(self, first: Mapping[str, Outcome[str, str]]) -> dict[str, Outcome[str, str]]:
        """`first` with better translations of those that went wrong; where the second try did too, the first stays."""
        faults = {text: fault for text, outcome in first.items() if (fault := self._fault(outcome))}
        if not faults:
            return dict(first)
        self.faults |= faults
        second = self.runner.run(self.translator, sorted(faults), "translate again", progress=False)
        return {**first, **{outcome.item: outcome for outcome in second if outcome.ok and not self._fault(outcome)}}

    def _fault(self, outcome: Outcome[str, str]) -> Fault | None:
        """What is wrong with a translation; a text that never was one of words, such as "...", cannot become one."""
        if outcome.result is None or not any(map(str.isalpha, outcome.item)):
            return None
        return fault_of(outcome.result, self.language)
