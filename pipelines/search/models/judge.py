"""What a second judge of a search is, and how it reads photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipelines.core.networks.pictures import Pictures, together
from pipelines.core.running.batch_model import Batch, BatchModel
from pipelines.search.album.photos import least_side, read_photo


@dataclass(frozen=True)
class Pair:
    """A photo, and what is asked for."""

    photo: Path
    text: str


class Judge(BatchModel[Pair, float], Protocol):
    """A BatchModel over pairs: the better a photo shows what is asked for, the higher its score."""

    tokenizer: Any


def read_pairs(pairs: Sequence[Pair], pictures: Pictures) -> Batch:
    """Their photos, tensors (B, ...); JPEGs are decoded at a reduced size, as for an album."""
    least = least_side(pictures.spec)
    return together([pictures.one(read_photo(pair.photo, least).pixels) for pair in pairs])
