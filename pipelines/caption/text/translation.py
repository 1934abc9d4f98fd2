"""Translates captions: each distinct one once, and in one Korean style."""

from collections.abc import Iterable

from pipelines.core.running.batch_model import BatchModel, Outcome
from pipelines.core.running.runner import Runner


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
