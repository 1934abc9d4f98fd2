"""What a detector is, and what the families share: the pictures of their batches, and boxes of what a network gives."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from pipelines.core.images.decode import decode
from pipelines.core.images.preprocess import to_source_xyxy
from pipelines.core.running.batch_model import Batch, BatchModel
from pipelines.detect.boxes.detections import Detections, Query

Made = TypeVar("Made")


class Detector(BatchModel[Query, Detections], Protocol):
    """A BatchModel over queries: each becomes the boxes that score above the threshold, before any NMS."""

    def check(self, classes: Sequence[str], /) -> None:
        """Raises InputError, saying why, where the detector cannot look for one of the classes."""
        ...


def read_queries(queries: Sequence[Query], prepare: Callable[[Tensor], Made]) -> tuple[list[Made], Batch]:
    """What `prepare` makes of each query's picture, uint8 (3, H, W), and what the batch has besides.

    That is the sources' `size_hw`, int64 (B, 2), and the `classes` that all queries ask for. Raises ImageError, and
    ValueError for queries of several classes.
    """
    pictures, sizes = [], []
    for query in queries:  # one by one, for a whole batch of large pictures takes gigabytes
        image = decode(query.sample.path)
        pictures.append(prepare(image))
        sizes.append(image.shape[-2:])
    return pictures, {"size_hw": torch.tensor(sizes), "classes": common_classes(queries)}


def common_classes(queries: Sequence[Query]) -> tuple[str, ...]:
    """The classes that all queries of a batch ask for. Raises ValueError where they differ."""
    classes = {query.classes for query in queries}
    if len(classes) != 1:
        raise ValueError(f"expected queries of the same classes, found {len(classes)} sets of them")
    return classes.pop()


def in_source(rows: Tensor, size_hw: Tensor) -> Tensor:
    """Rows (B, ..., N, 6) of a batch whose sources have the sizes `size_hw` (B, 2), on the CPU, float32.

    Each is centre x, centre y, width, height from 0 to 1 of the unpadded picture, score and class; it becomes left,
    top, right, bottom in pixels of the source, score and class. This is the one wait for the device.
    """
    sizes = size_hw.view(len(size_hw), *[1] * (rows.ndim - 3), 2)
    return torch.cat([to_source_xyxy(rows[..., :4], sizes), rows[..., 4:].float()], dim=-1).cpu()


def above(rows: Tensor, threshold: float, full_above: float = 0.0) -> Detections:
    """A picture's rows (..., 6) of `in_source` that score above the threshold; a class below 0 was not asked for.

    Raises FloatingPointError where a number is none.
    """
    if not rows.isfinite().all():
        raise FloatingPointError("the detector's numbers overflowed; run it with --precision fp32")
    found = rows[(rows[..., 4] > threshold) & (rows[..., 5] >= 0)]
    return Detections(found[:, :4], found[:, 4], found[:, 5].long(), full_above)
