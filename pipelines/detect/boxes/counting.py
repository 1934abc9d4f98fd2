"""From boxes to counts: of boxes that show one object all but the best go, the others are counted."""

import torch
from torchvision.ops import batched_nms, nms

from pipelines.detect.boxes.detections import Detections


def suppress(found: Detections, iou: float, across_classes: bool = False) -> Detections:
    """Non-maximum suppression: drops a box that overlaps a better one by more than `iou` (0 to 1); best score first.

    Boxes of different classes leave each other alone, unless `across_classes`.
    """
    if across_classes:
        keep = nms(found.xyxy, found.scores, iou)
    else:
        keep = batched_nms(found.xyxy, found.scores, found.class_ids, iou)
    return found[keep]


def count(found: Detections, classes: int) -> list[int]:
    """The number of objects of each of `classes` classes."""
    counts: list[int] = torch.bincount(found.class_ids, minlength=classes).tolist()
    return counts
