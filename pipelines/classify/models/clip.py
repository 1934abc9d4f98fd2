"""Zero-shot classification with a CLIP-like network: labels to vectors, and photos to the labels nearest to them.

The method is that of CLIP's paper (Radford et al. 2021, sections 3.1.2 and 3.1.4): a label's vector is the mean of the
unit vectors of its phrases, made a unit vector again; its logit is the cosine with the photo's vector times the scale
that the network learned. CLIP was trained to tell which of several texts is a photo's, so its probabilities are the
softmax over the labels. SigLIP (Zhai et al. 2023) was trained to tell of each text by itself whether it is the photo's,
so its probabilities are sigmoids, each for itself; their sum may be any.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.core.images.samples import Sample
from pipelines.core.networks.clip import ClipImages, ClipTexts
from pipelines.core.running.batch_model import Batch


@dataclass(frozen=True)
class Classified:
    """The labels that fit a picture best, the best first."""

    labels: Sequence[str]
    probabilities: Sequence[float]
    """From 0 to 1."""

    def __post_init__(self) -> None:
        if not self.labels or len(self.labels) != len(self.probabilities):
            raise ValueError(f"expected a probability a label, found {len(self.probabilities)} for {len(self.labels)}")


@dataclass(frozen=True)
class Scale:
    """What makes logits of cosines, and probabilities of logits."""

    factor: float
    bias: float
    probability: Literal["softmax", "sigmoid"]

    def logits(self, cosines: Tensor) -> Tensor:
        """Of cosines, float32 (B, L)."""
        return self.factor * cosines + self.bias

    def probabilities(self, logits: Tensor) -> Tensor:
        """Of logits, float32 (B, L)."""
        return logits.softmax(dim=1) if self.probability == "softmax" else logits.sigmoid()


def scale_of(module: Any) -> Scale:  # noqa: ANN401 - of any of core.networks.clip's architectures
    """What a network has learned; to be read before a Runner rounds it to half precision."""
    factor, bias = module.logit_scale.float().exp().item(), getattr(module, "logit_bias", None)
    return Scale(factor, 0.0, "softmax") if bias is None else Scale(factor, bias.float().item(), "sigmoid")


class LabelTexts:
    """A BatchModel over labels, each given by its phrases: each becomes a unit vector, float32 (D,) on the CPU."""

    def __init__(self, texts: ClipTexts) -> None:
        self.texts, self.module = texts, texts.module
        self.dtypes, self.near_dtypes = texts.dtypes, texts.near_dtypes

    def prepare(self, labels: Sequence[Sequence[str]]) -> Batch:
        """`tokens` of all their phrases, and `counts`: how many phrases each label has."""
        tokens = self.texts.prepare([phrase for phrases in labels for phrase in phrases])
        return {**tokens, "counts": [len(phrases) for phrases in labels]}

    def predict(self, batch: Batch) -> list[Tensor]:
        """One vector a label."""
        tokens = {key: value for key, value in batch.items() if key != "counts"}
        vectors = torch.stack(list(self.texts.predict(tokens)))
        return [F.normalize(of_label.mean(dim=0), dim=0) for of_label in torch.split(vectors, batch["counts"])]


class Classifier:
    """A BatchModel over samples: each picture becomes the labels that fit it best."""

    def __init__(self, images: ClipImages, vectors: Tensor, labels: Sequence[str], scale: Scale, top: int) -> None:
        """`vectors`: the labels' unit vectors, float32 (L, D); `top`: how many labels are kept of each picture."""
        self.images, self.module = images, images.module
        self.dtypes, self.near_dtypes = images.dtypes, images.near_dtypes
        self.vectors, self.labels, self.scale, self.top = vectors, labels, scale, min(top, len(labels))

    def shape_key(self, sample: Sample) -> Hashable:
        """Equal for pictures that may share a batch."""
        return self.images.shape_key(sample)

    def prepare(self, samples: Sequence[Sample]) -> Batch:
        """The pictures as `Pictures.one` makes them, (B, ...)."""
        return self.images.prepare(samples)

    def predict(self, batch: Batch) -> list[Classified]:
        """One a picture; of labels that are equally likely the earlier one is first."""
        device = next(self.module.parameters()).device
        self.vectors = self.vectors.to(device)
        photos = torch.stack(list(self.images.predict(batch))).to(device)
        logits = self.scale.logits(photos @ self.vectors.T)
        places = logits.sort(dim=1, descending=True, stable=True).indices[:, : self.top]
        kept = self.scale.probabilities(logits).gather(1, places)
        return [
            Classified([self.labels[place] for place in of_photo], likely)
            for of_photo, likely in zip(places.tolist(), kept.tolist(), strict=True)
        ]
