"""Scores anomaly maps against masks pixel by pixel: how well they rank pixels, and how well they cover defects."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from sklearn.metrics import auc, roc_auc_score

from pipelines.anomaly.maps.files import map_path, mask_path, read_map, read_mask
from pipelines.core.errors import InputError

FPR_LIMIT = 0.3
"""The false-positive rate that the overlap is integrated to, as MVTec AD's authors do (Bergmann et al. 2021)."""


@dataclass(frozen=True)
class PixelScores:
    """What the maps of one category are worth, each 0 to 1."""

    auroc: float
    aupro: float
    """Area under the per-region overlap, to FPR_LIMIT, as a share of what is possible."""


def pixel_scores(labels: Mapping[str, int], maps: Path, masks: Path) -> PixelScores:
    """Scores one category's maps, resized to their masks; `labels` is image id -> 1 for an anomaly, else 0.

    A normal image has no mask: its pixels are normal, as many as the category's first mask has. Takes some 60 bytes a
    pixel. Raises InputError where a map or a mask is missing, or where the masks have pixels of one kind only.
    """
    truths = {image: read_mask(mask_path(masks, image)) for image, label in labels.items() if label}
    plain = np.zeros_like(next(iter(truths.values()), np.zeros((1, 1), bool)))
    heats, defects, count = [], [], 0
    for image in labels:
        mask = truths.get(image, plain)
        heat = cv2.resize(read_map(map_path(maps, image)), mask.shape[::-1], interpolation=cv2.INTER_LINEAR)
        found, numbers = cv2.connectedComponents(mask.astype(np.uint8))
        numbers[mask] += count  # each defect of the category has its own number, 0 is normal
        count += found - 1
        heats.append(torch.from_numpy(heat).flatten())
        defects.append(torch.from_numpy(numbers).flatten())
    scores, numbered = torch.cat(heats), torch.cat(defects)
    if not 0 < int((numbered > 0).sum()) < len(numbered):
        raise InputError(
            f"expected normal and anomalous pixels in the masks of {next(iter(labels))!r} and the images beside it in "
            f"{masks}, found one kind only"
        )
    return PixelScores(float(roc_auc_score((numbered > 0).numpy(), scores.numpy())), _aupro(scores, numbered))


def _aupro(scores: torch.Tensor, defects: torch.Tensor) -> float:
    """AUPRO of pixels in any order: their scores, and the number of the defect that each belongs to, 0 for none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are about anomalib's models, which importing a metric loads
        from anomalib.metrics import AUPRO

    # Its own update() takes images of one size only.
    metric = AUPRO(fields=["anomaly_map", "gt_mask"], fpr_limit=FPR_LIMIT)
    rate, overlap = metric.compute_pro(defects, scores)
    return float(auc(rate.numpy(), overlap.numpy()) / FPR_LIMIT)
