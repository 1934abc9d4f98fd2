"""The shapes that a method of anomaly detection has: normal features in, a scorer out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from pipelines.core.config import schema


@schema
class FitConfig:
    """How a method is fitted on the features of normal images."""

    coreset: float = 0.1
    """PatchCore: the share of all normal patches that the bank keeps (above 0, to 1)."""
    most: int = 50_000
    """PatchCore: patches that the bank keeps at most; it chooses from 20 times as many, as many of each image."""
    neighbours: int = 9
    """PatchCore: patches of the bank by which an image's score is weighted; 1 is no weighting."""
    dimensions: int = 100
    """PaDiM: feature channels that are kept, drawn at random."""
    seed: int = 0
    """Of every random choice: the coreset's first patch, PaDiM's channels, the folds of the threshold."""

    def __post_init__(self) -> None:
        if not 0 < self.coreset <= 1:
            raise ValueError(f"coreset is above 0 and at most 1, not {self.coreset}")
        if min(self.most, self.neighbours, self.dimensions) < 1:
            raise ValueError("most, neighbours and dimensions are at least 1")


@dataclass(frozen=True)
class PatchScores:
    """What a scorer says of one picture."""

    score: float
    """Of the picture: 0 or more, higher is more anomalous, unbounded."""
    map: Tensor
    """float32 (H, W) on the CPU: each patch's own, not smoothed."""


class Scorer(Protocol):
    """A fitted method, on its device."""

    def __call__(self, features: Tensor, /) -> PatchScores:
        """Scores one picture's features (H, W, D), of any device and floating dtype."""
        ...

    def score(self, features: Tensor, /) -> float:
        """The picture's score alone, which may be had for less: the same but for rounding."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that it has learned, on the CPU."""
        ...


class Method(Protocol):
    """A way to turn feature maps into patch features, and those of normal pictures into a scorer."""

    def embed(self, maps: Sequence[Tensor], /) -> Tensor:
        """A backbone's levels (B, C, H, W), shallow to deep -> (B, H, W, D) on the first one's grid."""
        ...

    def kept(self, features: Tensor, normals: int, /) -> Tensor:
        """What a fit needs of normal pictures (B, H, W, D): all, or (B, P, D) where that of `normals` is too much."""
        ...

    def fitter(self, normals: Sequence[Tensor], device: torch.device, /) -> Callable[[Sequence[int]], Scorer]:
        """What gives a scorer on `device`, fitted on the normal pictures at some places of `normals`.

        Those are as `kept` gives them, one (H, W, D) or (P, D) a picture, on the CPU; what all such fits share is
        computed once. A fit raises InputError for too few.
        """
        ...

    def restore(self, tensors: Mapping[str, Tensor], device: torch.device, /) -> Scorer:
        """The scorer whose `tensors()` these are: it gives the very same scores."""
        ...
