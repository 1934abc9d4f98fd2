"""Exact nearest rows for less: distances in few dimensions rule out nearly all rows, the others are measured."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.core.networks.linear import linear

SPREAD, LEAST = 0.97, 8
"""The few dimensions hold this share of the rows' variance; they are an eighth of all at least."""
SLACK = 1e-5  # of squared lengths: more than what rounding does to a bound
QUERIES, BLOCK = 256, 32  # queries whose bounds stay in the cache; rows of which the least bound stands for all
MOST, PAIRS = 64, 16384  # rows a query that are worth being measured one by one; pairs measured at a time


class Subspace:
    """Rows (M, D), float32, in their k principal directions and one dimension more, the length of what is left.

    The map shortens distances and never lengthens them: |x - y|² is that within the directions plus that of what is
    left, and two leftovers differ by no less than their lengths. So these distances bound the real ones from below.
    """

    def __init__(self, rows: Tensor) -> None:
        self.rows, self.mean = rows, rows.mean(0)
        centred = rows - self.mean
        variances, directions = torch.linalg.eigh(centred.T @ centred)  # ascending
        held = variances.flip(0).cumsum(0) / variances.sum().clamp_min(1e-12)
        few = max(int((held < SPREAD).sum()) + 1, len(held) // LEAST)
        self.directions = directions[:, -few:].T.contiguous()
        low = self._map(rows)
        norms = low.square().sum(1)
        self.longest = norms.amax()
        missing = -len(rows) % BLOCK
        self.low = F.pad(-2 * low, (0, 0, 0, missing))  # times -2, for that is what is made of a product
        self.norms = F.pad(norms, (0, missing), value=float("inf"))

    @property
    def pays(self) -> bool:
        """Whether there are few enough dimensions."""
        few, depth = self.directions.shape
        return bool(2 * few <= depth)

    def nearest(self, queries: Tensor) -> Tensor | None:
        """The index of the nearest row for each of (Q, D), float32; None where too many rows are near."""
        parts = []
        for part in torch.split(queries, QUERIES):
            found = self._nearest(part)
            if found is None:
                return None
            parts.append(found)
        return torch.cat(parts)

    def _nearest(self, queries: Tensor) -> Tensor | None:
        """So many queries that their distances to all rows stay in the processor's cache."""
        low = self._map(queries)
        lengths = low.square().sum(1)
        # Squared, less the query's own length; a block's least is all that is looked at of most blocks.
        bounds = linear(low, self.low, self.norms).view(len(low), -1, BLOCK)
        least = bounds.amin(2)
        first = least.argmin(1)
        found: Tensor = first * BLOCK + bounds[torch.arange(len(queries)), first].argmin(1)
        limits = (queries - self.rows[found]).square().sum(1) + SLACK * (lengths + self.longest) - lengths
        query, block = _where(least <= limits.unsqueeze(1))
        hit, place = _where(bounds[query, block] <= limits[query].unsqueeze(1))
        if len(hit) > MOST * len(queries):
            return None
        query, row = query[hit], block[hit] * BLOCK + place
        parts = zip(torch.split(query, PAIRS), torch.split(row, PAIRS), strict=True)
        distances = torch.cat([(queries[left] - self.rows[right]).square().sum(1) for left, right in parts])
        nearest = distances.new_full((len(queries),), float("inf")).scatter_reduce(0, query, distances, "amin")
        best = distances == nearest[query]
        found[query[best]] = row[best]
        return found

    def _map(self, points: Tensor) -> Tensor:
        """Points (N, D) -> (N, k + 1)."""
        centred = points - self.mean
        inside = linear(centred, self.directions)
        left = (centred.square().sum(1) - inside.square().sum(1)).clamp_min(0).sqrt()
        return torch.cat([inside, left.unsqueeze(1)], dim=1)


def _where(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The rows and columns of what is true in (A, B): NumPy finds the few several times faster than torch."""
    flat = torch.from_numpy(np.flatnonzero(mask.numpy()))
    return flat // mask.shape[1], flat % mask.shape[1]
