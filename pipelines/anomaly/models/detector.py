"""The networks of anomaly detection: a timm backbone and the method on its features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pipelines.anomaly.methods import Method, Scorer
from pipelines.anomaly.models.features.backbone import Backbone
from pipelines.core.errors import InputError
from pipelines.core.images.decode import decode
from pipelines.core.images.preprocess import normalise, resize
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import Batch

# bfloat16 has 8 bits of precision: too few for the distances between near patches.
DTYPES = frozenset({torch.float32, torch.float16})


@dataclass(frozen=True)
class Anomaly:
    """What is said of one picture."""

    score: float
    """Raw: 0 or more, higher is more anomalous, unbounded; comparable within a category only."""
    label: int
    """1 where the score is above the category's threshold, else 0."""
    map: Tensor | None = field(default=None, compare=False, repr=False)
    """float32 (H, W) on the CPU: each patch's own score, not smoothed; None where a method has none."""

    def __post_init__(self) -> None:
        if self.label not in (0, 1):
            raise ValueError(f"expected the label 0 or 1, found {self.label}")
        if self.map is not None and (self.map.ndim != 2 or self.map.dtype != torch.float32):
            raise ValueError(f"expected a float32 map (H, W), found {self.map.dtype} {tuple(self.map.shape)}")


@dataclass(frozen=True)
class Fitted:
    """What was learned of a category from its normal images."""

    scorer: Scorer
    threshold: float
    """Above this score a picture is called anomalous."""
    normals: int
    """Images that it was fitted on."""
    held_out: Sequence[float] = ()
    """The normal images' own scores, each by a model that never saw it."""


class PatchExtractor:
    """BatchModel: pictures in, their patch features (H, W, D) out, on the CPU in the network's dtype.

    Of pictures that are some of `normals` to fit on, it gives what the method keeps: where that is not all, (P, D).
    """

    dtypes = DTYPES

    def __init__(self, backbone: Backbone, method: Method, normals: int = 1) -> None:
        self.backbone, self.method, self.normals = backbone, method, normals
        self.module = backbone.module

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        """uint8 (B, 3, h, w). Raises ImageError for a picture that cannot be read."""
        images = [resize(decode(sample.path), self.backbone.spec) for sample in samples]
        return {"images": torch.stack(images)}

    def features(self, batch: Batch) -> Tensor:
        """(B, H, W, D) on the batch's device."""
        dtype = next(self.module.parameters()).dtype
        return self.method.embed(self.backbone(normalise(batch["images"], self.backbone.spec, dtype)))

    def predict(self, batch: Batch) -> Sequence[Tensor]:
        """One (H, W, D) or (P, D) a picture."""
        return self.method.kept(self.features(batch), self.normals).cpu().unbind(0)


class AnomalyDetector:
    """BatchModel: pictures in, an Anomaly each out, by what was fitted for the picture's category."""

    dtypes = DTYPES

    def __init__(
        self, extractor: PatchExtractor, fitted: Mapping[str, Fitted], category: Callable[[Sample], str]
    ) -> None:
        self.extractor, self.fitted, self.category = extractor, fitted, category
        self.module = extractor.module

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        """The pictures, and what was fitted for each. Raises ImageError, or InputError for an unknown category."""
        batch = self.extractor.prepare(samples)
        return batch | {"fitted": [self._fitted(self.category(sample)) for sample in samples]}

    def predict(self, batch: Batch) -> Sequence[Anomaly]:
        """One Anomaly a picture."""
        pairs = zip(self.extractor.features(batch), batch["fitted"], strict=True)
        return [_anomaly(features, fitted) for features, fitted in pairs]

    def _fitted(self, category: str) -> Fitted:
        if category not in self.fitted:
            raise InputError(f"expected a category among {', '.join(self.fitted)}, found {category!r}")
        return self.fitted[category]


def _anomaly(features: Tensor, fitted: Fitted) -> Anomaly:
    found = fitted.scorer(features)
    return Anomaly(found.score, int(found.score > fitted.threshold), found.map)
