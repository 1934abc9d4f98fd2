"""`anomaly calibrate`: sets the threshold by a few labelled images, and says what that is worth."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import TypeAdapter
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from pipelines.anomaly.evaluate import best_threshold
from pipelines.anomaly.pipeline import AnomalyPipeline
from pipelines.anomaly.settings import AnomalyConfig
from pipelines.core.config import schema
from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_samples
from pipelines.core.places import OutputFile
from pipelines.core.running.runner import Runner
from pipelines.core.submission.columns import read_labels
from pipelines.core.submission.truth import read_frame
from pipelines.core.submission.writing import check_writable, write_whole

FOLDS, REPEATS = 5, 10
SHOWN = 3  # labelled images that cannot be used, on the terminal


@schema
class AnomalyCalibration:
    """What the calibration is told besides the settings of the run."""

    truth: Path
    """CSV of a few labelled images: the id first, and `label`, 0 or 1; ids name images as those of a test CSV do."""
    settings_out: OutputFile = Path("submissions/anomaly_calibrated.yaml")
    """Settings file to write: the run's, with a fixed threshold."""


@dataclass(frozen=True)
class F1:
    """What decisions are worth, each 0 to 1."""

    f1: float
    """Of the anomalous class."""
    macro: float
    """The mean over both classes."""


@dataclass(frozen=True)
class Choice:
    """A threshold set by labelled images of one category, beside the one that normal images alone set."""

    best: float
    """The threshold of the best F1 on all labelled images."""
    default: float
    """The threshold that saw normal images only."""
    of_best: F1
    """On the images that it was chosen by: too good to be true."""
    of_default: F1
    """On images that it never saw."""
    out_of_fold: F1 | None
    """Of choosing so: each image is decided by a threshold that the other folds chose; None for too few labels."""

    @property
    def better(self) -> bool:
        """Whether choosing by labels is worth anything."""
        return self.out_of_fold is not None and self.out_of_fold.f1 > self.of_default.f1

    @property
    def threshold(self) -> float:
        """The threshold to use."""
        return self.best if self.better else self.default


def calibrate(config: AnomalyConfig, settings: AnomalyCalibration) -> Mapping[str, Choice]:
    """Chooses each category's threshold by labelled images, says what that is worth, and writes settings with it.

    Where the threshold of normal images only is as good, that one is written, as it is for categories without labels.
    Raises SuiteError.
    """
    truth, path = settings.truth, settings.settings_out
    check_writable(path)
    frame = read_frame(truth)
    labels = {str(image): label for image, label in read_labels(frame.set_index(frame.columns[0])).items()}
    thresholds, choices = {}, {}
    for category, found in _scored(config, truth, labels).items():
        thresholds[category] = found.default
        if found.labels:
            choice = choose(found.scores, found.labels, found.default, config.fit.seed)
            thresholds[category], choices[category] = choice.threshold, choice
            print(f"{category} ({len(found.labels)} images, {sum(found.labels)} anomalous): {_sentence(choice)}")
    fixed = thresholds if len(thresholds) > 1 else next(iter(thresholds.values()))
    written = TypeAdapter(AnomalyConfig).dump_python(replace(config, threshold=fixed), mode="json")
    text = yaml.safe_dump(written, allow_unicode=True, sort_keys=False)
    write_whole(path, f"# The threshold set by the {len(labels)} labelled images of {truth}\n{text}")
    print(f"{path}: python -m pipelines anomaly --config {path}")
    return choices


def choose(scores: Sequence[float], labels: Sequence[int], default: float, seed: int) -> Choice:
    """The threshold of the best F1 on labelled scores, and what choosing so is worth beside `default`.

    Out of fold: stratified, in up to 5 folds, the mean of 10 random divisions.
    """
    values, truth = np.array(scores, np.float64), np.array(labels, np.int64)
    best = best_threshold(scores, labels) if truth.any() and not truth.all() else default
    folds = min(FOLDS, int(truth.sum()), int((1 - truth).sum()))
    out_of_fold = None
    if folds >= 2:
        repeats = [_worth(truth, _decided(values, truth, folds, seed + repeat)) for repeat in range(REPEATS)]
        out_of_fold = F1(fmean(each.f1 for each in repeats), fmean(each.macro for each in repeats))
    return Choice(best, default, _worth(truth, values > best), _worth(truth, values > default), out_of_fold)


def _decided(
    values: npt.NDArray[np.float64], truth: npt.NDArray[np.int64], folds: int, seed: int
) -> npt.NDArray[np.bool_]:
    """Each image's label by the best threshold of the other folds."""
    decided = np.zeros(len(truth), bool)
    for others, held_out in StratifiedKFold(folds, shuffle=True, random_state=seed).split(values, truth):
        decided[held_out] = values[held_out] > best_threshold(values[others].tolist(), truth[others].tolist())
    return decided


def _worth(truth: npt.NDArray[np.int64], decided: npt.NDArray[np.bool_]) -> F1:
    both = [f1_score(truth, decided, average=average, zero_division=0.0) for average in ("binary", "macro")]
    return F1(*map(float, both))


@dataclass(frozen=True)
class _Scored:
    """The labelled images of one category."""

    default: float
    """The threshold that saw normal images only."""
    scores: list[float]
    labels: list[int]


def _scored(config: AnomalyConfig, truth: Path, labels: Mapping[str, int]) -> dict[str, _Scored]:
    """Each category's labelled scores; images that cannot be read are reported. Raises InputError where all are so."""
    fixed = isinstance(config.threshold, (float, dict))
    config = replace(
        config,
        data=replace(config.data, sample_submission=None, test_csv=truth, id_column=None),
        threshold="quantile" if fixed else config.threshold, save_images=None, save_maps=None,
    )  # fmt: skip
    pipeline = AnomalyPipeline(config, Runner(config.runner))
    unusable = []
    outcomes = list(pipeline(read_samples(config.data, pipeline.folders.tests)))
    found = {category: _Scored(fitted.threshold, [], []) for category, fitted in pipeline.fitted.items()}
    for outcome in outcomes:
        if outcome.result is None:
            unusable.append(outcome.error)
            continue
        own = found[pipeline.folders.category(outcome.item)]
        own.scores.append(outcome.result.score)
        own.labels.append(labels[outcome.item.id])
    if unusable:
        some = "; ".join(unusable[:SHOWN])
        print(f"{len(unusable)} of {len(labels)} labelled images are left out: {some}", file=sys.stderr)
    if len(unusable) == len(outcomes):
        raise InputError(f"expected images that {truth} labels and that can be read, found none")
    return found


def _sentence(choice: Choice) -> str:
    """Both thresholds with what they are worth, and which one the settings get."""
    said = f"normals only: {_said(choice.default, choice.of_default)}; best by the labels: "
    said += _said(choice.best, choice.of_best)
    if choice.out_of_fold is None:
        return f"{said}, but two images of each kind are needed to say what that is worth: the first is taken"
    said += f", out of fold F1 {choice.out_of_fold.f1:.3f}, macro-F1 {choice.out_of_fold.macro:.3f}: "
    return said + ("the second is taken" if choice.better else "the threshold of normals only is as good and is taken")


def _said(threshold: float, worth: F1) -> str:
    return f"threshold {threshold:.6g}, F1 {worth.f1:.3f}, macro-F1 {worth.macro:.3f}"
