"""Finds the most similar vectors by comparing with every one."""

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 64
"""Queries compared at a time: their scores with a million vectors take 0.8 GB while they are sorted."""


@dataclass(frozen=True)
class Found:
    """The most similar of N vectors for each of Q queries, the best first."""

    scores: Tensor
    """float32 (Q, K), cosines from -1 to 1."""
    places: Tensor
    """int64 (Q, K): which of the N."""

    def __post_init__(self) -> None:
        if self.scores.shape != self.places.shape or self.scores.ndim != 2:
            raise ValueError(f"expected (Q, K) twice, found {self.scores.shape} and {self.places.shape}")


def most_similar(queries: Tensor, vectors: Tensor, top: int) -> Found:
    """The `top` of unit vectors (N, D) that are the most similar to each unit vector of `queries` (Q, D), in float32.

    There are fewer where N is smaller. Of equal scores the earlier vector is first.
    """
    kept = min(top, len(vectors))
    vectors = vectors.float()
    starts = range(0, len(queries), BLOCK)
    blocks = [_sorted(queries[start : start + BLOCK].float() @ vectors.T, kept) for start in starts]
    return Found(torch.cat([scores for scores, _ in blocks]), torch.cat([places for _, places in blocks]))


def _sorted(scores: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    ordered = scores.sort(dim=1, descending=True, stable=True)
    return ordered.values[:, :kept], ordered.indices[:, :kept]
