"""Tells the normal images from those to score: an MVTec-like tree of one category or several, or two plain folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.core.errors import InputError
from pipelines.core.images.folders import list_images, subfolders
from pipelines.core.images.samples import Sample
from pipelines.core.images.sets import one_set

WHOLE = "all"
"""The category where there is only one."""
NORMAL, TEST = Path("train/good"), Path("test")  # of a category in MVTec AD's layout


@dataclass(frozen=True)
class Folders:
    """The images of a run."""

    root: Path
    normals: Mapping[str, Sequence[Path]]
    """Category -> its normal images; none where a fitted model stands for them."""
    tests: Sequence[Path]
    """The images to score, of all categories; never a mask."""

    def category(self, sample: Sample) -> str:
        """The category that an image to score belongs to."""
        first = sample.path.relative_to(self.root).parts[0]
        # A path in no category names no file, and decoding will say so.
        return first if first in self.normals else next(iter(self.normals))


def read_folders(
    images: Path, normal: Path | None = None, fitting: bool = True, ignore: Sequence[str] = (), white: int | None = None
) -> Folders:
    """Lists the images of `normal` and of `images`, or without `normal` of the tree at `images`.

    Where nothing is to be fitted, normal images are not looked for, and `images` may be any folder. `ignore` and
    `white` are as the settings have them, for all of these images. Raises InputError where images are missing, or where
    the normal images are the ones to score.
    """
    one_set([images] if normal is None else [images, normal], ignore, white)
    if normal is not None:
        return _plain(images, normal, ignore)
    if not images.is_dir():
        list_images(images)  # raises
    categories = {WHOLE: images} if _is_category(images) else _categories(images, ignore)
    if not categories:
        if fitting:
            raise InputError(
                f"expected {NORMAL.as_posix()} with normal images in {images} or in its subfolders, found none; "
                "name the folder of the normal images with --normal"
            )
        return Folders(images, {WHOLE: []}, list_images(images, ignore))
    normals = {
        name: list_images(folder / NORMAL, ignore, images) if fitting else [] for name, folder in categories.items()
    }
    tested = [folder / TEST for folder in categories.values() if (folder / TEST).is_dir()]
    if not tested:
        raise InputError(f"expected images to score in {TEST} of {images} or of its subfolders, found no such folder")
    return Folders(images, normals, [path for folder in tested for path in list_images(folder, ignore, images)])


def _is_category(folder: Path) -> bool:
    return (folder / NORMAL).is_dir() or (folder / TEST).is_dir()


def _categories(root: Path, ignore: Sequence[str]) -> dict[str, Path]:
    return {folder.name: folder for folder in subfolders(root, ignore) if _is_category(folder)}


def _plain(images: Path, normal: Path, ignore: Sequence[str]) -> Folders:
    """Two folders; where one lies in the other, its images count as its own only."""
    inner, outer = normal.resolve(), images.resolve()
    if inner == outer:
        raise InputError(f"expected normal images apart from those to score, found {normal} named for both")
    tests, normals = list_images(images, ignore), list_images(normal, ignore)
    if inner.is_relative_to(outer):
        tests = [path for path in tests if not path.resolve().is_relative_to(inner)]
    if outer.is_relative_to(inner):
        normals = [path for path in normals if not path.resolve().is_relative_to(outer)]
    for folder, found, what in ((images, tests, "to score"), (normal, normals, "that are normal")):
        if not found:
            raise InputError(f"expected images {what} in {folder}, found only those of the other folder")
    return Folders(images, {WHOLE: normals}, tests)
