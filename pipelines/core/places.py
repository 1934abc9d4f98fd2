"""Marks the settings that name what a run writes, and tells where a run would write over what it reads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator

from pipelines.core.errors import ConfigError

TABLES = frozenset({".csv", ".json"})
"""How the files end that may lie among pictures without being any."""
HISTORY = "history.csv"
"""The file beside the submissions that collects runs and their scores."""


def record_of(submission: Path) -> Path:
    """Where the run record of a submission lies."""
    return submission.with_suffix(".json")


@dataclass(frozen=True)
class Written:
    """Marks a Path setting as one that a run writes; a Path without a mark is read."""

    folder: bool = False
    """Whether it is a folder of files."""
    beside: Callable[[Path], Mapping[str, Path]] = lambda path: {}
    """The path -> what else is written with it, by what it is."""


@dataclass(frozen=True)
class OfPictures:
    """Marks a Path setting as a folder of which pictures alone are read, so that a table may lie in it."""


def _alone(images: object) -> object:
    """A list of one is as that one: a flag that takes several gives a list."""
    return images[0] if isinstance(images, list) and len(images) == 1 else images


PictureFolder = Annotated[Path, OfPictures()]
Pictures = Annotated[Path | list[Path], BeforeValidator(_alone), OfPictures()]
"""A folder of pictures, one picture, or several of either."""
OutputFile = Annotated[Path, Written()]
OutputFolder = Annotated[Path, Written(folder=True)]
Submission = Annotated[
    Path, Written(beside=lambda path: {"the run record": record_of(path), "the history": path.parent / HISTORY})
]


@dataclass(frozen=True)
class Place:
    """A path that a run reads or writes."""

    what: str
    """Its flag, or what it is: `--boxes`, `the run record`."""
    path: Path
    folder: bool = False
    """Of what is written: whether it is a folder of files."""
    pictures: bool = False
    """Of a folder that is read: whether only its pictures are."""


def written(config: Any) -> list[Place]:  # noqa: ANN401 - any settings class
    """What a run with these settings writes."""
    places = []
    for flag, marks, value in _leaves(config):
        mark = next((mark for mark in marks if isinstance(mark, Written)), None)
        if mark is not None and isinstance(value, Path):
            places.append(Place(flag, value, mark.folder))
            places += [Place(f"{what} of {flag}", path) for what, path in mark.beside(value).items()]
    return places


def read(config: Any, settings: Path | None = None) -> list[Place]:  # noqa: ANN401 - any settings class
    """What a run with these settings reads: they and their file, and the checkpoints that are on this machine."""
    places = [] if settings is None else [Place("--config", settings)]
    for flag, marks, value in _leaves(config):
        if any(isinstance(mark, Written) for mark in marks):
            continue
        pictures = any(isinstance(mark, OfPictures) for mark in marks)
        paths = value if isinstance(value, (list, tuple)) else [value]
        places += [Place(flag, path, pictures=pictures) for path in paths if isinstance(path, Path)]
        if flag.endswith("checkpoint") and isinstance(value, str) and Path(value).exists():
            places.append(Place(flag, Path(value)))
    return places


def clashes(outputs: Sequence[Place], inputs: Sequence[Place]) -> list[str]:
    """A sentence for each output that would be written over an input or over another output.

    A file that is there counts as read where it lies in a folder that is. A folder of outputs is neither one that is
    read nor in one.
    """
    found = []
    for number, output in enumerate(outputs):
        over = next((each for each in inputs if _is_over(output, each)), None)
        twice = next((each for each in outputs[:number] if _is_one(output, each)), None)
        if over is not None:
            found.append(f"{output.what} ({output.path}) would write over its input {over.path} ({over.what})")
        elif twice is not None:
            found.append(f"{output.what} would write over {twice.what}: both are {output.path}")
    return [f"{clash}; name another place" for clash in found]


def check(outputs: Sequence[Place], inputs: Sequence[Place]) -> None:
    """Raises ConfigError for the first of `clashes`; called before the work."""
    for clash in clashes(outputs, inputs):
        raise ConfigError(clash)


def _is_over(output: Place, entry: Place) -> bool:
    if _same(output.path, entry.path):
        return True
    within = entry.path.is_dir() and output.path.resolve().is_relative_to(entry.path.resolve())
    if output.folder or not within:
        return within
    return output.path.exists() and not (entry.pictures and output.path.suffix.lower() in TABLES)


def _is_one(output: Place, other: Place) -> bool:
    return _same(output.path, other.path) and not (output.folder and other.folder)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, also by links and on disks that do not tell upper from lower case."""
    return one.resolve() == other.resolve() or (one.exists() and other.exists() and one.samefile(other))


def _leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, list[object], object]]:  # noqa: ANN401
    """(flag, marks of the type, value) of every setting."""
    for entry in fields(config):
        value = getattr(config, entry.name)
        if is_dataclass(value):
            yield from _leaves(value, "" if entry.name in ("data", "rank") else f"{prefix}{entry.name}.")
        else:
            yield f"--{prefix}{entry.name}".replace("_", "-"), list(_marks(entry.type)), value


def _marks(annotation: Any) -> Iterator[object]:  # noqa: ANN401 - a type expression
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        if not isinstance(part, (Written, OfPictures)):
            yield from _marks(part)
