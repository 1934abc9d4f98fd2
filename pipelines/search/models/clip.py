"""A CLIP as a judge: a larger one than the album's."""

from collections.abc import Sequence
from pathlib import Path

import torch

from pipelines.core.networks.clip import load_clip
from pipelines.core.running.batch_model import Batch
from pipelines.search.models.judge import Pair, read_pairs


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
        return {**read_pairs(pairs, self.images.pictures), "place": place, "texts": self.texts.prepare(distinct)}

    def predict(self, batch: Batch) -> list[float]:
        """One cosine a pair."""
        device = batch["place"].device
        texts = {name: value.to(device) for name, value in batch["texts"].items()}
        of_photos = torch.stack(list(self.images.predict(batch)))
        of_texts = torch.stack(list(self.texts.predict(texts)))[batch["place"].cpu()]
        return (of_photos * of_texts).sum(-1).tolist()
