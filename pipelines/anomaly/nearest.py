"""Exact nearest rows for less: distances in few dimensions rule out nearly all rows, the others are measured."""

import torch
from torch import Tensor

SPREAD, LEAST = 0.97, 8
"""The few dimensions hold this share of the rows' variance; they are an eighth of all at least."""
SLACK = 1e-5  # of squared lengths: more than what rounding does to a bound
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
        self.directions = directions[:, -few:]
        self.low = self._map(rows)
        self.norms = self.low.square().sum(1)

    @property
    def pays(self) -> bool:
        """Whether there are few enough dimensions."""
        depth, few = self.directions.shape
        return bool(2 * few <= depth)

    def nearest(self, queries: Tensor) -> Tensor | None:
        """The index of the nearest row for each of (Q, D), float32; None where too many rows are near."""
        low = self._map(queries)
        lengths = low.square().sum(1)
        bounds = torch.addmm(self.norms, low, self.low.T, alpha=-2)  # squared, less the query's own length
        found = bounds.argmin(1)
        limits = (queries - self.rows[found]).square().sum(1) + SLACK * (lengths + self.norms.amax()) - lengths
        query, row = (bounds <= limits.unsqueeze(1)).nonzero().unbind(1)
        if len(query) > MOST * len(queries):
            return None
        parts = zip(torch.split(query, PAIRS), torch.split(row, PAIRS), strict=True)
        distances = torch.cat([(queries[left] - self.rows[right]).square().sum(1) for left, right in parts])
        least = distances.new_full((len(queries),), float("inf")).scatter_reduce(0, query, distances, "amin")
        best = distances == least[query]
        found[query[best]] = row[best]
        return found

    def _map(self, points: Tensor) -> Tensor:
        """Points (N, D) -> (N, k + 1)."""
        centred = points - self.mean
        inside = centred @ self.directions
        left = (centred.square().sum(1) - inside.square().sum(1)).clamp_min(0).sqrt()
        return torch.cat([inside, left.unsqueeze(1)], dim=1)
