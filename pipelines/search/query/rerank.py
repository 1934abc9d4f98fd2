"""Judges the photos that a search found once more, by a slower and better network, and puts them in its order."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import BlipForImageTextRetrieval, BlipProcessor

from pipelines.core.errors import ConfigError
from pipelines.core.networks.clip import load_clip
from pipelines.core.networks.pictures import Pictures, pictures_of, together
from pipelines.core.networks.pretrained import load_network, load_processor
from pipelines.core.running.batch_model import Batch, BatchModel
from pipelines.core.running.runner import Runner
from pipelines.core.table import print_failures
from pipelines.search.album.embedding import photo_path
from pipelines.search.album.nearest import Match
from pipelines.search.album.photos import least_side, read_photo


@dataclass(frozen=True)
class Pair:
    """A photo, and what is asked for."""

    photo: Path
    text: str


@dataclass(frozen=True)
class Reranked:
    """What became of a search's photos."""

    matches: list[Match]
    """All of them: those that were judged, the best first, then the others in the order in which they were found."""
    text: str
    """What the judge was asked."""
    failed: dict[str, str]
    """Id -> why a photo was not judged."""
    seconds: float


class Judge(BatchModel[Pair, float], Protocol):
    """A BatchModel over pairs: the better a photo shows what is asked for, the higher its score."""

    tokenizer: Any


class BlipMatcher:
    """The probability, 0 to 1, that a photo and an English text belong together, by the matching head of BLIP."""

    dtypes = frozenset({torch.float32, torch.float16})

    def __init__(self, folder: Path) -> None:
        """Loads a checkpoint folder of BlipForImageTextRetrieval. Raises CheckpointError."""
        self.module = load_network(BlipForImageTextRetrieval, folder, ("blip",))
        processor = load_processor(BlipProcessor, folder)
        self.pictures, self.tokenizer = pictures_of(processor.image_processor, folder), processor.tokenizer
        self.longest: int = self.module.config.text_config.max_position_embeddings

    def prepare(self, pairs: Sequence[Pair]) -> Batch:
        """The photos as `Pictures.one` makes them; `input_ids`, `attention_mask`, int64 (B, L), padded on the right."""
        # Padded here, for a tokenizer that pads changes its own state, which several threads must not do at once.
        read = self.tokenizer([pair.text for pair in pairs], truncation=True, max_length=self.longest)["input_ids"]
        tokens = [torch.tensor(ids) for ids in read]
        return {
            **_photos(pairs, self.pictures),
            "input_ids": pad_sequence(tokens, batch_first=True, padding_value=self.tokenizer.pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(ids) for ids in tokens], batch_first=True),
        }

    def predict(self, batch: Batch) -> list[float]:
        """One probability a pair."""
        inputs = self.pictures.inputs(batch, next(self.module.parameters()).dtype)
        # What forward() of the network does; but that makes a mask on the CPU, wherever the network is.
        seen = self.module.vision_model(pixel_values=inputs["pixel_values"]).last_hidden_state
        read = self.module.text_encoder(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], encoder_hidden_states=seen
        ).last_hidden_state
        chances: Tensor = self.module.itm_head(read[:, 0]).float().softmax(-1)
        return chances[:, 1].tolist()


class ClipMatcher:
    """The cosine, -1 to 1, of a photo and a text by a CLIP-like checkpoint: a larger one than the album's."""

    def __init__(self, folder: Path) -> None:
        """Loads a checkpoint folder as `load_clip` does. Raises CheckpointError."""
        self.images, self.texts = load_clip(folder)
        self.module, self.tokenizer = self.images.module, self.texts.tokenizer
        self.dtypes, self.near_dtypes = self.images.dtypes, self.images.near_dtypes

    def prepare(self, pairs: Sequence[Pair]) -> Batch:
        """The photos as `Pictures.one` makes them, the distinct `texts`, and `place`, int64 (B): which a pair has."""
        distinct = list(dict.fromkeys(pair.text for pair in pairs))
        place = torch.tensor([distinct.index(pair.text) for pair in pairs])
        return {**_photos(pairs, self.images.pictures), "place": place, "texts": self.texts.prepare(distinct)}

    def predict(self, batch: Batch) -> list[float]:
        """One cosine a pair."""
        device = batch["place"].device
        texts = {name: value.to(device) for name, value in batch["texts"].items()}
        of_photos = torch.stack(list(self.images.predict(batch)))
        of_texts = torch.stack(list(self.texts.predict(texts)))[batch["place"].cpu()]
        return (of_photos * of_texts).sum(-1).tolist()


RERANKERS: dict[str, Callable[[Path], Judge]] = {"itm": BlipMatcher, "clip": ClipMatcher}
"""The judges by name; each takes a checkpoint folder."""


def load_judge(name: str, folder: Path) -> Judge:
    """The judge `name` on a checkpoint folder. Raises ConfigError for an unknown name, CheckpointError."""
    if name not in RERANKERS:
        raise ConfigError(f"expected a judge for `rerank` ({', '.join(RERANKERS)}), found `{name}`")
    return RERANKERS[name](folder)


def rerank(
    judge: BatchModel[Pair, float], runner: Runner, text: str, matches: Sequence[Match], folder: Path
) -> Reranked:
    """Photos of `folder` in the order of a judge that is asked `text`; equals stay as they were found."""
    started = time.perf_counter()
    pairs = [Pair(photo_path(folder, match.id), text) for match in matches]
    judged, failed, rest = [], {}, []
    for match, outcome in zip(matches, runner.run(judge, pairs, "rerank"), strict=True):
        if outcome.result is None:
            failed[match.id] = outcome.error
            rest.append(match)
        else:
            judged.append((outcome.result, match))
    judged.sort(key=lambda pair: -pair[0])
    ordered = [replace(match, judged=score) for score, match in judged]
    return Reranked([*ordered, *rest], text, failed, time.perf_counter() - started)


def say_reranked(found: Reranked, judge: str) -> None:
    """What was judged, how long it took, and what could not be, on standard error."""
    count = len(found.matches) - len(found.failed)
    print(f"{judge} judged {count} photos by {found.text!r} in {found.seconds:.1f} s (--rerank)", file=sys.stderr)
    print_failures(f"{len(found.failed)} photos could not be judged and come last", found.failed)


def _photos(pairs: Sequence[Pair], pictures: Pictures) -> Batch:
    """Their photos, tensors (B, ...); JPEGs are decoded at a reduced size, as for an album."""
    least = least_side(pictures.spec)
    return together([pictures.one(read_photo(pair.photo, least).pixels) for pair in pairs])
