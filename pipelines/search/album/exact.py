"""Finds the most similar vectors by comparing with every one."""

from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK = 64
"""Queries compared at a time: their scores with a million vectors take 0.3 GB."""
ROUNDING = 0.001
"""How far a cosine in float16 may be off: by 2^-11 for the query's rounding, by at most as much for its own."""


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


def most_similar(queries: Tensor, vectors: Tensor, top: int, among: Tensor | None = None) -> Found:
    """The `top` of unit vectors (N, D) that are the most similar to each unit vector of `queries` (Q, D), in float32.

    `among` (M,), int64, rising: only these of the N are looked at. There are fewer than `top` where there are no more.
    Of equal scores the earlier vector is first. A score depends on the two vectors alone, to the last bit.
    """
    kept = min(top, len(vectors) if among is None else len(among))
    scores, places = torch.empty(len(queries), kept), torch.empty(len(queries), kept, dtype=torch.int64)
    for start in range(0, len(queries), BLOCK):
        block = queries[start : start + BLOCK].float()
        # In the vectors' own type: to make float32 of an album's float16 takes many times as long as to compare them.
        rough = block.to(vectors.dtype) @ vectors.T
        for number, query in enumerate(block):
            near = _near(rough[number] if among is None else rough[number, among], kept)
            near = near if among is None else among[near]
            # Not a matrix product, which sums up in another order for other numbers of rows.
            best = (vectors[near].float() * query).sum(1).sort(descending=True, stable=True)
            scores[start + number], places[start + number] = best.values[:kept], near[best.indices[:kept]]
    return Found(scores, places)


def _near(rough: Tensor, kept: int) -> Tensor:
    """The places of all that may be among the `kept` best of scores (N,) once they are not rounded, int64, rising."""
    if not kept:
        return torch.empty(0, dtype=torch.int64)
    least = rough.topk(kept).values[-1].float() - 2 * ROUNDING
    return (rough >= least).nonzero().flatten()
