"""PatchCore (Roth et al. 2022, arXiv 2106.08265): how far a picture's patches lie from those of normal pictures."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.anomaly.backbone import Backbone
from pipelines.anomaly.coreset import coreset
from pipelines.anomaly.methods import FitConfig, PatchScores

CHUNK = 1024  # patches at a time: their distances to a bank of 50,000 take 0.2 GB


class PatchCore:
    """Keeps a coreset of the normal patches, the bank; a patch is as anomalous as its nearest of them is far."""

    def __init__(self, settings: FitConfig, _: Backbone) -> None:
        self.settings = settings

    def embed(self, maps: Sequence[Tensor]) -> Tensor:
        """Levels (B, C, H, W) -> (B, H, W, D) on the first one's grid, each patch averaged with its 8 neighbours."""
        first, *deeper = (F.avg_pool2d(level, 3, stride=1, padding=1) for level in maps)
        levels = [first, *(F.interpolate(level, first.shape[-2:], mode="bilinear") for level in deeper)]
        return torch.cat(levels, dim=1).permute(0, 2, 3, 1).contiguous()

    def fit(self, images: Sequence[Tensor], device: torch.device) -> "NearestPatches":
        """Selects the bank from normal images (H, W, D)."""
        kept = coreset(images, self.settings.coreset, self.settings.most, self.settings.seed, device)
        rows = [image.reshape(-1, image.shape[-1])[chosen] for image, chosen in zip(images, kept, strict=True)]
        return NearestPatches(torch.cat(rows), self.settings.neighbours, device)

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
        patches = features.reshape(-1, features.shape[-1]).to(self.bank.device, torch.float32)
        nearest = torch.cat([self._nearest(chunk) for chunk in torch.split(patches, CHUNK)])
        distances = (patches - self.bank[nearest]).norm(dim=1)
        worst = int(distances.argmax())
        score = distances[worst] * self._weight(patches[worst], int(nearest[worst]))
        return PatchScores(float(score), distances.view(features.shape[:2]).cpu())

    def tensors(self) -> dict[str, Tensor]:
        """What `restore` needs."""
        return {"bank": self.bank.cpu()}

    def _nearest(self, patches: Tensor) -> Tensor:
        """The index of the nearest row of the bank for each of (P, D)."""
        return torch.addmm(self._norms, patches, self.bank.T, alpha=-2).argmin(1)

    def _weight(self, patch: Tensor, nearest: int) -> Tensor | float:
        """Nearer to 0 where the bank is dense around the nearest row but the patch far from it (the paper's eq. 7)."""
        if self.neighbours == 1:
            return 1.0
        around = self._norms - 2 * (self.bank @ self.bank[nearest])
        support = self.bank[around.topk(self.neighbours, largest=False).indices]
        distances = (patch - support).norm(dim=1)
        return 1 - torch.exp((patch - self.bank[nearest]).norm() - distances.logsumexp(0))
