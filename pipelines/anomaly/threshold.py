"""Sets the threshold of what is anomalous from normal images alone, each scored by a model that never saw it."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from pipelines.core.errors import InputError

Image = TypeVar("Image")


def out_of_fold(
    images: Sequence[Image],
    fit: Callable[[Sequence[Image]], Callable[[Image], float]],
    folds: int,
    seed: int,
) -> list[float]:
    """Each image's score, in order, by a model fitted on the images of the other folds.

    `fit` makes a scoring function of some images. Fewer images than `folds`: each is a fold of its own. Raises
    InputError below two images, for then nothing is left to fit on.
    """
    if len(images) < 2:
        raise InputError(
            f"expected at least 2 normal images that can be read, found {len(images)}: the threshold is set on images "
            "that were held out"
        )
    scores = [0.0] * len(images)
    for held_out in split(len(images), folds, seed):
        score = fit([image for index, image in enumerate(images) if index not in held_out])
        for index in held_out:
            scores[index] = score(images[index])
    return scores


def split(count: int, folds: int, seed: int) -> Iterator[frozenset[int]]:
    """The indices below `count` in min(folds, count) random parts whose sizes differ by at most one."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    folds = min(folds, count)
    return (frozenset(order[fold::folds]) for fold in range(folds))


def threshold(scores: Sequence[float], quantile: float) -> float:
    """The score that the share `quantile` of the held-out normal images does not exceed (between two: interpolated)."""
    return float(torch.quantile(torch.tensor(scores, dtype=torch.float64), quantile))
