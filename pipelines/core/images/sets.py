"""Which folders' pictures belong together, so that what one of them shows holds for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass
class PictureSet:
    """Pictures that are to look alike: one white for all of them."""

    folders: Sequence[Path]
    ignore: Sequence[str]
    white: int | None
    """What is white in 16-bit pictures; None until the first of them asks."""
    measured: bool = False
    """Whether it was found by looking at them."""


_sets: dict[Path, PictureSet] = {}


def one_set(folders: Sequence[Path], ignore: Sequence[str] = (), white: int | None = None) -> None:
    """Says that the pictures of these folders are one set, of which `white` is the white where it is given."""
    made = PictureSet(tuple(folders), tuple(ignore), white)
    for folder in folders:
        _sets[folder.absolute()] = made


def set_of(path: Path) -> PictureSet | None:
    """The set that a file belongs to; of sets within each other the outermost: a tree's categories are one."""
    around = [_sets[folder] for folder in path.absolute().parents if folder in _sets]
    return around[-1] if around else None
