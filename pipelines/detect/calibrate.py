"""Finds the score threshold and the NMS that count best on photos whose counts are known, and what that is worth."""

import math
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import yaml
from pydantic import TypeAdapter

from pipelines.core.config import schema
from pipelines.core.errors import InputError
from pipelines.core.images.samples import Sample
from pipelines.core.networks.checkpoints import resolve
from pipelines.core.places import OutputFile, Written
from pipelines.core.running.runner import Runner
from pipelines.core.submission.schema import read_schema
from pipelines.core.submission.truth import joined, read_frame
from pipelines.core.submission.writing import check_writable, write_whole
from pipelines.core.table import print_table
from pipelines.detect.boxes.counting import frames, suppress
from pipelines.detect.boxes.detections import Detections
from pipelines.detect.evaluate import Counts, to_counts
from pipelines.detect.pipeline import DetectPipeline, settled
from pipelines.detect.settings import DetectConfig, fields, samples

HIGHEST, STEP = 0.95, 0.01  # of the score thresholds that are tried
IOUS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)  # tried beside the settings' own; at 1 nothing is suppressed
SHOWN = 0.05  # between the thresholds of the table

CalibratedFile = Annotated[Path, Written(beside=lambda path: {"the picture": path.with_suffix(".png")})]
Metric = Literal["mae", "rmse", "exact"]
Costs = npt.NDArray[np.float64]


@schema
class DetectCalibration:
    """The settings of the calibration of counts; those of the detect task come beside them."""

    truth: Path
    """CSV with the true counts: the columns of a submission, and as many of its ids as were counted by hand."""
    metric: Metric = "mae"
    """What is to be best: `mae`, `rmse` (which fears the large errors), or `exact` (the share of exact counts)."""
    folds: int = 5
    """Parts of the photos (2 or more), each judged with what was chosen on the others."""
    lowest: float = 0.05
    """The lowest score threshold tried (0 to 0.95); the detector runs once, at this one."""
    settings_out: CalibratedFile = Path("submissions/detect_calibrated.yaml")
    """Settings file to write: the one given, with the better `box_threshold` and `nms_iou`."""
    plot: OutputFile | None = None
    """Picture of the curves; without it beside the settings file, ending in .png."""

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise ValueError(f"folds is 2 or more, not {self.folds}")
        if not 0 <= self.lowest <= HIGHEST:
            raise ValueError(f"lowest is 0 to {HIGHEST}, not {self.lowest}")


@dataclass(frozen=True)
class Setting:
    """What is calibrated: a box counts above the threshold, and drops worse ones of a larger IoU."""

    box_threshold: float
    nms_iou: float


@dataclass(frozen=True)
class Sweep:
    """What each setting of a grid costs on each photo; the lower the better."""

    metric: Metric
    thresholds: Sequence[float]
    ious: Sequence[float]
    default: Setting
    """The setting to beat; it is one of the grid."""
    costs: Costs
    """(photos, IoUs, thresholds): of a photo's cells the mean absolute error (mae), its square (rmse), or the share
    that is not exact."""

    def of(self, setting: Setting) -> Costs:
        """(photos,): what a setting of the grid costs."""
        costs: Costs = self.costs[:, self.ious.index(setting.nms_iou), self.thresholds.index(setting.box_threshold)]
        return costs

    def best(self, photos: npt.NDArray[np.bool_] | None = None) -> Setting:
        """The setting that costs least on the photos, or on those where the mask is True.

        Of those that tie it is the default; else, with the IoU next to the default's, the middle one of the thresholds.
        """
        costs = (self.costs if photos is None else self.costs[photos]).mean(axis=0)
        tied = np.isclose(costs, costs.min(), rtol=1e-9, atol=1e-12)
        if tied[self.ious.index(self.default.nms_iou), self.thresholds.index(self.default.box_threshold)]:
            return self.default
        rows: list[int] = np.flatnonzero(tied.any(axis=1)).tolist()
        row = min(rows, key=lambda row: abs(self.ious[row] - self.default.nms_iou))
        columns: list[int] = np.flatnonzero(tied[row]).tolist()
        return Setting(self.thresholds[columns[len(columns) // 2]], self.ious[row])

    def out_of_fold(self, folds: int) -> Costs:
        """(photos,): what each photo costs with what is best on the other folds, which a fixed seed draws."""
        fold = np.random.default_rng(0).permutation(len(self.costs)) % folds
        held = np.empty(len(self.costs))
        for number in range(folds):
            here = fold == number
            held[here] = self.of(self.best(~here))[here]
        return held

    def value(self, costs: Costs) -> float:
        """The metric over photos of these costs."""
        mean = float(costs.mean())
        return {"mae": mean, "rmse": math.sqrt(mean), "exact": 1 - mean}[self.metric]


@dataclass(frozen=True)
class Calibrated:
    """What a calibration found."""

    default: Setting
    default_value: float
    chosen: Setting
    """The best on all photos."""
    chosen_value: float
    """On the very photos that chose it, hence too good."""
    honest_value: float
    """Each photo with what the other folds chose: what choosing is worth on new photos."""
    kept: Setting
    """`chosen` where choosing beats the default on photos that had no say, else the default."""
    photos: int
    saturated: int
    """Photos with a box in every slot of the detector at `kept`: their counts are lower bounds."""


def calibrate(config: DetectConfig, settings: DetectCalibration) -> Calibrated:
    """Detects once at a low threshold, tries every setting on what was found, and writes the better settings.

    Raises InputError for a truth that does not fit the photos or prompts, else what a run of the task raises.
    """
    plot = settings.plot or settings.settings_out.with_suffix(".png")
    for path in (settings.settings_out, plot):
        check_writable(path)
    tried = [round(float(value), 2) for value in np.arange(settings.lowest, HIGHEST + STEP / 2, STEP)]
    photos, truth = _labelled(config, settings.truth)
    default = Setting(settled(config, resolve(config.checkpoint))[1], config.nms_iou)
    thresholds, ious = sorted({*tried, default.box_threshold}), sorted({*IOUS, default.nms_iou})
    low = replace(config, box_threshold=thresholds[0], boxes=None, save_images=None)
    pipeline = DetectPipeline(low, Runner(config.runner))
    sources = read_schema(config.data, fields(config)).sources
    if lacking := [column for column in sources if column not in truth.columns]:
        raise InputError(
            f"expected the columns {', '.join(sources)} in {settings.truth}, found no {', '.join(lacking)}; it has the "
            "columns of a submission"
        )
    places = [pipeline.places[list(pipeline.fields).index(field)] for field in sources.values()]
    costs, full_above = [], []
    for outcome, expected in zip(pipeline.detect(photos), to_counts(truth[list(sources)]), strict=True):
        if outcome.result is None:
            print(f"{outcome.item.id} is left out: {outcome.error}", file=sys.stderr)
            continue
        said = sweep_counts(outcome.result, places, thresholds, ious, config.nms_across_classes, config.drop_groups)
        costs.append(cost(said, expected, settings.metric))
        full_above.append(outcome.result.full_above)
    if len(costs) < settings.folds:
        raise InputError(
            f"expected a photo a fold at least ({settings.folds}), found {len(costs)} that {settings.truth} counts and "
            "that can be read; give fewer --folds"
        )
    sweep = Sweep(settings.metric, thresholds, ious, default, np.stack(costs))
    found = judge(sweep, settings.folds, full_above)
    _show(sweep, found, settings.folds)
    draw_curves(sweep, found, plot)
    _write(config, found, settings, plot)
    return found


def sweep_counts(
    found: Detections,
    places: Sequence[int],
    thresholds: Sequence[float],
    ious: Sequence[float],
    across_classes: bool,
    drop_groups: bool = True,
) -> Counts:
    """(IoUs, thresholds, places): how many boxes of the class at each of `places` each setting counts.

    Greedy NMS looks at the better boxes alone, so that it may come before any threshold: one an IoU is enough.
    """
    counts = []
    for iou in ious:
        left = suppress(found, iou, across_classes, drop_groups=False)
        above = left.scores[:, None] > torch.tensor(thresholds)  # float32, as the detectors compare
        if drop_groups:
            above &= ~frames(left, torch.tensor(thresholds)).T
        asked = left.class_ids[:, None] == torch.tensor(places)
        counts.append(above.double().T @ asked.double())
    swept: Counts = torch.stack(counts).numpy()
    return swept


def cost(said: Counts, expected: Counts, metric: Metric) -> Costs:
    """What counts (..., columns) of a photo cost where `expected` (columns,) is true: (...,), see `Sweep.costs`."""
    errors = np.abs(said - expected)
    costs: Costs = {"mae": errors, "rmse": errors**2, "exact": errors != 0}[metric].mean(axis=-1)
    return costs


def judge(sweep: Sweep, folds: int, full_above: Sequence[float]) -> Calibrated:
    """What the sweep says, with `full_above` of each photo's Detections."""
    chosen = sweep.best()
    by_default, held = sweep.of(sweep.default), sweep.out_of_fold(folds)
    kept = chosen if held.mean() < by_default.mean() - 1e-12 else sweep.default
    return Calibrated(
        sweep.default,
        sweep.value(by_default),
        chosen,
        sweep.value(sweep.of(chosen)),
        sweep.value(held),
        kept,
        len(held),
        sum(score > kept.box_threshold for score in full_above),
    )


def draw_curves(sweep: Sweep, found: Calibrated, path: Path) -> None:
    """Draws the metric over the threshold, a curve an IoU, with the default and the chosen setting."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for row, iou in enumerate(sweep.ious):
        values = [sweep.value(costs) for costs in sweep.costs[:, row].T]
        own = iou == found.chosen.nms_iou
        axes.plot(sweep.thresholds, values, label=_iou(iou), linewidth=2.5 if own else 1, alpha=1 if own else 0.6)
    for name, setting, mark in (("default", found.default, "o"), ("chosen", found.chosen, "*")):
        value = sweep.value(sweep.of(setting))
        label = f"{name}: {setting.box_threshold:g}, {_iou(setting.nms_iou)}"
        axes.plot(setting.box_threshold, value, mark, color="black", markersize=11, fillstyle="none", label=label)
    axes.set(xlabel="box_threshold", ylabel=sweep.metric, title=f"{sweep.metric} of {found.photos} photos")
    axes.legend(title="NMS", fontsize="small")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def _labelled(config: DetectConfig, path: Path) -> tuple[list[Sample], pd.DataFrame]:
    """The photos that the truth counts, in its order, and the truth by their ids in NFC."""
    table = read_frame(path)
    _, truth = joined(table, table, (str(path), str(path)))
    by_id = {unicodedata.normalize("NFC", sample.id): sample for sample in samples(config)}
    unknown = [key for key in truth.index if key not in by_id]
    if unknown:
        raise InputError(
            f"expected ids of the run's photos in {path}, found {len(unknown)} others, such as {unknown[0]!r}; the run "
            f"has {next(iter(by_id))!r}"
        )
    return [by_id[key] for key in truth.index], truth


def _show(sweep: Sweep, found: Calibrated, folds: int) -> None:
    """The curve as a table of some thresholds, the default against the chosen setting, and which of them is better."""
    marked = {found.default: "o", found.chosen: "*"}
    steps = {step for step in sweep.thresholds if abs(step / SHOWN - round(step / SHOWN)) < 1e-6}
    rows = [(f"{sweep.metric}", *map(_iou, sweep.ious))]
    for threshold in sorted(steps | {setting.box_threshold for setting in marked}):
        settings = [Setting(threshold, iou) for iou in sweep.ious]
        cells = [f"{sweep.value(sweep.of(setting)):.4g}{marked.get(setting, '')}" for setting in settings]
        rows.append((f"> {threshold:g}", *cells))
    print_table(rows)
    print()
    scores = (
        ("default (o)", found.default, found.default_value, found.default_value),
        ("chosen (*)", found.chosen, found.chosen_value, found.honest_value),
    )
    print_table(
        [
            (f"{found.photos} photos", "box_threshold", "nms_iou", sweep.metric, f"out of {folds} folds"),
            *(
                (name, f"{setting.box_threshold:g}", f"{setting.nms_iou:g}", f"{value:.4g}", f"{honest:.4g}")
                for name, setting, value, honest in scores
            ),
        ]
    )
    if found.kept == found.default:
        print("the default stays: on photos that had no say in it, no other choice counts better")
    else:
        print(f"the chosen setting counts better than the default: {found.honest_value:.4g} on photos without a say")
    if found.saturated:
        print(
            f"{found.saturated} of {found.photos} photos have a box in every slot of the detector above "
            f"{found.kept.box_threshold:g}: their counts are lower bounds"
        )
    else:
        print(f"no photo has a box in every slot of the detector above {found.kept.box_threshold:g}")


def _write(config: DetectConfig, found: Calibrated, settings: DetectCalibration, plot: Path) -> None:
    """Writes the settings, of which the kept ones replace the given."""
    kept = replace(config, box_threshold=found.kept.box_threshold, nms_iou=found.kept.nms_iou)
    keys = TypeAdapter(DetectConfig).dump_python(kept, mode="json")
    title = f"# box_threshold and nms_iou for the {settings.metric} on {found.photos} photos of {settings.truth}\n"
    write_whole(settings.settings_out, title + yaml.safe_dump(keys, allow_unicode=True, sort_keys=False))
    print(
        f"{settings.settings_out}: box_threshold {found.kept.box_threshold:g}, nms_iou {found.kept.nms_iou:g}; "
        f"the curves are in {plot}"
    )


def _iou(iou: float) -> str:
    return "no NMS" if iou == 1 else f"IoU {iou:g}"
