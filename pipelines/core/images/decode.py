"""Decodes an image file into the RGB picture that a person sees, whatever its format says about storing it."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from PIL.ImageFile import ImageFile
from torch import Tensor

from pipelines.core.images.colours import in_srgb, transform_of
from pipelines.core.images.depth import FULL, is_deep, stated_white, to_8_bits, white_of
from pipelines.core.images.opening import LARGE_PIXELS, alone, look, orientation_of, showing_damage
from pipelines.core.notes import notice

METADATA_BYTES = 1 << 20
"""What a JPEG's thumbnail, profile and tags may take beside its pixels."""
STRIP_PIXELS = 1 << 20
"""What Pillow converts at once: its conversions of a whole picture hold up to five copies of it."""
MISSING_ROWS = 8
"""Rows of plain grey at the end of a JPEG from which on it is said that data is missing: as many as a block has."""
NOISE, LEAST_SHOWN = 8, 0.005
"""A damaged picture is refused where a smaller share of its values than this is farther from plain grey than so many
levels: behind a header that is whole, a decoder may make a first block of nothing."""

_Pixels = npt.NDArray[np.uint8]

# EXIF orientation -> whether to transpose, then how OpenCV is to flip: 1 left-right, 0 top-bottom, -1 both.
_TURNS: dict[int, tuple[bool, int | None]] = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}


def decode(path: Path) -> Tensor:
    """The picture as a contiguous uint8 RGB tensor (3, H, W), 0 to 255, turned as its EXIF orientation says.

    Grey becomes three equal channels, transparency is laid over white, colours of a profile become sRGB, 16 bits are
    scaled to 8 (`depth` says from which white), CMYK without a profile is converted by rule, and of an animation the
    first frame is taken. What is damaged is shown as far as it goes, and noticed. Raises ImageError, naming the file,
    for whatever is no picture that can be shown, of at most MAX_PIXELS and MAX_BYTES in one of FORMATS.
    """

    def at(picture: ImageFile) -> _Pixels:
        with alone(picture.width * picture.height > LARGE_PIXELS):
            orientation = orientation_of(picture)
            planes = _jpeg_planes(picture)
            if planes is None:
                planes = _planes(picture, path)
            _check_shown(path, planes, picture)
            return upright(planes, orientation)

    return torch.from_numpy(look(path, at))


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels of what `decode` would return, read from the file's header alone.

    Raises ImageError as `decode` does, except for damage behind the header.
    """

    def at(picture: ImageFile) -> tuple[int, int]:
        width, height = picture.size
        transposed, _ = _TURNS.get(orientation_of(picture), (False, None))
        return (width, height) if transposed else (height, width)

    return look(path, at)


def rgb_planes(picture: Image.Image, profile: bytes | None) -> _Pixels:
    """RGB planes (3, H, W) of sRGB colours of a picture that was reduced, or is rare: converted at once."""
    return np.ascontiguousarray(np.asarray(_over_white(picture, profile)).transpose(2, 0, 1))


def profile_of(picture: Image.Image) -> bytes | None:
    profile: bytes | None = picture.info.get("icc_profile")
    return profile


def _check_shown(path: Path, planes: _Pixels, picture: ImageFile) -> None:
    """Notices rows of a JPEG or of a damaged picture that are missing. Raises ValueError where no row is there."""
    fill = 128 if picture.format in ("JPEG", "MPO") else 255 if picture.has_transparency_data else 0
    damaged = showing_damage()
    if (not damaged and fill != 128) or (planes[:, -1] != fill).any():
        return
    height = planes.shape[1]
    shown = next((row + 1 for row in range(height - 1, -1, -1) if (planes[:, row] != fill).any()), 0)
    if damaged and (np.abs(planes[:, :shown].astype(np.int16) - fill) > NOISE).sum() < LEAST_SHOWN * planes.size:
        raise ValueError("hardly a pixel is there")
    if damaged or (shown and height - shown >= MISSING_ROWS):
        notice(path, f"the last {height - shown} of its {height} rows are missing")


def _jpeg_planes(picture: ImageFile) -> _Pixels | None:
    """RGB planes (3, H, W) of a grey or RGB JPEG by OpenCV: the same pixels as Pillow's, sooner.

    None where the picture is another, where OpenCV finds it damaged, or where the file holds more than the picture
    could fill, all of which OpenCV would want in memory: Pillow is then to read it or to say why not.
    """
    if picture.format not in ("JPEG", "MPO") or picture.mode not in ("L", "RGB") or picture.fp is None:
        return None
    profile = profile_of(picture)
    if profile and picture.mode == "L" and transform_of(profile, "L") is not None:
        return None
    picture.fp.seek(0)
    most = 3 * picture.width * picture.height + METADATA_BYTES
    content = picture.fp.read(most + 1)
    if len(content) > most:
        return None
    data = np.frombuffer(content, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION)
    if bgr is None or bgr.shape[1::-1] != picture.size:
        return None
    planes = np.empty((3, *bgr.shape[:2]), np.uint8)
    if profile is None or transform_of(profile, picture.mode) is None:
        cv2.split(bgr, [planes[2], planes[1], planes[0]])
        return planes
    rgb = Image.fromarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    cv2.split(np.asarray(in_srgb(rgb, profile)), list(planes))
    return planes


def _planes(picture: ImageFile, path: Path) -> _Pixels:
    """RGB planes (3, H, W) by Pillow, from any mode that has a defined white; converted strip by strip."""
    if picture.mode in ("I", "F"):
        raise ValueError(
            f"32 bits a channel (Pillow's mode {picture.mode}) have no defined white; save it with 8 or 16"
        )
    white = (stated_white(picture) or white_of(path)) if is_deep(picture) else FULL
    if white != FULL and not picture.mode.startswith("I;16"):
        return _deep_planes(picture, path, white)
    profile = profile_of(picture)
    picture.load()  # only now is the size of a TIFF that was turned the right one
    width, height = picture.size
    planes = np.empty((3, height, width), np.uint8)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(height, top + rows)))
        # OpenCV parts the channels several times faster than torch or numpy.
        cv2.split(_rgb(strip, profile, white), list(planes[:, top : top + rows]))
    return planes


def _deep_planes(picture: ImageFile, path: Path, white: int) -> _Pixels:
    """RGB planes (3, H, W) of 16-bit colours by OpenCV: Pillow keeps the upper 8 bits only, where these have little."""
    deep = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16 or deep.ndim != 3:
        raise ValueError("16 bits a channel that OpenCV does not read")
    channels = [to_8_bits(deep[..., place].astype(np.uint16), white) for place in range(deep.shape[2])]
    if len(channels) == 2:
        channels = [channels[0]] * 3 + channels[1:]
    colours = Image.fromarray(np.dstack([*channels[2::-1], *channels[3:]]))
    return rgb_planes(colours, profile_of(picture))


def _rgb(picture: Image.Image, profile: bytes | None, white: int) -> _Pixels:
    """RGB pixels (H, W, 3) of sRGB colours with transparency laid over white."""
    if picture.mode.startswith("I;16"):  # convert("RGB") would cut everything above 255
        return np.repeat(to_8_bits(np.asarray(picture), white)[..., None], 3, axis=2)
    return np.asarray(_over_white(picture, profile))


def _over_white(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """In mode RGB."""
    picture = in_srgb(picture, profile)
    if picture.has_transparency_data:
        colours = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours)
    return picture.convert("RGB")


def upright(planes: _Pixels, orientation: int) -> _Pixels:
    """Planes (3, H, W) turned as the EXIF orientation says, one by one in OpenCV, whose transpose is the fastest."""
    if orientation not in _TURNS:
        return planes
    transposed, flip = _TURNS[orientation]
    _, height, width = planes.shape
    turned = np.empty((3, width, height) if transposed else planes.shape, np.uint8)
    for plane, result in zip(planes, turned, strict=True):
        if transposed:
            cv2.transpose(plane, result)
            plane = result
        if flip is not None:
            cv2.flip(plane, flip, result)
    return turned
