"""PaDiM (Defard et al. 2020, arXiv 2011.08785) over anomalib's model: a Gaussian for each place of the picture."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from pipelines.anomaly.methods import PatchScores
from pipelines.anomaly.models.features.backbone import Backbone
from pipelines.core.errors import InputError

if TYPE_CHECKING:
    from pipelines.anomaly.settings import FitConfig


class Padim:
    """Learns mean and covariance of each place's features; for pictures that show the object in the same place."""

    def __init__(self, settings: "FitConfig", backbone: Backbone) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are about anomalib's other models, which importing one loads
            from anomalib.models.image.padim.torch_model import PadimModel

        first, layers = cast(list[str], [1]), cast(list[str], list(backbone.out_indices))  # anomalib takes numbers too
        channels = sum(backbone.module.feature_info.channels())  # type: ignore[operator,union-attr]
        kept = min(settings.dimensions, channels)
        # The maps come from our backbone, so anomalib makes the smallest network: for a ViT it would change, in all of
        # timm, how position embeddings are resized.
        with torch.random.fork_rng(devices=[]):
            self.model = PadimModel("test_resnet", first, pre_trained=False, n_features=1)
        del self.model.feature_extractor
        self.model.layers = layers
        order = torch.randperm(channels, generator=torch.Generator().manual_seed(settings.seed))
        self.model.idx = order[:kept]
        self.size_hw = tuple(backbone.identity["input_size"])

    def embed(self, maps: Sequence[Tensor]) -> Tensor:
        """Levels (B, C, H, W) -> the chosen channels (B, H, W, D) on the first one's grid."""
        features: Tensor = self.model.generate_embedding(dict(zip(self.model.layers, maps, strict=True)))
        return features.permute(0, 2, 3, 1).contiguous()

    def kept(self, features: Tensor, normals: int) -> Tensor:
        """All of each picture, however many there are: the Gaussian of each place needs it."""
        return features

    def fitter(self, normals: Sequence[Tensor], device: torch.device) -> "Callable[[Sequence[int]], GaussianPatches]":
        """What fits the Gaussians; it raises InputError below two images, of which there is no covariance."""
        from anomalib.models.components import MultiVariateGaussian

        def fit(places: Sequence[int]) -> GaussianPatches:
            if len(places) < 2:
                raise InputError(
                    f"expected at least 3 normal images for PaDiM, found {len(places)} left where one was held out"
                )
            images = torch.stack([normals[place] for place in places])
            stacked = images.permute(0, 3, 1, 2).to(device, torch.float32).contiguous()
            mean, inverse_covariance = MultiVariateGaussian().fit(stacked)
            return self.restore({"mean": mean, "inverse_covariance": inverse_covariance}, device)

        return fit

    def restore(self, tensors: Mapping[str, Tensor], device: torch.device) -> "GaussianPatches":
        """The scorer that gave `tensors`."""
        return GaussianPatches(
            tensors["mean"].to(device), tensors["inverse_covariance"].to(device),
            self.model.anomaly_map_generator.to(device), self.size_hw,
        )  # fmt: skip


class GaussianPatches:
    """Scores pictures by each place's Mahalanobis distance; the score is the smoothed map's peak, as anomalib's."""

    def __init__(
        self, mean: Tensor, inverse_covariance: Tensor, generator: nn.Module, size_hw: tuple[int, ...]
    ) -> None:
        # (D, H·W) and (H·W, D, D); contiguous, for the rounding of a product depends on the layout
        self.mean, self.inverse_covariance = mean.contiguous(), inverse_covariance.contiguous()
        self.generator, self.size_hw = generator, size_hw

    def __call__(self, features: Tensor) -> PatchScores:
        """Features (H, W, D) of one picture -> its score and the distance of each patch."""
        embedding = features.permute(2, 0, 1).unsqueeze(0).to(self.mean.device, torch.float32)
        distances: Tensor = self.generator.compute_distance(embedding, [self.mean, self.inverse_covariance])  # type: ignore[operator]
        upsampled = self.generator.up_sample(distances, self.size_hw)  # type: ignore[operator]
        smoothed: Tensor = self.generator.smooth_anomaly_map(upsampled)  # type: ignore[operator]
        return PatchScores(float(smoothed.max()), distances[0, 0].cpu())

    def score(self, features: Tensor) -> float:
        """The score alone."""
        return self(features).score

    def tensors(self) -> dict[str, Tensor]:
        """What `restore` needs."""
        return {"mean": self.mean.cpu(), "inverse_covariance": self.inverse_covariance.cpu()}
