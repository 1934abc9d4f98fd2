"""Photo files to vectors and what else an album keeps of them, through the Runner."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.core.batch_model import Batch
from pipelines.core.checkpoints import file_hash
from pipelines.core.clip import ClipImages
from pipelines.core.errors import ImageError
from pipelines.core.preprocess import resize
from pipelines.search.album import FileState
from pipelines.search.photos import Details, least_side, read_photo

CPU_CHUNK, CHUNK = 8, 16
"""Photos that the network gets at once, on the CPU and elsewhere; always as many."""


@dataclass(frozen=True)
class PhotoFile:
    """A file to look at."""

    id: str
    """Its path in the photos' folder, with / and in NFC."""
    path: Path
    size: int
    """Bytes."""
    mtime_ns: int
    known_hash: str | None = None
    """The content's hash when it was last read, if it was."""


@dataclass(frozen=True)
class Reading:
    """What became of a file: a photo with its vector, a reason why it is none, or neither: it is as it was."""

    state: FileState
    details: Details | None = None
    thumbnail: bytes = b""
    vector: npt.NDArray[np.float16] | None = None
    """Unit vector, float16 (D,)."""
    refusal: str = ""


class PhotoReader:
    """A BatchModel over PhotoFiles. A photo's vector depends on the photo alone, to the last bit.

    Matrix products round differently for other shapes; an album that was made in one go and one that was made in pieces
    would not be equal. So the network always gets as many photos, of which some may be blank.
    """

    auto_start = CPU_CHUNK  # fewer would be filled up with blank ones

    def __init__(self, images: ClipImages, reduced: bool = True) -> None:
        """`reduced`: whether JPEGs are decoded at a reduced size, which changes vectors by less than a thousandth."""
        self.images, self.module = images, images.module
        self.dtypes, self.near_dtypes = images.dtypes, images.near_dtypes
        self.least = least_side(images.spec) if reduced else None

    def prepare(self, files: Sequence[PhotoFile]) -> Batch:
        """`readings`, one a file, and `pixels`, uint8 (B, 3, H, W), of those that are photos to embed."""
        readings, pixels = [], []
        for file in files:
            reading, picture = self._read(file)
            readings.append(reading)
            if picture is not None:
                pixels.append(picture)
        return {"readings": readings, "pixels": torch.stack(pixels) if pixels else torch.empty(0)}

    def predict(self, batch: Batch) -> list[Reading]:
        """One Reading a file."""
        vectors = iter(self._vectors(batch["pixels"]))
        return [
            reading if reading.details is None else replace(reading, vector=next(vectors))
            for reading in batch["readings"]
        ]

    def _read(self, file: PhotoFile) -> tuple[Reading, Tensor | None]:
        """What is known without the network, and the pixels for it."""
        # The size and time are those from before, so that a file that changes meanwhile is looked at again.
        state = FileState(file.size, file.mtime_ns, file_hash(file.path).hexdigest())
        if state.hash == file.known_hash:
            return Reading(state), None
        try:
            photo = read_photo(file.path, self.least)
            pixels = resize(photo.pixels, self.images.spec)
        except ImageError as error:
            return Reading(state, refusal=str(error)), None
        return Reading(state, photo.details, photo.thumbnail), pixels

    def _vectors(self, pixels: Tensor) -> Iterable[npt.NDArray[np.float16]]:
        """float16 (D,) for each of uint8 (B, 3, H, W)."""
        size = CPU_CHUNK if pixels.device.type == "cpu" else CHUNK
        for start in range(0, len(pixels), size):
            chunk = pixels[start : start + size]
            missing = size - len(chunk)
            found = self.images.predict({"pixels": F.pad(chunk, (0, 0, 0, 0, 0, 0, 0, missing))})
            yield from (vector.half().numpy() for vector in found[: len(chunk)])


def photo_id(path: Path, folder: Path) -> str:
    """A file's id: its path in the folder, in NFC, so that it is the same however the file system writes Hangul."""
    return unicodedata.normalize("NFC", path.relative_to(folder).as_posix())


def photo_path(folder: Path, key: str) -> Path:
    """The file of an id, which an archive from a Mac may have named in NFD."""
    decomposed = folder / unicodedata.normalize("NFD", key)
    return decomposed if decomposed.exists() else folder / key
