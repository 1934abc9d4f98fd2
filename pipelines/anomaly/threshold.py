"""Sets the threshold of what is anomalous from normal images alone, each scored by a model that never saw it."""

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import torch

from pipelines.core.errors import InputError


def out_of_fold(
    count: int, scores_of: Callable[[int, Sequence[int], Sequence[int]], Sequence[float]], folds: int, seed: int
) -> list[float]:
    """The scores of `count` images, in order, each by a model fitted on the images of the other folds.

    `scores_of(fold, others, held_out)` fits on the images at the places `others` and scores those at `held_out`. Fewer
    images than `folds`: each is a fold of its own. Raises InputError below two images, for then nothing is left to fit
    on.
    """
    if count < 2:
        raise InputError(
            f"expected at least 2 normal images that can be read, found {count}: the threshold is set on images "
            "that were held out"
        )
    scores = [0.0] * count
    for fold, part in enumerate(split(count, folds, seed)):
        others, held_out = [place for place in range(count) if place not in part], sorted(part)
        for place, score in zip(held_out, scores_of(fold, others, held_out), strict=True):
            scores[place] = score
    return scores


def split(count: int, folds: int, seed: int) -> Iterator[frozenset[int]]:
    """The indices below `count` in min(folds, count) random parts whose sizes differ by at most one."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    folds = min(folds, count)
    return (frozenset(order[fold::folds]) for fold in range(folds))


def of_quantile(held_out: Sequence[float], quantile: float) -> float:
    """The score that the share `quantile` of the held-out normal images does not exceed (between two: interpolated)."""
    return float(torch.quantile(torch.tensor(held_out, dtype=torch.float64), quantile))


def of_rate(held_out: Sequence[float], rate: float) -> float:
    """The score that at most the share `rate` (above 0, below 1) of new normal images exceeds, on average over runs.

    It is the ceil((n + 1)(1 - rate))-th smallest of the n held-out scores: split conformal prediction's correction of
    the quantile (Lei et al. 2018, arXiv 1604.04173). A score lies above it where its `p_value` is at most `rate`, so
    both are one decision. The promise holds for scores of one model; for those of several folds it is approximate
    (Vovk 2015, arXiv 1208.0806), and mostly on the safe side, as the final model is fitted on more images. Raises
    InputError where `check_rate` does.
    """
    check_rate(len(held_out), rate)
    above = math.floor((len(held_out) + 1) * Fraction(str(rate)))  # of n + 1; exact, as 100 * 0.29 < 29 for floats
    return float(sorted(held_out)[len(held_out) - above])


def check_rate(normals: int, rate: float) -> None:
    """Raises InputError where so few normal images cannot promise so low a rate: no p-value is below 1 / (n + 1)."""
    needed = math.ceil(1 / Fraction(str(rate))) - 1
    if normals < needed:
        raise InputError(
            f"expected at least {needed} normal images for a false-positive rate of {rate:g}, found {normals}; give "
            f"more of them, or a rate of at least {math.ceil(10_000 / (normals + 1)) / 10_000:g}"
        )


def p_value(score: float, held_out: Sequence[float]) -> float:
    """How likely a normal image scores as high: (1 + held-out normals that score at least as high) / (n + 1).

    Above 0, to 1. The conformal p-value (Bates et al. 2023, arXiv 2104.08279).
    """
    return (1 + sum(other >= score for other in held_out)) / (len(held_out) + 1)


def probability(score: float, threshold: float, held_out: Sequence[float]) -> float:
    """How likely an image is anomalous, 0 to 1: a half at the threshold, and growing with every score.

    It is the logistic function of the distance from the threshold in standard deviations of the held-out normal scores:
    no defect was seen that could calibrate it, so it ranks and decides as the score does and promises no more.
    """
    spread = statistics.pstdev(held_out) if held_out else 0.0
    deviations = (score - threshold) / (spread or abs(threshold) or 1.0)
    return (1 + math.tanh(deviations / 2)) / 2
