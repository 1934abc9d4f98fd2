"""Loads a timm network as a feature extractor, with what it wants of a picture and what tells it from any other."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from timm.models import PretrainedCfg
from torch import Tensor, nn

from pipelines.anomaly.models.features.convolutions import fuse
from pipelines.anomaly.models.features.levels import Reading, choose
from pipelines.anomaly.models.features.network import Network
from pipelines.core.errors import CheckpointError
from pipelines.core.images.preprocess import PreprocessSpec, spec_of_timm
from pipelines.core.networks.checkpoints import file_hash, resolve, weights_of

if TYPE_CHECKING:
    from pipelines.anomaly.settings import Option

SIZES = {384: "small", 768: "base", 1024: "large", 1536: "giant"}
"""By the width of a ViT: what timm calls it."""
TWINS = {
    "dinov2": "vit_{}_patch14_dinov2.lvd142m",
    "dinov2_with_registers": "vit_{}_patch14_reg4_dinov2.lvd142m",
    "dinov3_vit": "vit_{}_patch16_dinov3.lvd1689m",
}
"""By the model_type of checkpoints in transformers' own format (of DINO's authors): timm's name of the same weights."""


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

    @property
    def size_hw(self) -> tuple[int, int]:
        """(height, width) in pixels of the pictures that it is given."""
        height, width = self.identity["input_size"]
        return height, width


def settle(
    checkpoint: str,
    name: str | None = None,
    *,
    strides: Sequence[int] | None = None,
    out_indices: Sequence[int] | None = None,
    size_hw: tuple[int, int] | None = None,
    options: Mapping[str, "Option"] | None = None,
    fitted: Mapping[str, Any] | None = None,
) -> Reading:
    """How `load_backbone` would read the network; what is not as named or as usual, a line each on stderr says.

    `fitted` is the identity of the backbone that a model was fitted with: it decides what is not named, and its size
    is taken as it was, a multiple of the patch or not. Raises CheckpointError as `load_backbone`.
    """
    weights, config = _source(checkpoint, name)
    network, exact = _network(name, weights, config, options), False
    if fitted is not None and fitted["backbone"] == network.name:  # of another, load_fitted says so
        height, width = fitted["input_size"]
        if size_hw in (None, (height, width)):
            size_hw, exact = (height, width), True
        if strides is None and out_indices is None:
            out_indices = fitted["out_indices"]
    reading = choose(network, size_hw, strides, out_indices, exact)
    for note in reading.notes:
        print(note, file=sys.stderr)
    return reading


def load_backbone(
    checkpoint: str,
    name: str | None = None,
    *,
    strides: Sequence[int] | None = None,
    out_indices: Sequence[int] | None = None,
    size_hw: tuple[int, int] | None = None,
    reading: Reading | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    options: Mapping[str, "Option"] | None = None,
) -> Backbone:
    """The network of `checkpoint`: a hub id, a folder with config.json, or a .safetensors file beside timm's `name`.

    Its levels are those of `strides` (the deepest of each), or `out_indices` as timm counts them, or without both those
    that suit it. Pictures are squashed to `size_hw` pixels, so that nothing at a border is lost: about 256 without it,
    and rounded to what the network takes whole. A `reading` that `settle` gave stands for all of that. Mean and std are
    the checkpoint's unless given. Raises CheckpointError where the architecture, its levels or its weights are not what
    was asked for.
    """
    weights, config = _source(checkpoint, name)
    network = _network(name, weights, config, options)
    reading = reading or choose(network, size_hw, strides, out_indices)
    plain = network.loaded(reading.settings)
    spec = _spec(plain.pretrained_cfg, reading.size_hw, mean, std)
    noise = torch.rand(1, 3, *reading.size_hw, dtype=torch.float32, generator=torch.Generator().manual_seed(0))
    identity = {
        "backbone": network.name,
        "options": dict(options or {}),
        "out_indices": list(reading.out_indices),
        "input_size": list(reading.size_hw),
        "mean": list(spec.mean),
        "std": list(spec.std),
        "interpolation": spec.interpolation,
        "fingerprint": file_hash(weights).hexdigest()[:16],
    }
    return Backbone(fuse(plain, noise), network.name, reading.out_indices, spec, identity)


def _network(
    name: str | None, weights: Path, config: Mapping[str, Any], options: Mapping[str, "Option"] | None
) -> Network:
    """What timm makes of a checkpoint's settings: for RGB pictures, whatever its channels were."""
    published, saved = config.get("pretrained_cfg", {}), config.get("model_args", {})
    known = {entry.name for entry in fields(PretrainedCfg)}
    overlay = {key: value for key, value in published.items() if key in known} | {"source": "", "file": str(weights)}
    given = {**saved, **(options or {})}
    if "input_size" in overlay:
        channels, *sides = overlay["input_size"]
        if "img_size" in saved:  # the size that the weights' position embeddings are of
            sides = saved["img_size"] if isinstance(saved["img_size"], list) else [saved["img_size"]] * 2
        overlay["input_size"] = (channels, *sides)
        if channels != 3:
            given["in_chans"] = 3  # timm makes its first convolution one for RGB
    return Network(name or str(config["architecture"]), overlay, given, weights)


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
        twin = _twin(config)
        advice = f"take timm/{twin}, which is the same network for timm" if twin else "name a timm checkpoint"
        raise CheckpointError(
            f"expected timm's `architecture` in {folder / 'config.json'}, found none; {advice}, or the network as "
            "`backbone`"
        )
    weights = folder / "model.safetensors"
    return weights if weights.is_file() else weights_of(folder)[0], config


def _twin(config: Mapping[str, Any]) -> str | None:
    """timm's name of the network that a config.json of transformers' describes, where there is one."""
    pattern, size = TWINS.get(str(config.get("model_type"))), SIZES.get(config.get("hidden_size", 0))
    gated = config.get("use_gated_mlp")  # as DINOv3's S+ has, which is as wide as S
    return pattern.format(size) if pattern and size and not gated else None


def _spec(
    config: Mapping[str, Any], size_hw: tuple[int, int], mean: Sequence[float] | None, std: Sequence[float] | None
) -> PreprocessSpec:
    squash = {"input_size": (3, *size_hw), "crop_mode": "squash", "crop_pct": 1.0}
    own = {key: config.get(key) for key in ("mean", "std", "interpolation")}
    own |= {key: value for key, value in (("mean", mean), ("std", std)) if value is not None}
    return spec_of_timm({**own, **squash})
