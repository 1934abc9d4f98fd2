"""Loads a timm network as a feature extractor, with what it wants of a picture and what tells it from any other."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from timm.models import PretrainedCfg
from torch import Tensor, nn

from pipelines.anomaly.convolutions import fuse
from pipelines.anomaly.settings import Option
from pipelines.core.checkpoints import WEIGHTS, file_hash, resolve
from pipelines.core.errors import CheckpointError
from pipelines.core.preprocess import PreprocessSpec, spec_of_timm

REFUSALS = (RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, SafetensorError, OSError)
CREATION_SEEDS = (0, 1)


@dataclass(frozen=True)
class Backbone:
    """A timm network that gives feature maps of some of its levels."""

    module: nn.Module
    name: str
    """timm's name of the architecture."""
    out_indices: Sequence[int]
    """Which of its levels it gives, shallow to deep."""
    spec: PreprocessSpec
    identity: Mapping[str, Any]
    """What its features depend on, as JSON has it: two backbones of equal identity give equal features."""

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Normalised images (B, 3, h, w) -> one map (B, C, H, W) a level, in the network's dtype."""
        maps: list[Tensor] = self.module(images)
        if str(getattr(self.module, "output_fmt", "")).endswith("NHWC"):  # Swin and its kin
            maps = [level.permute(0, 3, 1, 2) for level in maps]
        return maps


def load_backbone(
    checkpoint: str,
    name: str | None = None,
    *,
    strides: Sequence[int] = (8, 16),
    out_indices: Sequence[int] | None = None,
    size_hw: tuple[int, int] = (256, 256),
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    options: Mapping[str, Option] | None = None,
) -> Backbone:
    """The network of `checkpoint`: a hub id, a folder with config.json, or a .safetensors file beside timm's `name`.

    Its levels are those of `strides` (the deepest of each), or `out_indices` as timm counts them. Pictures are
    squashed to `size_hw` pixels, so that nothing at a border is lost; mean and std are the checkpoint's unless given.
    Raises CheckpointError where the architecture, its levels or its weights are not what was asked for.
    """
    weights, config = _source(checkpoint, name)
    architecture = name or str(config["architecture"])
    given = {**config.get("model_args", {}), **(options or {})}
    known = {entry.name for entry in fields(PretrainedCfg)}
    overlay = {key: value for key, value in config.get("pretrained_cfg", {}).items() if key in known}
    overlay |= {"source": "", "file": str(weights), "input_size": (3, *size_hw)}
    build = _Build(architecture, overlay, given, weights)
    indices = sorted(out_indices) if out_indices is not None else build.indices(strides)
    plain = build.loaded(indices)
    spec = _spec(plain.pretrained_cfg, size_hw, mean, std)
    module = fuse(plain, torch.rand(1, 3, *size_hw, dtype=torch.float32, generator=torch.Generator().manual_seed(0)))
    identity = {
        "backbone": architecture,
        "options": dict(options or {}),
        "out_indices": list(indices),
        "input_size": list(size_hw),
        "mean": list(spec.mean),
        "std": list(spec.std),
        "interpolation": spec.interpolation,
        "fingerprint": file_hash(weights).hexdigest()[:16],
    }
    return Backbone(module, architecture, indices, spec, identity)


@dataclass(frozen=True)
class _Build:
    """All that timm needs to make one network."""

    name: str
    overlay: Mapping[str, Any]
    options: Mapping[str, Any]
    weights: Path

    def indices(self, strides: Sequence[int]) -> list[int]:
        """The deepest level of each stride."""
        info = self._network(pretrained=False).feature_info
        found = dict(zip(info.reduction(), info.out_indices, strict=True))
        missing = [stride for stride in strides if stride not in found]
        if missing:
            raise CheckpointError(
                f"expected levels of the strides {list(strides)} in {self.name}, found none of {missing}; it has "
                f"{list(found)}"
            )
        return sorted(found[stride] for stride in strides)

    def loaded(self, indices: Sequence[int]) -> Any:  # noqa: ANN401 - a module of timm's, with its own attributes
        """The network with its weights. Raises CheckpointError where the file lacks some of them."""
        network, other = (self._network(seed=seed, out_indices=tuple(indices)) for seed in CREATION_SEEDS)
        # What the file lacks, timm leaves at random numbers with a line in the log: there two seeds differ.
        twins = zip(network.named_parameters(), other.named_parameters(), strict=True)
        missing = [name for (name, value), (_, twin) in twins if not torch.equal(value, twin)]
        if missing:
            raise CheckpointError(
                f"expected all weights of {self.name} in {self.weights}, found {len(missing)} missing, such as "
                f"{missing[0]}; the file is of another architecture or incomplete"
            )
        return network.eval().to(memory_format=torch.channels_last)  # convolutions are faster so, on CPU and GPU

    def _network(self, pretrained: bool = True, seed: int = 0, **settings: object) -> Any:  # noqa: ANN401 - timm's
        try:
            with torch.random.fork_rng(devices=[]), _quiet():
                torch.manual_seed(seed)
                return timm.create_model(
                    self.name, pretrained=pretrained, pretrained_cfg_overlay=dict(self.overlay), features_only=True,
                    **{**self.options, **settings},
                )  # fmt: skip
        except REFUSALS as error:
            raise CheckpointError(
                f"expected a timm network {self.name} with the weights {self.weights}, but it does not load: "
                f"{' '.join(str(error).split())[:300]}"
            ) from None


def _source(checkpoint: str, name: str | None) -> tuple[Path, Mapping[str, Any]]:
    """The weights' file, and the checkpoint's config.json where it is more than a file."""
    path = Path(checkpoint).expanduser()
    if path.is_file():
        if path.suffix != ".safetensors":
            raise CheckpointError(f"expected a .safetensors file or a checkpoint folder, found {path}")
        if name is None:
            raise CheckpointError(
                f"expected the timm name of the network whose weights {path} holds; give it as `backbone`"
            )
        return path, {}
    folder = resolve(checkpoint)
    config: Mapping[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if name is None and not isinstance(config.get("architecture"), str):
        raise CheckpointError(
            f"expected timm's `architecture` in {folder / 'config.json'}, found none; name a timm checkpoint, or the "
            "network as `backbone`"
        )
    weights = folder / "model.safetensors"
    return weights if weights.is_file() else sorted(folder.glob(WEIGHTS))[0], config


def _spec(
    config: Mapping[str, Any], size_hw: tuple[int, int], mean: Sequence[float] | None, std: Sequence[float] | None
) -> PreprocessSpec:
    squash = {"input_size": (3, *size_hw), "crop_mode": "squash", "crop_pct": 1.0}
    own = {key: config.get(key) for key in ("mean", "std", "interpolation")}
    own |= {key: value for key, value in (("mean", mean), ("std", std)) if value is not None}
    return spec_of_timm({**own, **squash})


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps timm from listing the keys of the layers behind the last level: they are not missed."""
    logger = logging.getLogger("timm")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
