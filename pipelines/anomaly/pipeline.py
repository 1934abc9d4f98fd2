"""Anomaly detection from normal images: fits on them, sets a threshold on them, scores the others."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from pipelines.anomaly.backbone import Option, load_backbone
from pipelines.anomaly.fitted import facts, load_fitted, save_fitted
from pipelines.anomaly.folders import Folders, read_folders
from pipelines.anomaly.heatmap import smooth, write_heatmap
from pipelines.anomaly.methods import FitConfig
from pipelines.anomaly.models import Anomaly, AnomalyDetector, Fitted, PatchExtractor, load_method
from pipelines.anomaly.threshold import out_of_fold, split, threshold
from pipelines.core.config import DataConfig, schema
from pipelines.core.errors import InputError
from pipelines.core.images import Sample, read_samples
from pipelines.core.runner import Outcome, Runner, RunnerConfig
from pipelines.core.submission import Row, check_writable

SHOWN = 3  # unreadable normal images that are named on the terminal; the run record has them all


@schema
class AnomalyConfig:
    """Settings of anomaly detection."""

    data: DataConfig
    checkpoint: str
    """The backbone's weights: a timm hub id, a folder, or a .safetensors file (then `backbone` names its network)."""
    normal: Path | None = None
    """Folder of normal images; without it data.images is an MVTec-like tree, of one category or several."""
    model: str = "patchcore"
    """`patchcore`, or `padim` where the object always lies in the same place."""
    backbone: str | None = None
    """timm's name of the network; without it the one that the checkpoint's config.json names."""
    backbone_options: dict[str, Option] = field(default_factory=dict)
    """What timm's create_model is given besides, such as {pad_type: same}."""
    strides: list[int] = field(default_factory=lambda: [8, 16])
    """Levels whose features are used, by their stride in pixels: one or more."""
    out_indices: list[int] | None = None
    """The levels by timm's index instead of their stride, for networks such as ViTs whose levels share one."""
    input_size: int | list[int] = 256
    """Pixels that pictures are squashed to: a square's side, or height and width."""
    mean: list[float] | None = None
    """Of the RGB channels (0 to 1); without it the checkpoint's own."""
    std: list[float] | None = None
    """Of the RGB channels (0 to 1); without it the checkpoint's own."""
    fit: FitConfig = FitConfig()
    folds: int = 5
    """Parts that the normal images are held out in, to set the threshold (2 or more)."""
    quantile: float = 0.95
    """Share of held-out normal images that the threshold lets pass (0 to 1)."""
    fitted: Path | None = None
    """Folder of a fitted model to score with; then no normal images are needed."""
    save_fitted: Path | None = None
    """Folder to keep the fitted model in."""
    save_images: Path | None = None
    """Folder to write heatmaps over the photos to."""
    runner: RunnerConfig = RunnerConfig()

    def __post_init__(self) -> None:
        sides = [self.input_size] if isinstance(self.input_size, int) else self.input_size
        if len(sides) not in (1, 2) or min(sides) < 32:
            raise ValueError(f"input_size is one or two sides of at least 32 pixels, not {self.input_size}")
        if not self.strides or self.out_indices == []:
            raise ValueError("strides and out_indices name at least one level")
        if any(values is not None and len(values) != 3 for values in (self.mean, self.std)):
            raise ValueError("mean and std have 3 values each")
        if self.folds < 2 or not 0 <= self.quantile <= 1:
            raise ValueError("folds is at least 2, and quantile from 0 to 1")
        if self.fitted and (self.normal or self.save_fitted):
            raise ValueError("fitted stands for a model that is fitted already: leave out normal and save_fitted")
        if self.save_images and self.save_images.resolve().is_relative_to(self.data.images.resolve()):
            raise ValueError("save_images lies in data.images, whose photos it would write over: name another folder")

    @property
    def size_hw(self) -> tuple[int, int]:
        """(height, width) of the network's input."""
        sides = [self.input_size] if isinstance(self.input_size, int) else self.input_size
        return sides[0], sides[-1]


def samples(config: AnomalyConfig) -> list[Sample]:
    """The images to score: in a tree those of its test folders, in the order of the CSV where one is given."""
    return read_samples(config.data, read_folders(config.data.images, config.normal, not config.fitted).tests)


class AnomalyPipeline:
    """Fits on the normal images when first called, unless a fitted model is given; then scores."""

    fields: Sequence[str] = ["label", "score"]

    def __init__(self, config: AnomalyConfig, runner: Runner) -> None:
        self.config, self.runner = config, runner
        self.folders: Folders = read_folders(config.data.images, config.normal, not config.fitted)
        self.backbone = load_backbone(
            config.checkpoint, config.backbone, strides=config.strides, out_indices=config.out_indices,
            size_hw=config.size_hw, mean=config.mean, std=config.std, options=config.backbone_options,
        )  # fmt: skip
        self.fitted: dict[str, Fitted] = {}
        if config.fitted:
            self.method, self.fitted = load_fitted(config.fitted, config.model, self.backbone, runner.device)
        else:
            self.method = load_method(config.model, config.fit, self.backbone)
        if config.save_fitted:
            check_writable(config.save_fitted / "fitted")
        self.extractor = PatchExtractor(self.backbone, self.method)
        self.unreadable: dict[str, str] = {}
        self.scores: dict[str, float] = {}

    def __call__(self, samples: Sequence[Sample]) -> Iterator[Outcome[Sample, Anomaly]]:
        """One Outcome per sample, in order; heatmaps are written as they come."""
        if not self.fitted:
            self.fit()
        detector = AnomalyDetector(self.extractor, self.fitted, self.folders.category)
        for outcome in self.runner.run(detector, samples, "score"):
            if outcome.result is not None:
                self.scores[outcome.item.id] = outcome.result.score
                self._draw(outcome.item, outcome.result)
            yield outcome

    def fit(self) -> None:
        """Fits every category and keeps it where `save_fitted` says. Raises InputError for too few normal images."""
        self.fitted = {category: self._fit(category, paths) for category, paths in self.folders.normals.items()}
        if self.config.save_fitted:
            save_fitted(self.config.save_fitted, self.config.model, self.config.fit, self.backbone, self.fitted)

    def rows(self, sample: Sample, result: Anomaly) -> list[Row]:
        """Label and raw score."""
        return [{"label": result.label, "score": result.score}]

    def blank(self, sample: Sample) -> list[Row]:
        """Normal, with the lowest score."""
        return [{"label": 0, "score": 0.0}]

    def record(self) -> Mapping[str, object]:
        """The backbone, what was fitted, each image's score, and the normal images that could not be read."""
        identity = dict(self.backbone.identity)
        return {
            "models": [{"checkpoint": self.config.checkpoint, "fingerprint": identity.pop("fingerprint"), **identity}],
            "method": self.config.model,
            "categories": {category: facts(fitted) for category, fitted in self.fitted.items()},
            "unreadable_normals": self.unreadable,
            "scores": self.scores,
        }

    def _fit(self, category: str, paths: Sequence[Path]) -> Fitted:
        """One category: its features once, then a model for each fold and one on all."""
        features = self._features(category, paths)
        folds = sum(1 for _ in split(len(features), self.config.folds, 0))
        device, seed = self.runner.device, self.config.fit.seed
        with tqdm(total=folds + 1, desc=f"fit {category}", disable=not self.config.runner.progress) as bar:

            def scoring(images: Sequence[Tensor]) -> Callable[[Tensor], float]:
                scorer = self.method.fit(images, device)
                bar.update()
                return lambda image: scorer(image).score

            with torch.inference_mode():
                held_out = out_of_fold(features, scoring, self.config.folds, seed)
                scorer = self.method.fit(features, device)
            bar.update()
        return Fitted(scorer, threshold(held_out, self.config.quantile), len(features), held_out)

    def _features(self, category: str, paths: Sequence[Path]) -> list[Tensor]:
        """The patch features (H, W, D) of the normal images that can be read, on the CPU; the others are reported."""
        normals = [Sample(path.as_posix(), path) for path in paths]
        features, unreadable = [], {}
        for outcome in self.runner.run(self.extractor, normals, f"features {category}"):
            if outcome.result is None:
                unreadable[outcome.item.id] = outcome.error
            else:
                features.append(outcome.result)
        self.unreadable |= unreadable
        if unreadable:
            some = "; ".join(list(unreadable.values())[:SHOWN])
            print(f"{len(unreadable)} of {len(paths)} normal images ({category}) are left out: {some}", file=sys.stderr)
        if len(features) < 2:
            raise InputError(f"expected at least 2 normal images of {category} that can be read, found {len(features)}")
        return features

    def _draw(self, sample: Sample, result: Anomaly) -> None:
        if self.config.save_images is None or result.map is None:
            return
        name = sample.path.relative_to(self.config.data.images)
        if name.suffix.lower() not in (".jpg", ".jpeg"):
            name = name.with_name(f"{name.name}.jpg")
        own = self.fitted[self.folders.category(sample)].threshold
        write_heatmap(self.config.save_images / name, sample.path, smooth(result.map, self.config.size_hw), own)
