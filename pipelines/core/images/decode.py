"""Decodes an image file into the RGB picture that a person sees, whatever its format says about storing it."""

import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from torch import Tensor

from pipelines.core.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF")
"""What is read, by content and not by ending. Pillow's other formats (EPS runs Ghostscript) stay out of reach."""
MAX_PIXELS = 200_000_000
"""Larger pictures are refused before they are decoded: as RGB this is 0.6 GB."""
MAX_BYTES = 512_000_000
"""Larger files are refused unopened: Pillow reads WebP and AVIF whole, whatever follows the picture in the file."""
LARGE_PIXELS = 50_000_000
"""Larger pictures, and files that are larger than so many pixels are as RGB, are decoded one at a time."""
METADATA_BYTES = 1 << 20
"""What a JPEG's thumbnail, profile and tags may take beside its pixels."""
STRIP_PIXELS = 1 << 20
"""What Pillow converts at once: its conversions of a whole picture hold up to five copies of it."""
Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow would refuse from 179 megapixels and warn from 89; ours is checked here
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # what it warns of is refused here

# Bound now because importing ultralytics replaces Image.open by one that installs a package when a file is no picture.
_open = Image.open

_large = threading.RLock()
"""Held while something large is decoded, at up to 17 bytes a pixel: no second worker may add as many."""

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

    Grey becomes three equal channels, transparency is laid over white, 16 bits are scaled to 8, CMYK is converted
    without a colour profile, and of an animation the first frame is taken. Raises ImageError, naming the file, for
    whatever is not a whole picture of at most MAX_PIXELS and MAX_BYTES in one of FORMATS.
    """
    with opened(path) as picture, _alone(picture.width * picture.height > LARGE_PIXELS):
        orientation = orientation_of(picture)
        planes = _jpeg_planes(picture)
        if planes is None:
            planes = _planes(picture)
    return torch.from_numpy(upright(planes, orientation))


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels of what `decode` would return, read from the file's header alone.

    Raises ImageError as `decode` does, except for damage behind the header.
    """
    with opened(path) as picture:
        width, height = picture.size
        transposed, _ = _TURNS.get(orientation_of(picture), (False, None))
    return (width, height) if transposed else (height, width)


@contextmanager
def opened(path: Path) -> Iterator[ImageFile]:
    """The picture with its header read and nothing decoded; what goes wrong while it is open becomes an ImageError."""
    size = _file_size(path)
    try:
        with _alone(size > 3 * LARGE_PIXELS), path.open("rb") as file, _open(file, formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{width}x{height}")
            yield picture
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:  # raised above, or by Pillow for a picture more than twice as large
        raise ImageError(
            f"{path}: expected at most {MAX_PIXELS // 10**6} megapixels, found more: {error}; make the picture smaller"
        ) from None
    except UnidentifiedImageError:
        raise ImageError(
            f"{path}: expected a picture ({', '.join(FORMATS)}), found a file that is none of these inside; "
            "convert or remove it"
        ) from None
    except Exception as error:  # a damaged file makes Pillow's readers raise almost anything
        raise ImageError(f"{path}: expected a whole picture, found one that cannot be decoded: {error}") from error


def _alone(large: bool) -> AbstractContextManager[object]:
    """Waits until no other thread decodes something large, where this is `large` itself."""
    return _large if large else nullcontext()


def _file_size(path: Path) -> int:
    """In bytes, 1 to MAX_BYTES. Looks before anything is opened: opening a named pipe would wait for ever."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ImageError(f"expected a picture at {path}, found nothing that can be read: {reason}") from None
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "something that is no file"
        raise ImageError(f"expected a picture at {path}, found {kind}")
    if found.st_size == 0:
        raise ImageError(f"expected a picture at {path}, found an empty file")
    if found.st_size > MAX_BYTES:
        raise ImageError(
            f"{path}: expected a file of at most {MAX_BYTES // 10**6} MB, found {found.st_size // 10**6} MB; "
            "save the picture again, smaller or compressed"
        )
    return found.st_size


def orientation_of(picture: ImageFile) -> int:
    """The EXIF orientation that is left to apply: 1 (none) to 8."""
    if picture.format == "TIFF":
        return 1  # Pillow applies it to the size and the pixels by itself
    try:
        # The base class's method: the PNG reader's own would decode the picture to look for EXIF behind it.
        return int(Image.Image.getexif(picture).get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1  # broken EXIF: viewers show such a picture as it is stored


def _jpeg_planes(picture: ImageFile) -> _Pixels | None:
    """RGB planes (3, H, W) of a grey or RGB JPEG by OpenCV: the same pixels as Pillow's, sooner.

    None where the picture is another, where OpenCV finds it damaged, or where the file holds more than the picture
    could fill, all of which OpenCV would want in memory: Pillow is then to read it or to say why not.
    """
    if picture.format not in ("JPEG", "MPO") or picture.mode not in ("L", "RGB") or picture.fp is None:
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
    cv2.split(bgr, [planes[2], planes[1], planes[0]])
    return planes


def _planes(picture: Image.Image) -> _Pixels:
    """RGB planes (3, H, W) by Pillow, from any mode that has a defined white; converted strip by strip."""
    if picture.mode in ("I", "F"):
        raise ValueError(
            f"32 bits a channel (Pillow's mode {picture.mode}) have no defined white; save it with 8 or 16"
        )
    picture.load()  # only now is the size of a TIFF that was turned the right one
    width, height = picture.size
    planes = np.empty((3, height, width), np.uint8)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = picture.crop((0, top, width, min(height, top + rows)))
        # OpenCV parts the channels several times faster than torch or numpy.
        cv2.split(_rgb(strip), list(planes[:, top : top + rows]))
    return planes


def _rgb(picture: Image.Image) -> _Pixels:
    """RGB pixels (H, W, 3) with transparency laid over white."""
    if picture.mode.startswith("I;16"):  # convert("RGB") would cut everything above 255
        grey = ((np.asarray(picture).astype(np.uint32) + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.has_transparency_data:
        colours = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours)
    return np.asarray(picture.convert("RGB"))


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
