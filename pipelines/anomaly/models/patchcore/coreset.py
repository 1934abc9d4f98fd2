"""Exact greedy k-center selection in a few passes over the points instead of one pass per pick.

The distance of a point to its nearest pick only ever falls, so a stale distance is an upper bound. Only the active
points, those with the largest bounds, take account of the picks, until none is farther than the bounds of the others;
then other points are the active ones and catch up. A point in a dense place never does, for nothing is picked there.
Among the active points the farthest form a pool whose mutual distances cost one matrix product; picks come from it for
as long as its largest distance beats every one outside. Then all these picks are applied to all active points at once.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.core.networks.linear import linear

PROJECTED = 256
"""Dimensions that points are projected to before the selection: distances keep within some 5% of their ratios."""
POOL, CHUNK = 1024, 8192
TILE = 32  # centres come in multiples: oneDNN prepares a product of other sizes for longer than it takes
ACTIVE = 4  # a quarter of the points is active at a time
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
        drawn = torch.randn(depth, dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)
        basis = (drawn / dimensions**0.5).T.contiguous().to(device)
    sizes = [image.numel() // depth for image in images]
    points = torch.empty(sum(sizes), min(depth, dimensions), dtype=torch.float32, device=device)
    parts = list(torch.split(points, sizes))
    for image, rows in zip(images, parts, strict=True):
        patches = image.reshape(-1, depth).to(device, torch.float32)
        rows.copy_(patches if basis is None else linear(patches, basis))
    # Without it the cancellation in |x|² + |y|² - 2xy changes some 2% of the picks in float32.
    points.sub_(points.mean(0))
    return parts


def select(points: Tensor, picks: int, start: int = 0, pool: int = POOL) -> list[int]:
    """Indices of min(picks, N) rows of `points` (N, d), centred, in the order that greedy k-center takes them.

    Each pick is the row farthest from the picks before it (Gonzalez 1985); the first is `start`.
    """
    picks = min(picks, len(points))
    norms = (points * points).sum(1)
    chosen = torch.tensor([start], device=points.device)
    bounds = torch.full_like(norms, float("inf"))  # squared distance to the nearest pick, or more
    _lower(bounds, points, norms, points[chosen], norms[chosen])
    bounds[chosen] = TAKEN
    seen = torch.ones(len(points), dtype=torch.int64, device=points.device)  # picks that a bound takes account of
    while len(chosen) < picks:
        floor = float(bounds.topk(max(1, len(bounds) // ACTIVE)).values[-1])
        floor = floor if floor < float(bounds.amax()) else TAKEN  # equal points: none would lie above it
        active = (bounds > floor).nonzero().squeeze(1)
        own, rows, row_norms, since = bounds[active], points[active], norms[active], seen[active]
        for first in torch.unique(since).tolist():
            late, missed = (since == first).nonzero().squeeze(1), chosen[first:]
            part = own[late]
            _lower(part, rows[late], row_norms[late], points[missed], norms[missed])
            own[late] = part
        while len(chosen) < picks:
            new = _from_pool(rows, row_norms, own, picks - len(chosen), pool, floor)
            if not len(new):
                break
            _lower(own, rows, row_norms, rows[new], row_norms[new])
            own[new] = TAKEN
            chosen = torch.cat([chosen, active[new]])
        bounds[active], seen[active] = own, len(chosen)
    found: list[int] = chosen.tolist()
    return found


def _lower(bounds: Tensor, points: Tensor, norms: Tensor, centres: Tensor, centre_norms: Tensor) -> None:
    """Takes account of more centres (C, d): one pass over the points for all of them."""
    if not len(centres):
        return
    for first in range(0, len(points), CHUNK):
        rows = slice(first, first + CHUNK)
        nearest = _less_own(points[rows], centres, centre_norms).amin(1) + norms[rows]
        bounds[rows] = torch.minimum(bounds[rows], nearest.clamp_min(0))


def _less_own(points: Tensor, centres: Tensor, norms: Tensor) -> Tensor:
    """Squared distances (N, C) of points (N, d) to centres (C, d) of squared norms (C,), less the points' own norms."""
    missing = -len(centres) % TILE
    products = linear(points, F.pad(-2 * centres, (0, 0, 0, missing)), F.pad(norms, (0, missing)))
    return products[:, : len(centres)]


def _from_pool(points: Tensor, norms: Tensor, exact: Tensor, wanted: int, size: int, floor: float) -> Tensor:
    """Up to `wanted` next picks, in order: those that are sure to lie among the `size` points farthest from all picks.

    None where no point is farther than `floor`, the bound of all that are not here. `exact`: squared distances.
    """
    largest, candidates = exact.topk(min(size + 1, len(exact)))
    outside = max(floor, float(largest[size])) if len(largest) > size else floor
    candidates = candidates[:size][largest[:size] > floor].sort().values
    rows, row_norms = points[candidates], norms[candidates]
    products = _less_own(rows, rows, row_norms) + row_norms.unsqueeze(1)
    # Each pick waits for the one before it: NumPy's small steps cost less than torch's, and far less than a GPU's.
    between, distances = products.clamp_min_(0).cpu().numpy(), exact[candidates].cpu().numpy()
    taken: list[int] = []
    while len(taken) < min(wanted, len(candidates)):
        best = int(distances.argmax())
        if taken and distances[best] <= outside:
            break
        taken.append(best)
        np.minimum(distances, between[best], out=distances)
        distances[best] = TAKEN
    return candidates[taken]
