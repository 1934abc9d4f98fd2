"""Reads a photo once: its pixels for a network, what its file says of it, and a thumbnail."""

import io
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from pipelines.core.images.decode import decode, profile_of, rgb_planes, upright
from pipelines.core.images.opening import look, orientation_of
from pipelines.core.images.preprocess import PreprocessSpec, ShortestEdge, Squash

THUMBNAIL = 256
"""Pixels of a thumbnail's longer side, at most."""
THUMBNAIL_QUALITY = 80
"""Of JPEG: some 15 kB a thumbnail."""

HUES = {15: "red", 45: "orange", 70: "yellow", 165: "green", 195: "cyan", 255: "blue", 290: "purple", 345: "pink"}
"""Where each hue ends, in degrees; beyond the last it is red again."""
COLOURS = (*HUES.values(), "brown", "black", "grey", "white")
"""The colours that a photo may be said to have."""


@dataclass(frozen=True)
class Details:
    """What is known of a photo without a network. What a file does not say, or says wrongly, is None."""

    width: int
    height: int
    """In pixels, as the photo is looked at."""
    orientation: int
    """The EXIF orientation that was applied: 1 (none) to 8."""
    taken: datetime | None
    """When it was taken, by the camera's clock: EXIF has no time zone that can be relied on."""
    camera: str | None
    """Maker and model."""
    latitude: float | None
    """Degrees, -90 (south) to 90."""
    longitude: float | None
    """Degrees, -180 (west) to 180."""
    colour: str
    """The one of COLOURS that the most pixels have."""


@dataclass(frozen=True)
class Photo:
    """A photo that was read."""

    pixels: Tensor
    """uint8 RGB (3, H, W), turned upright; a JPEG's may be reduced to 1/2, 1/4 or 1/8 of its size."""
    details: Details
    thumbnail: bytes
    """JPEG, THUMBNAIL pixels on its longer side, never enlarged."""


def read_photo(path: Path, least: int | None) -> Photo:
    """The photo with the shorter side of its pixels not below `least`, where it has as many; None reads all.

    Of a 12-megapixel JPEG that takes a quarter of the time, since its decoder leaves out what would be averaged away.
    Raises ImageError for what `decode` refuses.
    """

    def at(picture: ImageFile) -> tuple[tuple[int, int], int, Image.Exif, Tensor | None]:
        size, orientation, tags = picture.size, orientation_of(picture), _tags(picture)
        return size, orientation, tags, None if least is None else _reduced(picture, orientation, least)

    (width, height), orientation, tags, pixels = look(path, at)
    taken, camera, place = _taken(tags), _camera(tags), _place(tags)
    if pixels is None:
        pixels = decode(path)
    if orientation >= 5:  # these lie on their side
        width, height = height, width
    small = _at_most(pixels, THUMBNAIL)
    details = Details(width, height, orientation, taken, camera, *place, dominant_colour(small))
    return Photo(pixels, details, _jpeg(small))


def _reduced(picture: ImageFile, orientation: int, least: int) -> Tensor | None:
    """A JPEG's pixels at 1/2, 1/4 or 1/8 of its size, upright; None where it is another, or is no larger than that."""
    if picture.format not in ("JPEG", "MPO"):
        return None
    size, least = picture.size, max(least, THUMBNAIL)
    picture.draft(picture.mode, (least, least))
    if picture.size == size:
        return None
    return torch.from_numpy(upright(rgb_planes(picture, profile_of(picture)), orientation))


def least_side(spec: PreprocessSpec | None) -> int | None:
    """The shorter side in pixels that a photo needs for a network to see the same: twice what it is resized to.

    None where that is not known: without a spec the checkpoint's own processor decides.
    """
    if spec is None:
        return None
    if isinstance(spec.resize, Squash):
        return 2 * max(spec.resize.size_hw)
    return 2 * spec.resize.shortest if isinstance(spec.resize, ShortestEdge) else None


def dominant_colour(pixels: Tensor) -> str:
    """The one of COLOURS that the most pixels of uint8 RGB (3, H, W) have."""
    rgb = np.ascontiguousarray(_at_most(pixels, 64).permute(1, 2, 0).numpy()).astype(np.float32) / 255
    hue, saturation, value = (part.ravel() for part in cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)))
    names = np.array([*HUES.values(), "red"])[np.digitize(hue, list(HUES))]
    names[(names == "orange") & (value < 0.65)] = "brown"
    names[(names == "red") & (saturation < 0.5) & (value > 0.7)] = "pink"
    names[saturation < 0.15] = "grey"
    names[(names == "grey") & (value > 0.85)] = "white"
    names[value < 0.2] = "black"
    found, counts = np.unique(names, return_counts=True)
    return str(found[counts.argmax()])


def _at_most(pixels: Tensor, longest: int) -> Tensor:
    """The picture (3, H, W) reduced to `longest` pixels on its longer side; a smaller one stays as it is."""
    height, width = pixels.shape[-2:]
    scale = longest / max(height, width)
    if scale >= 1:
        return pixels
    size = [max(1, round(height * scale)), max(1, round(width * scale))]
    reduced: Tensor = tv.resize(pixels, size, InterpolationMode.BICUBIC, antialias=True)
    return reduced


def _jpeg(pixels: Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=THUMBNAIL_QUALITY)
    return file.getvalue()


def _tags(picture: Image.Image) -> Image.Exif:
    """The photo's EXIF; without any where that is damaged, for the picture is still to be seen."""
    try:
        return Image.Image.getexif(picture)  # the PNG reader's own would decode the picture to look behind it
    except Exception:
        return Image.Exif()


def _tag(tags: Image.Exif, key: int, part: int | None = None) -> Any:  # noqa: ANN401 - as EXIF has it
    """One tag, of a part of the EXIF where one is named, or None: damage makes Pillow raise almost anything."""
    try:
        return (tags if part is None else tags.get_ifd(part)).get(key)
    except Exception:
        return None


def _taken(tags: Image.Exif) -> datetime | None:
    """When the photo was taken, else when its file was made."""
    texts = (
        _tag(tags, ExifTags.Base.DateTimeOriginal, ExifTags.IFD.Exif),
        _tag(tags, ExifTags.Base.DateTimeDigitized, ExifTags.IFD.Exif),
        _tag(tags, ExifTags.Base.DateTime),
    )
    for text in texts:
        try:
            return datetime.strptime(str(text)[:19], "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
    return None


def _camera(tags: Image.Exif) -> str | None:
    """Maker and model; many makers begin the model with their name."""
    maker, model = (_text(_tag(tags, key)) for key in (ExifTags.Base.Make, ExifTags.Base.Model))
    if model.lower().startswith(maker.lower()):
        maker = ""
    return f"{maker} {model}".strip() or None


def _place(tags: Image.Exif) -> tuple[float | None, float | None]:
    """Latitude and longitude, or twice None."""
    north, latitude, east, longitude = (_tag(tags, key, ExifTags.IFD.GPSInfo) for key in (1, 2, 3, 4))
    place = _degrees(latitude, north, "S", 90), _degrees(longitude, east, "W", 180)
    return (None, None) if None in place else place


def _degrees(parts: Any, side: object, negative: str, most: int) -> float | None:  # noqa: ANN401 - as EXIF has it
    """Degrees of (degrees, minutes, seconds) on a side such as "N"."""
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value) or not 0 <= value <= most:
        return None
    return round(-value if _text(side).upper() == negative else value, 7)


def _text(value: object) -> str:
    """A tag's text without the padding that some cameras write."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    return "".join(letter for letter in text if letter.isprintable()).strip()
