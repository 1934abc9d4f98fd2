"""What is asked of a detector, and what it answers: plain data that every detector and all that follows share."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.core.images.samples import Sample


@dataclass(frozen=True)
class Query:
    """A picture and the English classes to find in it, each of them once."""

    sample: Sample
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Detections:
    """The objects found in one picture, on the CPU."""

    xyxy: Tensor
    """float32 (N, 4): left, top, right, bottom in pixels of the source picture."""
    scores: Tensor
    """float32 (N,), 0 to 1."""
    class_ids: Tensor
    """int64 (N,): each object's place among the query's classes."""
    full_above: float = 0.0
    """Every slot of the detector (in one of its passes) scored above this: at a threshold below there may be more."""

    def __post_init__(self) -> None:
        count = len(self.xyxy)
        expected = ((self.xyxy, (count, 4), torch.float32), (self.scores, (count,), torch.float32))
        for tensor, shape, dtype in (*expected, (self.class_ids, (count,), torch.int64)):
            if tensor.shape != shape or tensor.dtype != dtype:
                raise ValueError(f"expected {dtype} {shape}, found {tensor.dtype} {tuple(tensor.shape)}")

    def __len__(self) -> int:
        return len(self.xyxy)

    def __getitem__(self, keep: Tensor) -> "Detections":
        """The objects at the places `keep`, or where the bool mask `keep` is True."""
        return Detections(self.xyxy[keep], self.scores[keep], self.class_ids[keep], self.full_above)
