"""Opens a picture's file and has it looked at; what is damaged is shown as far as it goes, what is none is named."""

import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import IO, TypeVar

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from pipelines.core.errors import ImageError
from pipelines.core.images.kinds import FORMATS, HEAD_BYTES, told
from pipelines.core.notes import notice

Seen = TypeVar("Seen")

MAX_PIXELS = 200_000_000
"""Larger pictures are refused before they are decoded: as RGB this is 0.6 GB."""
MAX_BYTES = 512_000_000
"""Larger files are refused unopened: Pillow reads WebP and AVIF whole, whatever follows the picture in the file."""
LARGE_PIXELS = 50_000_000
"""Larger pictures, and files that are larger than so many pixels are as RGB, are decoded one at a time."""
Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow would refuse from 179 megapixels and warn from 89; ours is checked here
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # what it warns of is refused here

# Bound now because importing ultralytics replaces Image.open by one that installs a package when a file is no picture.
_open = Image.open

_large = threading.RLock()
"""Held while something large is decoded, at up to 17 bytes a pixel: no second worker may add as many."""

_showing = ContextVar("_showing", default=False)


class _Showing:
    """Stands for Pillow's switch, which is one for all threads: true only where this thread shows what is damaged."""

    def __bool__(self) -> bool:
        return _showing.get()


ImageFile.LOAD_TRUNCATED_IMAGES = _Showing()  # type: ignore[assignment]


def look(path: Path, at: Callable[[ImageFile.ImageFile], Seen]) -> Seen:
    """What `at` gives of the picture, whose header is read and of which nothing is decoded.

    A damaged picture is looked at again as far as Pillow can show it, and that is noticed (see `notes`). Raises
    ImageError, naming the file and what it is, where that cannot be, and for what is no picture in one of FORMATS of
    at most MAX_PIXELS and MAX_BYTES.
    """
    size = _file_size(path)
    with alone(size > 3 * LARGE_PIXELS):
        try:
            with _opened(path) as picture:
                return at(picture)
        except (MemoryError, ImageError):
            raise
        except Exception as error:  # a damaged file makes Pillow's readers raise almost anything
            damage = error
        try:
            with _shown_anyway(), _opened(path) as picture:
                seen = at(picture)
        except MemoryError:
            raise
        except Exception:
            raise ImageError(
                f"{path}: expected a whole picture, found {_named(path)} that cannot be decoded: {_text(damage)}"
            ) from damage
    notice(path, f"damaged, and used as far as it can be shown: {_text(damage)}")
    return seen


def showing_damage() -> bool:
    """Whether what is read now is known to be damaged, and only to be shown as far as that goes."""
    return _showing.get()


def alone(large: bool = True) -> AbstractContextManager[object]:
    """Waits until no other thread decodes something large, where this is `large` itself."""
    return _large if large else nullcontext()


def orientation_of(picture: ImageFile.ImageFile) -> int:
    """The EXIF orientation that is left to apply: 1 (none) to 8."""
    if picture.format in ("TIFF", "HEIF"):
        return 1  # applied to the size and the pixels by their readers
    try:
        # The base class's method: the PNG reader's own would decode the picture to look for EXIF behind it.
        return int(Image.Image.getexif(picture).get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1  # broken EXIF: viewers show such a picture as it is stored


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile.ImageFile]:
    """The picture with its header read."""
    try:
        with path.open("rb") as file, _header(path, file) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{width}x{height}")
            yield picture
    except Image.DecompressionBombError as error:  # raised above, or by Pillow for a picture more than twice as large
        raise ImageError(
            f"{path}: expected at most {MAX_PIXELS // 10**6} megapixels, found more: {error}; make the picture smaller"
        ) from None
    except OSError as error:
        if error.filename is None:
            raise
        raise ImageError(f"expected a picture at {path}, found nothing that can be read: {error.strerror}") from None


def _header(path: Path, file: IO[bytes]) -> ImageFile.ImageFile:
    """The picture in an open file. Raises ImageError for what is none, else what Pillow raises of a damaged header."""
    head = file.read(HEAD_BYTES)
    kind, words = told(head)
    if words and not kind:
        raise ImageError(
            f"{path}: expected a picture ({', '.join(FORMATS)}), found {words} inside; convert or remove it"
        )
    if kind == "HEIF" and kind not in Image.OPEN:
        import pi_heif  # of its kind only: it is a library of its own

        pi_heif.register_heif_opener()
    file.seek(0)
    try:
        return _open(file, formats=(kind,) if kind else [each for each in FORMATS if each != "HEIF"])
    except UnidentifiedImageError:
        if not kind:
            raise ImageError(
                f"{path}: expected a picture ({', '.join(FORMATS)}), found a file that is none of these inside; "
                "convert or remove it"
            ) from None
    file.seek(0)
    return Image.OPEN[kind][0](file, "")  # raises what Image.open kept for itself


@contextmanager
def _shown_anyway() -> Iterator[None]:
    before = _showing.set(True)
    try:
        yield
    finally:
        _showing.reset(before)


def _named(path: Path) -> str:
    """What a file is by its beginning."""
    try:
        with path.open("rb") as file:
            return told(file.read(HEAD_BYTES))[1] or "one"
    except OSError:
        return "one"


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


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
