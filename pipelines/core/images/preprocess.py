"""Resizing, cropping, padding and normalising as data: one PreprocessSpec says all that a model wants of a picture."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from pipelines.core.errors import CheckpointError, ImageError

MAX_RESIZED_PIXELS = 50_000_000
"""A long thin strip can grow without bounds when its short side is enlarged; beyond this it is refused."""

TRIAL_SIZES_HW = ((61, 37), (37, 61), (1200, 900))
"""Of the pictures that a spec is tried on: upright, lying, and larger than what most networks see."""

Interpolation = Literal["bilinear", "bicubic", "nearest", "lanczos", "box", "hamming"]
FILTERS: Mapping[Interpolation, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}
"""What torchvision does not do on tensors, or not as Pillow does, by which checkpoints mean it."""


@dataclass(frozen=True)
class Squash:
    """Resizes to exactly (height, width) pixels; the aspect ratio is lost."""

    size_hw: tuple[int, int]


@dataclass(frozen=True)
class ShortestEdge:
    """Resizes the shorter side to `shortest` pixels, to fewer where the longer one would pass `longest`."""

    shortest: int
    longest: int | None = None


@dataclass(frozen=True)
class KeepRatio:
    """Resizes until both sides cover (height, width), or with `within` until one does, and rounds them as timm does."""

    size_hw: tuple[int, int]
    within: bool = False


@dataclass(frozen=True)
class PreprocessSpec:
    """What happens to a picture between its decoding and the network. Resizing is always antialiased."""

    resize: Squash | ShortestEdge | KeepRatio | None
    """None leaves the picture's size as it is."""
    mean: tuple[float, float, float]
    """Of each RGB channel, after rescaling."""
    std: tuple[float, float, float]
    crop_hw: tuple[int, int] | None = None
    """Centre crop in pixels; what is smaller gets borders."""
    interpolation: Interpolation = "bicubic"
    rescale: float = 1 / 255
    """What a value of 0 to 255 is multiplied with."""
    pad_multiple: int | None = None
    """Sides are padded right and below to the next multiple of this, so that pictures of one bucket share a batch."""
    odd_margin: Literal["down", "even"] = "down"
    """Where a centre crop's margin is a half pixel: Hugging Face rounds it down, torchvision and timm to even."""
    border: tuple[int, int, int] = (0, 0, 0)
    """RGB of a centre crop's borders, 0 to 255."""

    @property
    def fixed(self) -> bool:
        """Whether pictures of any size become one size."""
        return self.crop_hw is not None or isinstance(self.resize, Squash)

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.std) != 3 or not all(self.std):
            raise ValueError(f"expected 3 means and 3 stds that are not 0, found {self.mean} and {self.std}")


def resize(image: Tensor, spec: PreprocessSpec) -> Tensor:
    """Resizes and crops one picture: uint8 (3, H, W) -> uint8 (3, h, w), as Hugging Face's processors round it.

    Raises ImageError for a picture so thin that it would vanish or grow beyond MAX_RESIZED_PIXELS.
    """
    target = _resized(_sides(image), spec)
    if spec.interpolation in FILTERS:
        image = _resized_by_pillow(image, target, FILTERS[spec.interpolation])
    else:
        image = tv.resize(image, list(target), InterpolationMode(spec.interpolation), antialias=True)
    return image if spec.crop_hw is None else _centre_crop(image, spec.crop_hw, spec)


def pad(images: Sequence[Tensor], spec: PreprocessSpec) -> tuple[Tensor, Tensor]:
    """Stacks resized pictures of one bucket: uint8 (3, h, w) each -> uint8 (B, 3, H, W) and bool mask (B, H, W).

    The mask is True where there is picture. (H, W) is the bucket and never the batch's largest picture, so that a
    picture's result does not depend on its batch. Raises ValueError for pictures of several buckets, or for none.
    """
    buckets = {_rounded_up(_sides(image), spec.pad_multiple) for image in images}
    if len(buckets) != 1:
        raise ValueError(f"expected pictures of one bucket, found {sorted(buckets)}; group them by bucket()")
    height, width = buckets.pop()
    batch = torch.zeros(len(images), 3, height, width, dtype=torch.uint8)
    mask = torch.zeros(len(images), height, width, dtype=torch.bool)
    for index, image in enumerate(images):
        batch[index, :, : image.shape[-2], : image.shape[-1]] = image
        mask[index, : image.shape[-2], : image.shape[-1]] = True
    return batch, mask


def normalise(batch: Tensor, spec: PreprocessSpec, dtype: torch.dtype, mask: Tensor | None = None) -> Tensor:
    """uint8 (B, 3, H, W) -> `dtype` (B, 3, H, W) on the batch's device: rescaled, mean and std taken out in float32.

    Where the bool mask (B, H, W) is False the result is 0, whatever the mean is: padding is done after normalising.
    """
    scale = 1.0 / spec.rescale
    # The dtype is named: while transformers loads a network it sets another default, for all threads.
    mean, std = (
        torch.tensor(values, dtype=torch.float32, device=batch.device).view(3, 1, 1) * scale
        for values in (spec.mean, spec.std)
    )
    values = batch.to(torch.float32, copy=True).sub_(mean).div_(std)
    if mask is not None:
        values.masked_fill_(~mask.unsqueeze(-3), 0)
    return values.to(dtype)


def bucket(size_hw: tuple[int, int], spec: PreprocessSpec) -> tuple[int, int]:
    """(height, width) that a picture of `size_hw` pixels has once resized, cropped and padded.

    Raises ImageError as `resize` does.
    """
    return _rounded_up(spec.crop_hw or _resized(size_hw, spec), spec.pad_multiple)


def to_source_xyxy(cxcywh: Tensor, size_hw: Tensor | tuple[int, int]) -> Tensor:
    """Boxes relative to the unpadded picture -> float32 pixels of the source, clipped to it.

    `cxcywh` (..., N, 4) holds centre x, centre y, width, height from 0 to 1, `size_hw` (..., 2) the source's height and
    width: one pair for all, or a batch's. The result (..., N, 4) holds left, top, right, bottom.
    """
    centre, sides = cxcywh[..., :2].float(), cxcywh[..., 2:].float()
    height, width = torch.as_tensor(size_hw, dtype=torch.float32, device=cxcywh.device).unbind(-1)
    limits = torch.stack([width, height, width, height], dim=-1).unsqueeze(-2)
    xyxy = torch.cat([centre - sides / 2, centre + sides / 2], dim=-1) * limits
    return torch.minimum(xyxy.clamp(min=0), limits)


def spec_of_processor(image_processor: Any, pad_multiple: int | None = None) -> PreprocessSpec:  # noqa: ANN401
    """The spec that does what a loaded Hugging Face image processor does.

    With `pad_multiple` pictures are padded to multiples of it, where the processor pads to its batch's largest. The
    spec is tried against the processor itself on some pictures; flags that change nothing there, such as BLIP-large's
    do_pad beside a fixed size, do no harm. Raises CheckpointError for settings, or a result, that a spec cannot give.
    """
    name = type(image_processor).__name__
    wants = partial(getattr, image_processor)  # a processor need not have every flag
    spec = PreprocessSpec(
        resize=_resize_of(name, image_processor.size) if wants("do_resize", False) else None,
        mean=_channels(image_processor.image_mean if wants("do_normalize", False) else 0.0),
        std=_channels(image_processor.image_std if wants("do_normalize", False) else 1.0),
        crop_hw=_sides_of(name, image_processor.crop_size) if wants("do_center_crop", False) else None,
        interpolation=_interpolation(name, wants("resample", "bicubic")),
        rescale=image_processor.rescale_factor if wants("do_rescale", False) else 1.0,
        pad_multiple=pad_multiple,
    )
    _check_agrees(spec, image_processor)
    return spec


def spec_of_timm(data_config: Mapping[str, Any]) -> PreprocessSpec:
    """The spec that does what timm's evaluation transform does, from a pretrained_cfg or resolved data config.

    Keys that are missing or None have timm's defaults. Raises CheckpointError for what timm's transform has not, or for
    pictures that are not RGB.
    """
    config = {key: value for key, value in data_config.items() if value is not None}
    channels, height, width = config.get("input_size", (3, 224, 224))
    mode = config.get("crop_mode", "center")
    if channels != 3 or mode not in ("center", "squash", "border"):
        raise CheckpointError(
            "timm: expected an RGB input and the crop_mode center, squash or border, "
            f"found input_size {(channels, height, width)} and crop_mode {mode}"
        )
    scaled_height, scaled_width = (math.floor(side / config.get("crop_pct", 0.875)) for side in (height, width))
    scaled, mean = (scaled_height, scaled_width), _channels(config.get("mean", (0.485, 0.456, 0.406)))
    resize: Squash | ShortestEdge | KeepRatio = KeepRatio(scaled, within=mode == "border")
    if mode == "squash":
        resize = Squash(scaled)
    elif mode == "center" and scaled_height == scaled_width:
        resize = ShortestEdge(scaled_height)
    red, green, blue = (round(255 * value) for value in mean)
    return PreprocessSpec(
        resize=resize,
        mean=mean,
        std=_channels(config.get("std", (0.229, 0.224, 0.225))),
        crop_hw=(height, width),
        interpolation=_interpolation("timm", config.get("interpolation", "bicubic")),
        odd_margin="even",
        border=(red, green, blue) if mode == "border" else (0, 0, 0),
    )


def _resized(size_hw: tuple[int, int], spec: PreprocessSpec) -> tuple[int, int]:
    """(height, width) after resizing, by the rounding of Hugging Face and torchvision."""
    if spec.resize is None:
        return size_hw
    if isinstance(spec.resize, Squash):
        return spec.resize.size_hw
    height, width = size_hw
    if isinstance(spec.resize, KeepRatio):
        ratios = [side / wanted for side, wanted in zip(size_hw, spec.resize.size_hw, strict=True)]
        ratio = max(ratios) if spec.resize.within else min(ratios)
        return _checked(size_hw, (round(height / ratio), round(width / ratio)))
    short, long = sorted(size_hw)
    exact: float = spec.resize.shortest
    if spec.resize.longest is not None and long / short * exact > spec.resize.longest:
        exact = spec.resize.longest * short / long
    # The longer side comes from the unrounded shorter one, and is cut where the shorter is rounded.
    new_short, new_long = round(exact), int(exact * long / short)
    if new_short == short:
        new_long = long
    return _checked(size_hw, (new_long, new_short) if width < height else (new_short, new_long))


def _checked(size_hw: tuple[int, int], resized_hw: tuple[int, int]) -> tuple[int, int]:
    """What a picture becomes. Raises ImageError where it would vanish, or grow beyond MAX_RESIZED_PIXELS."""
    height, width = resized_hw
    if not min(resized_hw) or height * width > MAX_RESIZED_PIXELS:
        raise ImageError(
            f"expected a picture less thin than {size_hw[1]}x{size_hw[0]}: it would become {width}x{height}"
        )
    return resized_hw


def _resized_by_pillow(image: Tensor, target_hw: tuple[int, int], how: Image.Resampling) -> Tensor:
    pixels = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    resized = np.array(pixels.resize((target_hw[1], target_hw[0]), how))
    return torch.from_numpy(resized).permute(2, 0, 1)


def _centre_crop(image: Tensor, crop_hw: tuple[int, int], spec: PreprocessSpec) -> Tensor:
    missing = [max(0, wanted - side) for side, wanted in zip(_sides(image), crop_hw, strict=True)]
    if any(missing):
        colour = torch.tensor(spec.border, dtype=image.dtype).view(3, 1, 1)
        height, width = (side + more for side, more in zip(_sides(image), missing, strict=True))
        top, left = (more // 2 for more in missing)
        whole = colour.expand(3, height, width).clone()
        whole[:, top : top + image.shape[-2], left : left + image.shape[-1]] = image
        image = whole
    margins = [(side - wanted) / 2 for side, wanted in zip(_sides(image), crop_hw, strict=True)]
    top, left = (round(margin) if spec.odd_margin == "even" else int(margin) for margin in margins)
    return image[..., top : top + crop_hw[0], left : left + crop_hw[1]]


def _sides(image: Tensor) -> tuple[int, int]:
    return image.shape[-2], image.shape[-1]


def _rounded_up(size_hw: tuple[int, int], multiple: int | None) -> tuple[int, int]:
    height, width = (math.ceil(side / (multiple or 1)) * (multiple or 1) for side in size_hw)
    return height, width


def _resize_of(name: str, size: Mapping[str, int | None] | None) -> Squash | ShortestEdge:
    given = {key: value for key, value in dict(size or {}).items() if value is not None}
    if "shortest_edge" in given and given.keys() <= {"shortest_edge", "longest_edge"}:
        return ShortestEdge(given["shortest_edge"], given.get("longest_edge"))
    return Squash(_sides_of(name, given))


def _sides_of(name: str, size: Mapping[str, int | None] | None) -> tuple[int, int]:
    given = {key: value for key, value in dict(size or {}).items() if value is not None}
    if given.keys() != {"height", "width"}:
        raise CheckpointError(f"{name}: expected a size of height and width or of a shortest edge, found {given}")
    return given["height"], given["width"]


def _channels(values: float | Sequence[float]) -> tuple[float, float, float]:
    """Of RGB: one number, or that of a grey network, is all three's."""
    listed = [values] if isinstance(values, int | float) else list(values)
    red, green, blue = listed * 3 if len(listed) == 1 else listed
    return red, green, blue


def _interpolation(name: str, given: int | str) -> Interpolation:
    """From timm's name, or from Pillow's number as Hugging Face keeps it; a line on stderr where it is a slow one."""
    numbers: dict[int | str, Interpolation] = {2: "bilinear", 3: "bicubic"}
    numbers |= {int(number): each for each, number in FILTERS.items()}
    found = numbers.get(given, given)
    names: dict[int | str, Interpolation] = {each: each for each in get_args(Interpolation)}
    if found not in names:
        raise CheckpointError(f"{name}: expected resizing by one of {', '.join(map(str, names))}, found {given!r}")
    if names[found] in FILTERS:
        print(f"{name}: {found} resizing is done by Pillow, which is slower", file=sys.stderr)
    return names[found]


def _check_agrees(spec: PreprocessSpec, image_processor: Any) -> None:  # noqa: ANN401
    """Settings do not say all that a processor's code does, so its results on odd-sized pictures are compared."""
    name, given = type(image_processor).__name__, {}
    if spec.interpolation in ("box", "hamming"):  # processors behind torchvision fail there; all else is compared
        spec, given = replace(spec, interpolation="bilinear"), {"resample": Image.Resampling.BILINEAR}
    for height, width in TRIAL_SIZES_HW:
        image = torch.arange(3 * height * width).mul(37).remainder(251).view(3, height, width).to(torch.uint8)
        try:
            ours = normalise(resize(image, spec).unsqueeze(0), spec, torch.float32)
        except ImageError as error:  # such as where its size is an area, and no edge
            raise CheckpointError(f"{name}: {error}") from None
        theirs = _given(image_processor, image, given)
        # Two of 255 levels, on average: as much as a processor that resizes with Pillow may differ.
        if (
            theirs is None
            or ours.shape != theirs.shape
            or (ours - theirs).abs().mean() > 2 * spec.rescale / min(spec.std)
        ):
            raise CheckpointError(
                f"{name}: expected what its settings say ({spec.resize}, crop {spec.crop_hw}), found that it does "
                f"something else with a picture of {width}x{height}"
            )


def _given(image_processor: Any, image: Tensor, settings: Mapping[str, Any]) -> Tensor | None:  # noqa: ANN401
    """The processor's own pixel values, float (1, 3, H, W), of a picture; None where it gives others, or fails."""
    try:
        found = image_processor(images=[image], return_tensors="pt", **settings)
    except Exception:  # whatever its code raises: a spec that does what it does is not to be had
        return None
    values = found.get("pixel_values")
    return values if found.keys() <= {"pixel_values", "pixel_mask"} and isinstance(values, Tensor) else None
