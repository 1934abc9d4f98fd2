"""Chooses a timm network's levels and the size of its pictures, where the settings leave them open or do not fit it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from pipelines.anomaly.models.features.network import Network
from pipelines.core.errors import CheckpointError

SIDE = 256
"""Pixels of a picture's sides, or the nearest multiple of a network's patch, where the settings name none."""
STRIDES = (8, 16)
"""Levels of a network of several strides, as PatchCore reads a ResNet's."""
BLOCKS, DEPTH = (3, 5, 8, 10), 12
"""Levels of a transformer of 12 blocks, counted from 0: those that SuperADD (arXiv 2605.14808, anomalib 2.7) reads of
DINOv3-S and -B, which searches near patches without training, as PatchCore does; of other depths the same shares. The
last is left out: there networks without registers hide other things in some patches (arXiv 2309.16588)."""


@dataclass(frozen=True)
class Reading:
    """How a network is read."""

    size_hw: tuple[int, int]
    """Of its pictures, in pixels."""
    out_indices: Sequence[int]
    """Its levels as timm counts them, shallow to deep."""
    settings: Mapping[str, Any]
    """What timm's create_model is given for them."""
    notes: Sequence[str] = field(default=(), repr=False, compare=False)
    """A line each on what is not as the settings or the usual case have it."""


def choose(
    network: Network,
    size_hw: tuple[int, int] | None = None,
    strides: Sequence[int] | None = None,
    out_indices: Sequence[int] | None = None,
    exact: bool = False,
) -> Reading:
    """How to read `network`: by what is named, and by what suits it where that is None.

    A size that it cannot take, or of which its patches would leave pixels out, is rounded; with `exact` never. Raises
    CheckpointError for levels that it has not, or where it takes none of the sizes.
    """
    sketch = network.sketch({} if out_indices is None else {"out_indices": tuple(out_indices)})
    indices, said = (sorted(out_indices), "") if out_indices is not None else _levels(network.name, sketch, strides)
    wanted = size_hw or (SIDE, SIDE)
    options = ((wanted, ""),) if exact else _sizes(sketch, wanted)
    for size, why in options:
        for sized in _ways(sketch, size):
            settings = {"out_indices": tuple(indices), **sized}
            if network.takes(size, settings):
                resized = f"{network.name}: pictures have {_text(size)} instead of {_text(wanted)}: {why}"
                notes = said, resized if size_hw and size != wanted else ""
                return Reading(size, indices, settings, tuple(filter(None, notes)))
    raise CheckpointError(
        f"expected pictures of a size that {network.name} takes, found that it runs neither on {_text(wanted)} nor "
        "near that; name another input_size"
    )


def _levels(name: str, sketch: Any, strides: Sequence[int] | None) -> tuple[list[int], str]:  # noqa: ANN401
    """The deepest level of each stride, or what suits the network; and a line where that is not the usual."""
    info = sketch.feature_info
    found = dict(zip(info.reduction(), info.out_indices, strict=True))
    missing = [stride for stride in strides or STRIDES if stride not in found]
    if not missing:
        return sorted(found[stride] for stride in strides or STRIDES), ""
    if strides is not None:
        raise CheckpointError(
            f"expected levels of the strides {list(strides)} in {name}, found none of {missing}; it has "
            f"{list(found)}: name those, or leave strides out for the levels that suit it"
        )
    found = {level["reduction"]: place for place, level in enumerate(info.info)}
    if len(found) == 1:
        count = len(info.info)
        chosen = sorted({round(block * (count - 1) / (DEPTH - 1)) for block in BLOCKS})
        return (
            chosen,
            f"{name}: all its {count} levels have the stride {min(found)}; those of out_indices {chosen} are read",
        )
    middle = math.sqrt(math.prod(STRIDES))
    near = sorted(sorted(found, key=lambda stride: abs(math.log(stride / middle)))[: len(STRIDES)])
    chosen = sorted(found[stride] for stride in near)
    return chosen, f"{name}: it has no levels of the strides 8 and 16; those of {near} are read (out_indices {chosen})"


def _sizes(sketch: Any, wanted: tuple[int, int]) -> Iterator[tuple[tuple[int, int], str]]:  # noqa: ANN401
    """(height, width) to try, the nearest to `wanted` first, and why it is that."""
    strides = {level["reduction"] for level in sketch.feature_info.info}
    patch = min(strides) if len(strides) == 1 else _patch(sketch)
    yield _rounded(wanted, patch), f"its patches have {patch} px"
    yield _rounded(wanted, max(strides)), f"it takes multiples of {max(strides)} px"
    height, width = sketch.pretrained_cfg["input_size"][1:]
    yield (height, width), "it takes those of its training only"


def _patch(sketch: nn.Module) -> int:
    """The side of the patches that its first convolution cuts a picture into, without padding; 1 where it does not."""
    first = next((module for module in sketch.modules() if type(module) is nn.Conv2d), None)
    return first.stride[0] if first and first.kernel_size == first.stride and first.padding == (0, 0) else 1


def _ways(sketch: Any, size_hw: tuple[int, int]) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401
    """What tells the network of its pictures' size; timm makes its position embeddings for that."""
    if not sketch.pretrained_cfg.get("fixed_input_size"):
        yield {}
    yield {"img_size": size_hw}


def _rounded(size_hw: tuple[int, int], multiple: int) -> tuple[int, int]:
    height, width = (max(1, (2 * side + multiple) // (2 * multiple)) * multiple for side in size_hw)
    return height, width


def _text(size_hw: tuple[int, int]) -> str:
    height, width = size_hw
    return f"{height} px" if height == width else f"{height} x {width} px"
