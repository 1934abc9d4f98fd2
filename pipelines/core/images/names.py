"""Names of files: when two are the same, and those of what a run writes for its images, of which no two share one."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

LONGEST_BYTES = 249
"""Of a name: file systems take 255, of which a file that is being written needs some."""


def file_names(images: Iterable[str], short: Callable[[str], str]) -> dict[str, str]:
    """Image -> its file's name or path: `short(image)`, and where several would have that, or it is too long, its own.

    `images` are ids or paths. One whose short name is what it is called itself keeps it.
    """
    names = {image: short(image) for image in images}
    shared = Counter(map(normal, names.values()))
    return {
        image: name if image == name or (shared[normal(name)] == 1 and _fits(name)) else own_name(image, short)
        for image, name in names.items()
    }


def own_name(image: str, short: Callable[[str], str]) -> str:
    """A name that is this image's alone: its short one with eight digits of its hash before the ending."""
    path = PurePosixPath(short(image))
    mark = f"-{hashlib.sha256(normal(image).encode(errors='surrogateescape')).hexdigest()[:8]}{path.suffix}"
    stem = path.name.removesuffix(path.suffix)
    while not _fits(stem + mark):
        stem = stem[:-1]
    return path.with_name(stem + mark).as_posix()


def _fits(name: str) -> bool:
    return len(PurePosixPath(name).name.encode(errors="surrogateescape")) <= LONGEST_BYTES


def normal(name: str) -> str:
    """A name in NFC: one typed on a Mac may have its Hangul in parts, and is the same."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
