"""The shapes that a method of anomaly detection has: normal features in, a scorer out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


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
