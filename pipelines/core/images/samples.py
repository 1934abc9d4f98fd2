"""Lists a run's items: which ids there are, in which order, and which file each one names; nothing is decoded here."""

import codecs
import csv
import io
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.core.config import DataConfig
from pipelines.core.errors import InputError
from pipelines.core.images.folders import list_images
from pipelines.core.images.kinds import ENDINGS
from pipelines.core.images.sets import one_set

MAX_BYTES = 200_000_000
"""Of a CSV: some millions of rows. A larger file is something else, or would fill the memory as a table."""
LONGEST_NAME = 80
"""Letters of an id that a message shows; a file's name ends at 255 bytes."""


@dataclass(frozen=True)
class Sample:
    """One row to be: its id, verbatim as the CSV has it, and the image file that it names."""

    id: str
    path: Path
    fields: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The other columns of its row in the test CSV, such as a prompt."""


@dataclass(frozen=True)
class Table:
    """A CSV as text: every cell verbatim."""

    path: Path
    columns: list[str]
    rows: list[dict[str, str]]


def read_table(path: Path) -> Table:
    """Reads a CSV (UTF-8 with or without BOM, else cp949) without touching a cell: `0001` and `NA` stay as they are.

    Raises InputError, naming the file and line, where it is no CSV with a header and rows of its width.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        lines = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not valid CSV: {error}; look for a quote too many") from None
    if not lines:
        raise InputError(f"expected a CSV with a header line in {path}, found an empty file")
    columns = [name.strip() for name in lines[0][1]]
    if len(set(columns)) < len(columns):
        repeated = next(name for name in columns if columns.count(name) > 1)
        raise InputError(f"{path}: expected column names that differ, found {repeated!r} again")
    separator = next((mark for mark in ";\t" if mark in columns[0]), None)
    if len(columns) == 1 and separator:
        raise InputError(f"{path}: expected commas between the columns, found {separator!r}; save it with commas")
    for number, row in lines[1:]:
        if len(row) != len(columns):
            raise InputError(f"{path}, line {number}: expected {len(columns)} cells as in the header, found {len(row)}")
    return Table(path, columns, [dict(zip(columns, row, strict=True)) for _, row in lines[1:]])


def id_column(table: Table, wanted: str | None) -> str:
    """The name of the table's id column: the one asked for, else the first. Raises InputError where it is missing."""
    if wanted is not None and wanted not in table.columns:
        raise InputError(f"{table.path}: expected a column `{wanted}`, found the columns {', '.join(table.columns)}")
    return wanted or table.columns[0]


def read_samples(data: DataConfig, images: Sequence[Path] | None = None) -> list[Sample]:
    """The run's items: ids and order from the sample submission or the test CSV, else one per image of the folder.

    `images` are the files of the folder that count, where not all do.
    An id names its file with or without ending and subfolder, in NFC or NFD. An id whose file is missing stays, and
    becomes a blank row. Raises InputError for duplicate ids, ids that differ between the two CSVs, or where no id at
    all has a file.
    """
    if images is None:
        images = list_images(data.images, data.ignore)
        one_set([data.images], data.ignore, data.white)
    sources = [read_table(path) for path in (data.sample_submission, data.test_csv) if path is not None]
    if not sources:
        _check_differ(data.images, images)
        return [Sample(_normal(path.relative_to(data.images).as_posix()), path) for path in images]
    keyed = [_by_id(table, data.id_column) for table in sources]
    if len(keyed) == 2:
        _same_ids(sources, keyed)
    find = Finder(data.images, images)
    samples = [Sample(key, find(key, row), row) for key, row in keyed[-1].items()]
    if len(keyed) == 2:  # the sample submission's order, the test CSV's fields
        by_id = {sample.id: sample for sample in samples}
        samples = [by_id[key] for key in keyed[0]]
    if not samples:
        raise InputError(f"expected rows below the header of {sources[-1].path}, found none")
    if {sample.path for sample in samples}.isdisjoint(images):
        raise InputError(
            f"expected the images of {sources[-1].path} in {data.images}, found none of its {len(samples)} ids there, "
            f"such as {samples[0].id!r}; the folder has {images[0].name!r}"
        )
    return samples


class Finder:
    """Finds the file that an id means, among the images of a folder and nowhere else."""

    def __init__(self, folder: Path, images: Sequence[Path]) -> None:
        self.folder = folder
        self.known: dict[str, Path | None] = {}
        """Every name that an id may have, in NFC -> its file; None where several files have it."""
        for path in images:
            relative = path.relative_to(folder)
            for name in {relative.as_posix(), relative.with_suffix("").as_posix(), relative.name, relative.stem}:
                key = _normal(name)
                self.known[key] = None if key in self.known else path  # None: several files of that name
        for path in images:  # a whole path is never ambiguous
            self.known[_normal(path.relative_to(folder).as_posix())] = path
        self.deepest = max((name.count("/") + 1 for name in self.known), default=0)

    def __call__(self, key: str, row: Mapping[str, str]) -> Path:
        """The file of id `key`; where the id is no file's name, the one that a path column of its row names."""
        cells = [cell.strip() for cell in row.values() if Path(cell.strip()).suffix.lower() in ENDINGS]
        for text in dict.fromkeys([key, key.strip(), *cells]):
            parts = _normal(text).removeprefix("./").split("/")
            for start in range(
                max(0, len(parts) - self.deepest), len(parts)
            ):  # `test/0001.jpg` where the folder given is `test` itself
                path = self.known.get("/".join(parts[start:]))
                if path is not None:
                    return path
        name = _harmless(key)
        taken = os.path.lexists(self.folder / name)  # by a folder, a hidden file, or one of several of that name
        return self.folder / (f"{name} (not among the images)" if taken else name)


def _harmless(key: str) -> str:
    """A file name for an id without a file: it names what is missing and leads nowhere else."""
    name = key.replace("/", "_").replace("\\", "_").replace("\0", "") or "(empty id)"
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."


def _bytes(path: Path) -> bytes:
    """The file's content. Raises OSError or ValueError for what is no file, which might never end, or too large."""
    if path.exists() and not path.is_file():
        raise ValueError(f"found {'a folder' if path.is_dir() else 'something that is no file'}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES // 10**6} MB")
    return path.read_bytes()


def read_text(path: Path) -> str:
    """The text of the CSV at `path`: UTF-8 with or without BOM, else cp949. Raises InputError."""
    try:
        data = _bytes(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"expected a CSV file at {path}, but it cannot be read: {reason}") from None
    for encoding in ("utf-8", "cp949"):
        try:
            text = data.removeprefix(codecs.BOM_UTF8).decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:  # UTF-16 and binary files have them
            return text
    raise InputError(f"expected text in UTF-8 or cp949 in {path}, found neither; save it again as UTF-8")


def _by_id(table: Table, wanted: str | None) -> dict[str, dict[str, str]]:
    column = id_column(table, wanted)
    keyed: dict[str, dict[str, str]] = {}
    for row in table.rows:
        if row[column] in keyed:
            raise InputError(f"{table.path}: expected each id once in column `{column}`, found {row[column]!r} again")
        keyed[row[column]] = {name: value for name, value in row.items() if name != column}
    return keyed


def _check_differ(folder: Path, images: Sequence[Path]) -> None:
    """Raises InputError for files whose names differ in NFC and NFD only: they would get rows of the same id."""
    names: dict[str, Path] = {}
    for path in images:
        if names.setdefault(_normal(path.relative_to(folder).as_posix()), path) != path:
            raise InputError(
                f"expected names that differ in {folder}, found {path.name!r} twice, once as a Mac writes it (NFD); "
                "remove one of them"
            )


def _same_ids(sources: list[Table], keyed: list[dict[str, dict[str, str]]]) -> None:
    for this, other in ((0, 1), (1, 0)):
        extra = [key for key in keyed[this] if key not in keyed[other]]
        if extra:
            raise InputError(
                f"expected the same ids in {sources[0].path} and {sources[1].path}, found {len(extra)} only in "
                f"{sources[this].path}, such as {', '.join(map(repr, extra[:3]))}"
            )


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)
