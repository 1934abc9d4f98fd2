"""Exact greedy k-center selection in a few passes over the points instead of one pass per pick.

The distance of a point to its nearest pick only ever falls, so a stale distance is an upper bound. The points with the
largest bounds form a pool whose mutual distances cost one matrix product; picks come from the pool for as long as its
largest exact distance beats every bound outside it. Then all pending picks are applied to all points at once.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

PROJECTED = 256
"""Dimensions that points are projected to before the selection: distances keep within some 5% of their ratios."""
POOL, CHUNK = 2048, 8192
TAKEN = -1.0  # below every squared distance: never picked again


def coreset(images: Sequence[Tensor], ratio: float, most: int, seed: int) -> list[Tensor]:
    """For each image's points (P, d) from `project`, the ascending indices (int64, CPU) of those that the coreset has.

    It has `ratio` of the points of all images, at least one and at most `most`.
    """
    points = torch.cat(list(images))
    start = int(torch.randint(len(points), (1,), generator=torch.Generator().manual_seed(seed)))
    picks = torch.tensor(select(points, max(1, min(most, round(ratio * len(points)))), start))
    kept = torch.zeros(len(points), dtype=torch.bool)
    kept[picks] = True
    return [of_image.nonzero().squeeze(1) for of_image in torch.split(kept, [len(image) for image in images])]


def project(images: Sequence[Tensor], dimensions: int, seed: int, device: torch.device) -> list[Tensor]:
    """The patches of each image (..., D) as float32 (P, d) on `device`, d = min(D, dimensions), centred together.

    A fixed Gaussian projection (Johnson and Lindenstrauss) is used where D is larger. Takes at most 1 KB a patch.
    """
    depth = images[0].shape[-1]
    basis = None
    if depth > dimensions:
        basis = torch.randn(depth, dimensions, generator=torch.Generator().manual_seed(seed)) / dimensions**0.5
        basis = basis.to(device)
    sizes = [image.numel() // depth for image in images]
    points = torch.empty(sum(sizes), min(depth, dimensions), device=device)
    parts = list(torch.split(points, sizes))
    for image, rows in zip(images, parts, strict=True):
        patches = image.reshape(-1, depth).to(device, torch.float32)
        rows.copy_(patches if basis is None else patches @ basis)
    # Without it the cancellation in |x|² + |y|² - 2xy changes some 2% of the picks in float32.
    points.sub_(points.mean(0))
    return parts


def select(points: Tensor, picks: int, start: int = 0, pool: int = POOL) -> list[int]:
    """Indices of min(picks, N) rows of `points` (N, d), centred, in the order that greedy k-center takes them.

    Each pick is the row farthest from the picks before it (Gonzalez 1985); the first is `start`.
    """
    picks = min(picks, len(points))
    norms = (points * points).sum(1)
    bounds = torch.full_like(norms, float("inf"))  # squared distance to the nearest pick, or more
    chosen, pending = [start], [start]
    while len(chosen) < picks:
        _lower(bounds, points, norms, pending)
        bounds[pending] = TAKEN
        pending = _from_pool(points, norms, bounds, picks - len(chosen), min(pool, len(points) - 1))
        chosen += pending
    return chosen[:picks]


def _lower(bounds: Tensor, points: Tensor, norms: Tensor, centres: list[int]) -> None:
    """Makes the bounds exact: one pass over all points for all pending centres."""
    centre_norms, transposed = norms[centres].unsqueeze(0), points[centres].T
    for first in range(0, len(points), CHUNK):
        rows = slice(first, first + CHUNK)
        nearest = torch.addmm(centre_norms, points[rows], transposed, alpha=-2).amin(1) + norms[rows]
        bounds[rows] = torch.minimum(bounds[rows], nearest.clamp_min(0))


def _from_pool(points: Tensor, norms: Tensor, bounds: Tensor, wanted: int, size: int) -> list[int]:
    """Up to `wanted` next picks, at least one, for as long as they are sure to lie among the `size` largest bounds."""
    largest, candidates = bounds.topk(size + 1)
    outside, candidates = float(largest[size]), candidates[:size].sort().values
    rows, row_norms = points[candidates], norms[candidates]
    products = torch.addmm(row_norms.unsqueeze(0), rows, rows.T, alpha=-2) + row_norms.unsqueeze(1)
    # Each pick waits for the one before it: NumPy's small steps cost less than torch's, and far less than a GPU's.
    between, exact = products.clamp_min_(0).cpu().numpy(), bounds[candidates].cpu().numpy()  # indexing copies
    taken: list[int] = []
    while len(taken) < wanted:
        best = int(exact.argmax())
        if taken and exact[best] <= outside:
            break
        taken.append(best)
        np.minimum(exact, between[best], out=exact)
        exact[best] = TAKEN
    return [int(index) for index in candidates[taken]]
