"""PatchCore (Roth et al. 2022, arXiv 2106.08265): how far a picture's patches lie from those of normal pictures."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.anomaly.methods import PatchScores
from pipelines.anomaly.models.features.backbone import Backbone
from pipelines.anomaly.models.patchcore.coreset import PROJECTED, coreset, project
from pipelines.anomaly.models.patchcore.nearest import Subspace
from pipelines.core.networks.linear import linear

if TYPE_CHECKING:
    from pipelines.anomaly.settings import FitConfig

CHUNK = 1024  # patches at a time: their distances to a bank of 50,000 take 0.2 GB
CANDIDATES = 20
"""Patches that the bank is chosen from, for each that it may keep: with 50,000 all those of 976 images of 256 px."""
FEW, AT_ONCE = 8, 64  # every 8th row of the bank bounds a distance; patches that are then searched at a time


class PatchCore:
    """Keeps a coreset of the normal patches, the bank; a patch is as anomalous as its nearest of them is far."""

    def __init__(self, settings: "FitConfig", _: Backbone) -> None:
        self.settings = settings

    def embed(self, maps: Sequence[Tensor]) -> Tensor:
        """Levels (B, C, H, W) -> (B, H, W, D) on the first one's grid, each patch averaged with its 8 neighbours."""
        first, *deeper = (F.avg_pool2d(level, 3, stride=1, padding=1) for level in maps)
        levels = [first, *(F.interpolate(level, first.shape[-2:], mode="bilinear") for level in deeper)]
        return torch.cat(levels, dim=1).permute(0, 2, 3, 1).contiguous()

    def kept(self, features: Tensor, normals: int) -> Tensor:
        """All patches of pictures (B, H, W, D); of each an equal share (B, P, D) where `normals` of them have too many.

        The share is the picture's own coreset, in which its rare patches stay: none of its patches lies farther from a
        candidate than its covering radius. Such coresets of parts are composed as Malkomes et al. (2015, NIPS) do.
        """
        settings, share = self.settings, max(1, CANDIDATES * self.settings.most // normals)
        if features.shape[1] * features.shape[2] <= share:
            return features
        pictures = features.flatten(1, 2)
        chosen = [
            coreset(project([picture], PROJECTED, settings.seed, picture.device), 1.0, share, settings.seed)[0]
            for picture in pictures
        ]
        return torch.stack([picture[places] for picture, places in zip(pictures, chosen, strict=True)])

    def fitter(self, normals: Sequence[Tensor], device: torch.device) -> "Callable[[Sequence[int]], NearestPatches]":
        """What selects the bank from the normal images (H, W, D) or (P, D) at some places; they are projected once."""
        settings = self.settings
        points = project(normals, PROJECTED, settings.seed, device)

        def fit(places: Sequence[int]) -> NearestPatches:
            chosen = coreset([points[place] for place in places], settings.coreset, settings.most, settings.seed)
            images = [normals[place].reshape(-1, normals[place].shape[-1]) for place in places]
            bank = torch.cat([image[rows] for image, rows in zip(images, chosen, strict=True)])
            return NearestPatches(bank, settings.neighbours, device)

        return fit

    def restore(self, tensors: Mapping[str, Tensor], device: torch.device) -> "NearestPatches":
        """The scorer that gave `tensors`."""
        return NearestPatches(tensors["bank"], self.settings.neighbours, device)


class NearestPatches:
    """Scores pictures against a bank (M, D); distances are summed in float32 whatever the features' dtype."""

    def __init__(self, bank: Tensor, neighbours: int, device: torch.device) -> None:
        self.bank = bank.to(device, torch.float32)
        self.neighbours = min(neighbours, len(bank))
        self._norms = (self.bank * self.bank).sum(1)

    def __call__(self, features: Tensor) -> PatchScores:
        """Features (H, W, D) of one picture -> its score, and the distance of each patch to the bank.

        One picture at a time: a matrix product's rounding depends on its shape, a score must not depend on the batch.
        """
        patches = self._patches(features)
        nearest = torch.cat([self._exact(chunk) for chunk in torch.split(patches, CHUNK)])
        distances = (patches - self.bank[nearest]).norm(dim=1)
        worst = int(distances.argmax())
        score = distances[worst] * self._weight(patches[worst], int(nearest[worst]))
        return PatchScores(float(score), distances.view(features.shape[:2]).cpu())

    def score(self, features: Tensor) -> float:
        """The score alone, but for rounding the same, for a part of the work.

        A few rows of the bank bound each patch's distance from above. The patches of the largest bounds are searched in
        the whole bank, until one is farther than the next bound: the others cannot be the worst.
        """
        patches, few = self._patches(features), self.bank[::FEW].contiguous()
        bounds = (patches - few[self._nearest(patches, few, self._norms[::FEW])]).norm(dim=1)
        bounds, order = bounds.sort(descending=True)
        worst, score = -1.0, 0.0
        for first in range(0, len(order), AT_ONCE):
            if float(bounds[first]) <= worst:
                break
            some = patches[order[first : first + AT_ONCE]]
            nearest = self._nearest(some, self.bank, self._norms)
            distances = (some - self.bank[nearest]).norm(dim=1)
            place = int(distances.argmax())
            if float(distances[place]) > worst:
                worst = float(distances[place])
                score = float(distances[place] * self._weight(some[place], int(nearest[place])))
        return score

    def tensors(self) -> dict[str, Tensor]:
        """What `restore` needs."""
        return {"bank": self.bank.cpu()}

    @cached_property
    def _subspace(self) -> Subspace | None:
        """What makes searches cheaper on a CPU; a GPU multiplies faster than it compares."""
        subspace = None if self.bank.is_cuda else Subspace(self.bank)
        return subspace if subspace and subspace.pays else None

    def _exact(self, patches: Tensor) -> Tensor:
        """The index of the nearest row of the bank for each of (P, D)."""
        found = None if self._subspace is None else self._subspace.nearest(patches)
        return self._nearest(patches, self.bank, self._norms) if found is None else found

    def _patches(self, features: Tensor) -> Tensor:
        """Features (H, W, D) as float32 (H·W, D) on the bank's device."""
        return features.reshape(-1, features.shape[-1]).to(self.bank.device, torch.float32)

    def _nearest(self, patches: Tensor, rows: Tensor, norms: Tensor) -> Tensor:
        """The index of the nearest of `rows`, whose squared norms are `norms`, for each of (P, D)."""
        chunks = torch.split(patches, CHUNK)
        return torch.cat([linear(-2 * chunk, rows, norms).argmin(1) for chunk in chunks])

    def _weight(self, patch: Tensor, nearest: int) -> Tensor | float:
        """Nearer to 0 where the bank is dense around the nearest row but the patch far from it (the paper's eq. 7)."""
        if self.neighbours == 1:
            return 1.0
        around = self._norms - 2 * (self.bank @ self.bank[nearest])
        support = self.bank[around.topk(self.neighbours, largest=False).indices]
        distances = (patch - support).norm(dim=1)
        return 1 - torch.exp((patch - self.bank[nearest]).norm() - distances.logsumexp(0))
