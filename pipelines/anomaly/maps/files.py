"""Keeps anomaly maps as files, and finds the masks that they are held against, both by the images' names."""

import unicodedata
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from torch import Tensor

from pipelines.core.errors import InputError, SubmissionError
from pipelines.core.images.decode import decode
from pipelines.core.images.kinds import ENDINGS
from pipelines.core.images.names import own_name
from pipelines.core.submission.writing import check_writable

TEST, TRUTH = "test", "ground_truth"  # folders of a category in MVTec AD's layout


def map_name(image: str) -> str:
    """What the map of an image is called: as its relative path with / in between, the ending replaced.

    Several images may have one name, `a.jpg` and `a.png`: `core.images.names` gives each its own.
    """
    return f"{_without_ending(image)}.npy"


def map_path(folder: Path, image: str) -> Path:
    """Where the map of an image lies: under its own name, where others have the same short one, else under that."""
    own = folder / own_name(image, map_name)
    return own if own.is_file() else folder / map_name(image)


def write_map(path: Path, heat: Tensor) -> None:
    """Writes a map, float32 (h, w), whole or not at all. Raises SubmissionError where that cannot be."""
    check_writable(path)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            np.save(file, heat.numpy())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise SubmissionError(f"expected to write the map {path}, but it cannot be: {error.strerror}") from None


def read_map(path: Path) -> npt.NDArray[np.float32]:
    """A map (h, w) that `write_map` or another program wrote. Raises InputError for anything else."""
    try:
        heat = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        why = "there is none" if isinstance(error, FileNotFoundError) else f"it cannot be read: {error}"
        raise InputError(f"expected an anomaly map at {path}, but {why}; --save-maps writes one an image") from None
    if (
        not isinstance(heat, np.ndarray)
        or heat.ndim != 2
        or heat.dtype.kind not in "fiu"
        or not np.isfinite(heat).all()
    ):
        raise InputError(f"expected finite numbers (h, w) in the anomaly map {path}, found something else")
    return heat.astype(np.float32, copy=False)


def mask_path(folder: Path, image: str) -> Path:
    """The mask of an anomalous image, as MVTec AD lays them out: `bottle/test/hole/000.png` has its own at
    `bottle/ground_truth/hole/000_mask.png` or `000.png`; an image in no folder `test`, at its own path in `folder`.

    Raises InputError where there is neither.
    """
    *folders, stem = _without_ending(image).split("/")
    if TEST in folders:
        last = len(folders) - 1 - folders[::-1].index(TEST)
        folders[last] = TRUTH
    candidates = [folder.joinpath(*folders, f"{stem}{ending}.png") for ending in ("_mask", "")]
    for path in candidates:
        if path.is_file():
            return path
    raise InputError(f"expected the mask of the anomalous image {image!r} at {candidates[0]}, found none")


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """A mask (H, W), true where the image is anomalous: wherever it is not black. Raises ImageError."""
    return decode(path).amax(0).numpy() > 0


def _without_ending(image: str) -> str:
    name = unicodedata.normalize("NFC", image)
    ending = PurePosixPath(name).suffix
    return name.removesuffix(ending) if ending.lower() in ENDINGS else name
