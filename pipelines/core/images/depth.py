"""The white of 16-bit pictures: cameras of 10, 12 or 14 bits fill a part of the range only, which would look black."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from pipelines.core.errors import ImageError
from pipelines.core.images.folders import look_through
from pipelines.core.images.kinds import ENDINGS
from pipelines.core.images.opening import alone, look
from pipelines.core.images.sets import PictureSet, set_of
from pipelines.core.notes import notice

FULL = 65535
BITS = (8, 10, 12, 14, 16)
"""How many of 16 bits cameras fill."""
LOOKED_AT, TRIED = 24, 200
"""16-bit pictures of a set whose values are looked at, and files that are opened to find as many."""
_EIGHT_BITS = frozenset((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".gif", ".bmp", ".webp", ".avif", ".heic", ".heif"))


def white_of(path: Path) -> int:
    """The value that is white in a 16-bit picture: its set's; 65535 for a picture of no set.

    Where nobody said it, it is found when the first picture asks: the fewest bits that hold all values of a sample.
    """
    chosen = set_of(path)
    if chosen is None:
        return FULL
    with alone():  # and by one thread
        if chosen.white is None:
            chosen.white, chosen.measured = _measured(chosen), True
    if chosen.measured and chosen.white != FULL:
        notice(
            chosen.folders[0],
            f"the 16-bit pictures looked at hold no value above {chosen.white} ({chosen.white.bit_length()} bits), "
            "which was taken as white; --white says otherwise",
        )
    return chosen.white


def is_deep(picture: Image.Image) -> bool:
    """Whether the file has 16 bits a channel, also where Pillow gives only the upper 8 of them."""
    if picture.mode.startswith("I;16"):
        return True
    if picture.format == "PNG":
        return any("16" in str(tile.args) for tile in getattr(picture, "tile", ()))
    tags = getattr(picture, "tag_v2", None)
    return picture.format == "TIFF" and tags is not None and max(tags.get(258, (8,))) == 16


def stated_white(picture: Image.Image) -> int | None:
    """Of a TIFF that says itself that it has 9 to 15 bits."""
    tags = getattr(picture, "tag_v2", None)
    bits = max(tags.get(258, (8,))) if picture.format == "TIFF" and tags is not None else 8
    return 2**bits - 1 if 8 < bits < 16 else None


def to_8_bits(values: npt.NDArray[np.uint16], white: int) -> npt.NDArray[np.uint8]:
    """0 to `white` as 0 to 255, rounded; what is above is white."""
    scaled = (np.minimum(values, white).astype(np.uint32) * 255 + white // 2) // white
    return scaled.astype(np.uint8)


def _measured(of: PictureSet) -> int:
    paths = [path for folder in of.folders if folder.is_dir() for path in look_through(folder, of.ignore).images]
    paths = [path for path in paths if path.suffix.lower() not in _EIGHT_BITS & ENDINGS]
    highest, found = 0, 0
    for path in paths[:: max(1, len(paths) // TRIED)]:
        value = _highest(path)
        found += value is not None
        highest = max(highest, value or 0)
        if found >= LOOKED_AT:
            break
    return next((2**bits - 1 for bits in BITS if highest < 2**bits), FULL) if highest else FULL


def _highest(path: Path) -> int | None:
    """The highest value of a 16-bit picture; None of another, and of one that cannot be read."""

    def at(picture: ImageFile.ImageFile) -> int | None:
        if not is_deep(picture):
            return None
        if picture.mode.startswith("I;16"):
            return int(np.asarray(picture).max())
        upper = max(int(high) for _, high in _extrema(picture))
        return upper * 256 + 255 if upper else 255

    try:
        return look(path, at)
    except ImageError:
        return None


def _extrema(picture: Image.Image) -> Sequence[tuple[float, float]]:
    """Of each colour, without transparency."""
    found = picture.convert("RGB").getextrema()
    return [each for each in found if isinstance(each, tuple)]
