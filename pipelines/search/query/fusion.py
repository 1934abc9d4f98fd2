"""Puts together what a search has of several kinds: vectors into one, rankings into one, near-duplicates under one."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

MINUS = 0.7
"""How much of a minus term is taken away. Of the samples' first five 17 % have it without, and none from 0.5 to 1."""
RANK_K = 60
"""Of Cormack, Clarke and Buettcher (2009): how little the first places count more than the next."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Ranked(Generic[Key]):
    """One thing in rankings that were put together."""

    key: Key
    score: float
    """The higher the better; at most (number of rankings) / (k + 1)."""


def mixed(shown: Tensor, weights: Sequence[float], minus: Tensor, strength: float = MINUS) -> Tensor:
    """One unit vector (D,) that asks for unit vectors `shown` (N, D), by their weights, and not for `minus` (M, D).

    p is the unit vector of the weighted sum. Of the sum of the minus terms only the part at a right angle to p is taken
    away, at most `strength` long: what a minus term shares with what is asked for stays. So the cosine of the result
    and p is at least 1 / sqrt(1 + strength^2), 0.82 for 0.7, and a photo's score stays a cosine. Raises ValueError
    where the weighted vectors cancel out.
    """
    if shown.ndim != 2 or len(shown) != len(weights) or not weights or min(weights) <= 0:
        raise ValueError(f"expected a weight above 0 for each of (N, D) vectors, found {weights}, {tuple(shown.shape)}")
    total = torch.tensor(weights, dtype=torch.float32) @ shown.float()
    if total.norm() < 1e-6 * sum(weights):
        raise ValueError("expected vectors that do not cancel out")
    asked = F.normalize(total, dim=0)
    away = minus.float().sum(0) if len(minus) else torch.zeros_like(asked)
    across = away - (away @ asked) * asked
    across = across / max(1.0, float(across.norm()))
    return F.normalize(asked - strength * across, dim=0)


def rank_fusion(rankings: Sequence[Sequence[Key]], k: int = RANK_K) -> list[Ranked[Key]]:
    """All that is in any of the rankings, the best first: the sum of 1 / (k + rank), ranks from 1.

    Reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009). Of equals the one that is met first leads.
    """
    scores: dict[Key, float] = defaultdict(float)
    for ranking in rankings:
        for rank, key in enumerate(dict.fromkeys(ranking), 1):
            scores[key] += 1 / (k + rank)
    return [Ranked(key, score) for key, score in sorted(scores.items(), key=lambda pair: -pair[1])]


def folded(vectors: Tensor, hashes: Sequence[str], least: float) -> list[list[int]]:
    """Near-duplicates of a ranking, the best first: the places of each group, its best one leading.

    A photo goes under the first leader whose content is the same, or whose unit vector's cosine with its own, of
    `vectors` (N, D), is `least` or more. Leaders alone are compared with, so that no chain joins what is unlike.
    """
    if vectors.ndim != 2 or len(vectors) != len(hashes):
        raise ValueError(f"expected a hash for each of (N, D) vectors, found {len(hashes)}, {tuple(vectors.shape)}")
    alike = (vectors.float() @ vectors.float().T >= least).numpy()
    leaders: list[int] = []
    groups: list[list[int]] = []
    for place, content in enumerate(hashes):
        same = [hashes[leader] == content for leader in leaders]
        found = np.flatnonzero(alike[place, leaders] | np.array(same, dtype=bool))
        if len(found):
            groups[found[0]].append(place)
        else:
            leaders.append(place)
            groups.append([place])
    return groups
