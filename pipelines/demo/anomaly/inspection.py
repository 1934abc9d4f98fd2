"""Holds photos against a model of normal ones: takes the kept model, or fits it and keeps it, and scores by it."""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from pipelines.core.errors import CheckpointError, SubmissionError
from pipelines.core.images.folders import list_images
from pipelines.core.images.samples import Sample
from pipelines.demo.language import say
from pipelines.demo.working import reason_of

if TYPE_CHECKING:  # they import torch
    from pipelines.anomaly.models.detector import Anomaly
    from pipelines.anomaly.pipeline import AnomalyPipeline
    from pipelines.anomaly.settings import AnomalyConfig
    from pipelines.core.running.runner import Runner

DESCRIPTION = "fitted.json"  # of a kept model, as pipelines.anomaly.fitted writes it; importing that takes seconds
NORMAL, TEST = "train/good", "test"  # folders of a category in MVTec AD's layout
WHOLE = "all"  # the category of normal photos that are of one kind
EXAMPLES_OF_A_KIND = 2


@dataclass(frozen=True)
class Model:
    """What photos are held against."""

    folder: Path
    """Where it is kept once it is fitted."""
    category: str = WHOLE
    """Which of the kept categories."""
    normals: Sequence[Sample] = ()
    """What it is fitted on where `folder` has no such model; empty where it has to be there."""
    method: str | None = None
    """By which it was fitted; None is the one that the settings name."""

    @property
    def key(self) -> str:
        """Its own among all models."""
        return f"{self.folder}/{self.category}"

    @property
    def kept(self) -> bool:
        """Whether its folder holds a fitted model, of whatever settings."""
        return (self.folder / DESCRIPTION).is_file()


@dataclass
class Inspection:
    """What a model says of photos; it fills as they come."""

    model: Model
    size_hw: tuple[int, int] = (0, 0)
    """Of the network's input."""
    threshold: float = 0.0
    """Above this score a photo is anomalous, by the normal ones."""
    held_out: Sequence[float] = ()
    """Scores of the normal photos, each by a model that never saw it."""
    found: "list[tuple[Sample, Anomaly]]" = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Name -> why a photo has no score."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Name -> why a normal photo was not learned from."""

    def worst_first(self) -> "list[tuple[Sample, Anomaly]]":
        """What was found, the highest score first."""
        return sorted(self.found, key=lambda pair: -pair[1].score)

    def submission(self, threshold: float) -> pd.DataFrame:
        """The rows that `python -m pipelines anomaly` writes with that threshold: by name, blank where one failed."""
        rows = {sample.id: (int(anomaly.score > threshold), anomaly.score) for sample, anomaly in self.found}
        rows |= dict.fromkeys(self.failed, (0, 0.0))
        lines = [(name, label, f"{score:.6f}") for name, (label, score) in sorted(rows.items())]
        return pd.DataFrame(lines, columns=["image", "label", "score"])


def example_models(samples: Path, fitted: Path) -> list[Model]:
    """One for each bundled category with normal photos; its test photos are `example_photos`."""
    categories = [path.parent.parent for path in sorted(samples.glob(f"*/{NORMAL}"), reverse=True)]  # weave first
    return [
        Model(fitted / each.name, each.name, [Sample(path.name, path) for path in list_images(each / NORMAL)])
        for each in categories
    ]


def example_photos(category: Path) -> list[Sample]:
    """Some bundled test photos of each kind, good and bad; none where there is no such category."""
    kinds = sorted(path for path in (category / TEST).glob("*") if path.is_dir())
    paths = [path for kind in kinds for path in list_images(kind)[:EXAMPLES_OF_A_KIND]]
    return [Sample(path.relative_to(category / TEST).as_posix(), path) for path in paths]


def kept_models(folder: Path) -> list[Model]:
    """The fitted models in the subfolders of `folder`, one for each of their categories; what is damaged is not."""
    models = []
    for path in sorted(folder.glob(f"*/{DESCRIPTION}")):
        with suppress(OSError, ValueError, LookupError, TypeError):
            description = json.loads(path.read_text(encoding="utf-8"))
            names = [str(category["name"]) for category in description["categories"]]
            models += [Model(path.parent, name, method=str(description["model"])) for name in names]
    return models


def own_model(normals: Sequence[Sample], folder: Path) -> Model:
    """The model of a visitor's normal photos: the same photos have the same place in `folder`."""
    paths = "\n".join(sorted(sample.path.as_posix() for sample in normals))
    return Model(folder / f"fitted-{hashlib.sha256(paths.encode()).hexdigest()[:16]}", normals=normals)


def inspect(
    photos: Sequence[Sample], config: "AnomalyConfig", runner: "Runner", folder: Path, inspection: Inspection
) -> None:
    """Fills the inspection with what its model says of the photos, by their names; works in a part of `folder`.

    Raises SuiteError, such as for fewer than two normal photos that can be read.
    """
    model = inspection.model
    with TemporaryDirectory(dir=folder, prefix="inspection-") as place:
        tree = Path(place) / "tree"
        normals = _linked(model.normals, tree / model.category / NORMAL)
        tests = _linked(photos, tree / model.category / TEST)
        pipeline = _pipeline(model, _settings(config, tree), runner)
        names = {linked.path.as_posix(): linked.id for linked in normals}
        inspection.left_out |= {
            names[path]: error.replace(path, names[path]) for path, error in pipeline.unreadable.items()
        }
        fitted = pipeline.fitted[model.category]
        inspection.size_hw = pipeline.backbone.size_hw
        inspection.threshold, inspection.held_out = fitted.threshold, fitted.held_out
        originals = {sample.id: sample for sample in photos}
        for outcome in pipeline(tests):
            if outcome.result is None:
                inspection.failed[outcome.item.id] = reason_of(outcome)
            else:
                inspection.found.append((originals[outcome.item.id], outcome.result))


def likelihood(p_value: float, normals: int) -> str:
    """A p-value in words: how many of 100 normal photos score as high, as far as `normals` of them can tell."""
    if p_value * (normals + 1) < 1.5:  # no normal photo scored as high
        most = math.ceil(100 * p_value)
        return say(
            f"정상 사진 {normals}장 가운데 이만큼 높은 것은 없었습니다. 정상 사진 100장이라면 많아야 {most}장쯤입니다.",
            f"None of the {normals} normal photos scored as high; of 100 normal ones, some {most} at most would.",
        )
    share = round(100 * p_value)
    return say(
        f"정상 사진 100장 중 {share}장쯤이 이만큼 높은 점수를 받습니다.",
        f"Of 100 normal photos, some {share} score as high as this.",
    )


def _linked(samples: Iterable[Sample], folder: Path) -> list[Sample]:
    """The samples, by name, each by a link in `folder`: uploads have no endings, by which folders are listed.

    The links sort as the names do, since the order of normal photos decides in which part each is held out.
    """
    folder.mkdir(parents=True)
    linked = []
    for index, sample in enumerate(sorted(samples, key=lambda sample: sample.id)):
        path = folder / f"{index:06}.jpg"  # whatever its format: decoding looks inside
        path.symlink_to(sample.path.resolve())
        linked.append(Sample(sample.id, path))
    return linked


def _settings(config: "AnomalyConfig", tree: Path) -> "AnomalyConfig":
    """The task's settings for photos at `tree`, which write nothing, and without thresholds of other photos."""
    return replace(
        config,
        data=replace(config.data, images=tree, sample_submission=None, test_csv=None, id_column=None, columns=None),
        normal=None, fitted=None, save_fitted=None, save_images=None, save_maps=None,
        threshold=config.threshold if isinstance(config.threshold, str) else None,
        runner=replace(config.runner, progress=False),
    )  # fmt: skip


def _pipeline(model: Model, config: "AnomalyConfig", runner: "Runner") -> "AnomalyPipeline":
    """The pipeline with its model: the kept one, or where that cannot be used the one of the normal photos."""
    from pipelines.anomaly.pipeline import AnomalyPipeline

    try:
        pipeline = AnomalyPipeline(replace(config, fitted=model.folder, model=model.method or config.model), runner)
        if model.category not in pipeline.fitted:
            raise CheckpointError(
                f"expected the category {model.category} in {model.folder}, found {', '.join(pipeline.fitted)}; fit it "
                "again"
            )
        return pipeline
    except CheckpointError:
        if not model.normals:
            raise
    pipeline = AnomalyPipeline(config, runner)
    pipeline.fit()
    _keep(pipeline, model.folder)
    return pipeline


def _keep(pipeline: "AnomalyPipeline", folder: Path) -> None:
    """Keeps what was fitted for the next visit, whole or not at all; where that cannot be written, that one fits again.

    It is renamed into its place, so that of two visitors who fit the same, neither sees the other's half.
    """
    from pipelines.anomaly.fitted import save_fitted

    config = pipeline.config
    with suppress(OSError, SubmissionError):  # OSError too where another was first between the two renamings
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=".fitting-") as place:
            new, old = Path(place) / "new", Path(place) / "old"
            save_fitted(new, config.model, config.fit, pipeline.backbone, pipeline.fitted)
            with suppress(FileNotFoundError):
                folder.rename(old)
            new.rename(folder)
