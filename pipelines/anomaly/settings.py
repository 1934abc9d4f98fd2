"""The settings of anomaly detection, and what they alone say of a run."""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import ClassVar, Literal

from pipelines.anomaly.folders import Folders, read_folders
from pipelines.anomaly.models import METHODS
from pipelines.core.config import DataConfig, schema
from pipelines.core.images.samples import Sample, read_samples
from pipelines.core.model import AUTO, Models
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.schema import Kind

Option = str | int | float | bool
"""What an option of a network may be."""


@schema
class FitConfig:
    """How a method is fitted on the features of normal images."""

    coreset: float = 0.1
    """PatchCore: the share of all normal patches that the bank keeps (above 0, to 1)."""
    most: int = 50_000
    """PatchCore: patches that the bank keeps at most; it chooses from 20 times as many, as many of each image."""
    neighbours: int = 9
    """PatchCore: patches of the bank by which an image's score is weighted; 1 is no weighting."""
    dimensions: int = 100
    """PaDiM: feature channels that are kept, drawn at random."""
    seed: int = 0
    """Of every random choice: the coreset's first patch, PaDiM's channels, the folds of the threshold."""

    def __post_init__(self) -> None:
        if not 0 < self.coreset <= 1:
            raise ValueError(f"coreset is above 0 and at most 1, not {self.coreset}")
        if min(self.most, self.neighbours, self.dimensions) < 1:
            raise ValueError("most, neighbours and dimensions are at least 1")


@schema
class AnomalyConfig:
    """Settings of anomaly detection."""

    models: ClassVar[Mapping[str, Models]] = {"model": METHODS}
    data: DataConfig
    checkpoint: str
    """The backbone's weights: a timm hub id, a folder, or a .safetensors file (then `backbone` names its network)."""
    normal: Path | None = None
    """Folder of normal images; without it data.images is an MVTec-like tree, of one category or several."""
    model: str = AUTO
    """The method, or `auto`: that of `fitted`, else patchcore. Any method runs on any backbone."""
    backbone: str | None = None
    """timm's name of the network; without it the one that the checkpoint's config.json names."""
    backbone_options: dict[str, Option] = field(default_factory=dict)
    """What timm's create_model is given besides, such as {pad_type: same}."""
    strides: list[int] | None = None
    """Levels whose features are used, by their stride in pixels: one or more. Without it and `out_indices` 8 and 16,
    or middle levels of a network that has one stride only, such as a ViT."""
    out_indices: list[int] | None = None
    """The levels by timm's index instead of their stride, for networks such as ViTs whose levels share one."""
    input_size: int | list[int] | None = None
    """Pixels that pictures are squashed to: a square's side, or height and width, rounded to a multiple of the
    network's patch. Without it 256, or the nearest multiple (252 for a patch of 14); with `fitted`, as it was then."""
    mean: list[float] | None = None
    """Of the RGB channels (0 to 1); without it the checkpoint's own."""
    std: list[float] | None = None
    """Of the RGB channels (0 to 1); without it the checkpoint's own."""
    fit: FitConfig = FitConfig()
    folds: int = 5
    """Parts that the normal images are held out in, to set the threshold (2 or more)."""
    threshold: Literal["quantile", "rate"] | float | dict[str, float] | None = None
    """What score `label` begins above: that of `quantile` or of `rate` (see false_positive_rate) of held-out normal
    images, or a number, or one for each category such as {bottle: 1.5}. Without it `quantile`, or with `fitted` the
    threshold that was saved."""
    quantile: float = 0.95
    """Share of held-out normal images that the threshold lets pass (0 to 1)."""
    false_positive_rate: float = 0.05
    """With `threshold: rate`: the share of new normal images that may be called anomalous (above 0, below 1)."""
    fitted: Path | None = None
    """Folder of a fitted model to score with; then no normal images are needed."""
    save_fitted: Path | None = None
    """Folder to keep the fitted model in."""
    save_images: Path | None = None
    """Folder to write heatmaps over the photos to."""
    save_maps: Path | None = None
    """Folder to write the smoothed scores of the pixels to: float32 .npy of the input's size, named as the images."""
    runner: RunnerConfig = RunnerConfig()

    def __post_init__(self) -> None:
        if self.input_size is not None and (len(self._sides) not in (1, 2) or min(self._sides) < 32):
            raise ValueError(f"input_size is one or two sides of at least 32 pixels, not {self.input_size}")
        if [] in (self.strides, self.out_indices):
            raise ValueError("strides and out_indices name at least one level")
        if any(values is not None and len(values) != 3 for values in (self.mean, self.std)):
            raise ValueError("mean and std have 3 values each")
        if self.folds < 2 or not 0 <= self.quantile <= 1:
            raise ValueError("folds is at least 2, and quantile from 0 to 1")
        if not 0 < self.false_positive_rate < 1:
            raise ValueError(f"false_positive_rate is above 0 and below 1, not {self.false_positive_rate}")
        if self.fitted and (self.normal or self.save_fitted):
            raise ValueError("fitted stands for a model that is fitted already: leave out normal and save_fitted")
        if self.save_images and self.save_images.resolve().is_relative_to(self.data.images.resolve()):
            raise ValueError("save_images lies in data.images, whose photos it would write over: name another folder")

    @property
    def size_hw(self) -> tuple[int, int] | None:
        """(height, width) in pixels of the network's input, as `input_size` has it."""
        return None if self.input_size is None else (self._sides[0], self._sides[-1])

    @property
    def _sides(self) -> list[int]:
        return self.input_size if isinstance(self.input_size, list) else [self.input_size or 0]


def fields(config: AnomalyConfig) -> Mapping[str, Kind]:
    """What the rows hold: label and raw score."""
    return {"label": "label", "score": "score"}


def samples(config: AnomalyConfig) -> list[Sample]:
    """The images to score: in a tree those of its test folders, in the order of the CSV where one is given."""
    return read_samples(config.data, folders(config).tests)


def folders(config: AnomalyConfig) -> Folders:
    """The images of a run. Raises InputError."""
    data = config.data
    return read_folders(data.images, config.normal, not config.fitted, data.ignore, data.white)
