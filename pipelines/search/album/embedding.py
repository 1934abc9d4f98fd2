"""Photo files to vectors and what else an album keeps of them, through the Runner."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipelines.core.errors import ImageError
from pipelines.core.networks.checkpoints import file_hash
from pipelines.core.networks.clip import ClipImages
from pipelines.core.networks.pictures import together
from pipelines.core.running.batch_model import Batch
from pipelines.search.album.album import FileState
from pipelines.search.album.photos import Details, least_side, read_photo

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
    would not be equal. So the network always gets as many photos; the last one fills up what is missing.
    """

    auto_start = CPU_CHUNK  # fewer would be filled up

    def __init__(self, images: ClipImages, reduced: bool = True) -> None:
        """`reduced`: whether JPEGs are decoded at a reduced size, which changes vectors by less than a thousandth."""
        self.images, self.module = images, images.module
        self.dtypes, self.near_dtypes = images.dtypes, images.near_dtypes
        self.least = least_side(images.pictures.spec) if reduced else None

    def prepare(self, files: Sequence[PhotoFile]) -> Batch:
        """`readings`, one a file, and what `Pictures.one` gives of those that are photos to embed, (B, ...)."""
        readings, pictures = [], []
        for file in files:
            reading, picture = self._read(file)
            readings.append(reading)
            if picture is not None:
                pictures.append(picture)
        return {"readings": readings} | (together(pictures) if pictures else {})

    def predict(self, batch: Batch) -> list[Reading]:
        """One Reading a file."""
        pictures = {name: value for name, value in batch.items() if name != "readings"}
        vectors = iter(self._vectors(pictures) if pictures else [])
        return [
            reading if reading.details is None else replace(reading, vector=next(vectors))
            for reading in batch["readings"]
        ]

    def _read(self, file: PhotoFile) -> tuple[Reading, Batch | None]:
        """What is known without the network, and the picture for it."""
        # The size and time are those from before, so that a file that changes meanwhile is looked at again.
        state = FileState(file.size, file.mtime_ns, file_hash(file.path).hexdigest())
        if state.hash == file.known_hash:
            return Reading(state), None
        try:
            photo = read_photo(file.path, self.least)
            picture = self.images.pictures.one(photo.pixels)
        except ImageError as error:
            return Reading(state, refusal=str(error)), None
        return Reading(state, photo.details, photo.thumbnail), picture

    def _vectors(self, pictures: dict[str, Tensor]) -> Iterable[npt.NDArray[np.float16]]:
        """float16 (D,) for each of B pictures, tensors (B, ...)."""
        first = next(iter(pictures.values()))
        size, count = CPU_CHUNK if first.device.type == "cpu" else CHUNK, len(first)
        for start in range(0, count, size):
            places = torch.arange(start, start + size, device=first.device).clamp(max=count - 1)
            found = self.images.predict({name: value[places] for name, value in pictures.items()})
            yield from (vector.half().numpy() for vector in found[: count - start])


def photo_id(path: Path, folder: Path) -> str:
    """A file's id: its path in the folder, in NFC, so that it is the same however the file system writes Hangul."""
    return unicodedata.normalize("NFC", path.relative_to(folder).as_posix())


def photo_path(folder: Path, key: str) -> Path:
    """The file of an id, which an archive from a Mac may have named in NFD."""
    decomposed = folder / unicodedata.normalize("NFD", key)
    return decomposed if decomposed.exists() else folder / key
