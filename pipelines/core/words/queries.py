"""Turns queries into vectors; Korean ones become English first where the model's vocabulary has no Korean."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from pipelines.core.config import TranslationConfig
from pipelines.core.errors import InputError, StoppedError
from pipelines.core.networks import checkpoints
from pipelines.core.networks.clip import ClipTexts
from pipelines.core.networks.translate import Translator
from pipelines.core.running.batch_model import BatchModel
from pipelines.core.running.runner import Runner
from pipelines.core.words.lexicon import has_hangul

FEW = 16
"""Texts that are done before a progress line could be read."""
EVERYDAY = "강아지 두 마리와 자동차 한 대"


class Queries:
    """The text side of a search, which can be asked any number of times."""

    def __init__(
        self,
        texts: ClipTexts,
        runner: Runner,
        translate: bool | Literal["auto"] = "auto",
        translation: TranslationConfig | None = None,
    ) -> None:
        """The translator is loaded when the first query needs it."""
        self.texts, self.runner = texts, runner
        self.translate = translate
        self.translates = self._translates(texts.tokenizer)
        self.translation = translation or TranslationConfig()
        self.translator: Translator | None = None
        self.models: dict[str, dict[str, str]] = {}
        """The translator's identity (see `checkpoints.identity`), once it is loaded."""
        self.english: dict[str, str] = {}
        """What the model was asked in place of each Korean query."""

    def vectors(self, queries: Sequence[str]) -> Tensor:
        """Unit vectors, float32 (N, D). Raises InputError for a query without words or that a model fails on."""
        return torch.stack(self._run(self.texts, self.asked(queries), "queries"))

    def asked(self, queries: Sequence[str], tokenizer: Any = None) -> list[str]:  # noqa: ANN401 - any tokenizer
        """What the model is asked: the queries, Korean ones in English where it has to be. Raises as `vectors`.

        `tokenizer`: of another model, where that is to be asked.
        """
        translates = self.translates if tokenizer is None else self._translates(tokenizer)
        for query in queries:
            if not query.strip():
                raise InputError(f"expected a query of words, found {query!r}")
        korean = {query for query in queries if translates and has_hangul(query)} - self.english.keys()
        if korean:
            ordered = sorted(korean, key=lambda query: (-len(query), query))
            self.english |= dict(zip(ordered, self._run(self._translator(), ordered, "translate"), strict=True))
        return [self.english.get(query, query) if translates else query for query in queries]

    def _translates(self, tokenizer: Any) -> bool:  # noqa: ANN401 - any tokenizer
        return not knows_korean(tokenizer) if self.translate == "auto" else self.translate

    def _run(self, model: BatchModel[str, Any], texts: Sequence[str], stage: str) -> list[Any]:
        results = []
        for outcome in self.runner.run(model, texts, stage, progress=len(texts) > FEW):
            if not outcome.reached:
                raise StoppedError(f"expected an answer to {outcome.item!r}, but {outcome.error}; allow more time")
            if outcome.result is None:
                raise InputError(f"expected a query that can be read, found {outcome.item!r}: {outcome.error}")
            results.append(outcome.result)
        return results

    def _translator(self) -> Translator:
        if self.translator is None:
            named = self.translation
            folder: Path = self.runner.keep(partial(checkpoints.resolve, named.checkpoint))
            self.models["translator"] = self.runner.keep(partial(checkpoints.identity, named.checkpoint, folder))
            self.translator = self.runner.load(partial(Translator, folder, named.source, named.target))
        return self.translator


def knows_korean(tokenizer: Any) -> bool:  # noqa: ANN401 - any tokenizer
    """Whether a tokenizer has Korean words or syllables: an everyday phrase takes at most one token a syllable.

    SigLIP 2's, the multilingual SigLIP's and Korean CLIPs' do. CLIP's own cuts a syllable into its three bytes, and
    English SigLIP's has but an unknown token: to such a model all Korean is the same noise.
    """
    tokens = [token for word in EVERYDAY.split() for token in tokenizer(word, add_special_tokens=False)["input_ids"]]
    return tokenizer.unk_token_id not in tokens and len(tokens) <= len(EVERYDAY.replace(" ", ""))
