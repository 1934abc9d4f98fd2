"""Lists a run's items: which ids there are, in which order, and which file each one names; nothing is decoded here."""

import codecs
import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from pipelines.core.config import DataConfig
from pipelines.core.errors import InputError
from pipelines.core.images.folders import list_images
from pipelines.core.images.kinds import ENDINGS
from pipelines.core.images.names import normal
from pipelines.core.images.sets import one_set

MAX_BYTES = 200_000_000
"""Of a CSV: some millions of rows. A larger file is something else, or would fill the memory as a table."""
PACKED = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook; unpack it, or save the sheet as CSV (UTF-8)",
    b"\x1f\x8b": "a file packed by gzip; unpack it",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save the sheet as CSV (UTF-8)",
}
"""First bytes of files that are taken for a CSV -> what they are, and what to do."""
INDEX_COLUMN = re.compile(r"(unnamed: ?\d+)?", re.IGNORECASE)
"""What pandas calls the row numbers that it adds: nothing, and `Unnamed: 0` once read and written again."""

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
    """Reads a CSV without touching a cell: `0001` and `NA` stay as they are.

    UTF-8 with or without BOM, UTF-16 with one, else cp949.
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
    """The name of the table's id column: the one asked for, else the first that is no row numbers but of names.

    Raises InputError where it is missing.
    """
    if wanted is not None and wanted not in table.columns:
        raise InputError(f"{table.path}: expected a column `{wanted}`, found the columns {', '.join(table.columns)}")
    return wanted or first_of_ids(table.columns, [list(row.values()) for row in table.rows])


def first_of_ids(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column; behind pandas' row numbers the next one, where its cells differ as ids do."""
    if len(columns) > 1 and numbers_rows(columns[0], [row[0] for row in rows]):
        cells = [row[1].strip() for row in rows]
        if all(cells) and len(set(cells)) == len(cells) and not is_index(columns[1]):
            return columns[1]
    return columns[0]


def is_index(column: str) -> bool:
    """Whether a column is called as the row numbers that pandas adds."""
    return INDEX_COLUMN.fullmatch(column) is not None


def numbers_rows(column: str, cells: Sequence[str]) -> bool:
    """Whether a column is the row numbers that pandas adds, by its name and its cells."""
    first = int(cells[0]) if cells and re.fullmatch("[0-9]{1,9}", cells[0]) else None
    counted = first is not None and all(cell == str(number) for number, cell in enumerate(cells, start=first))
    return is_index(column) and counted


def images_of(data: DataConfig) -> list[Path]:
    """The image files that the settings name: those of a folder, or those given one by one. Raises InputError."""
    named = data.images if isinstance(data.images, list) else [data.images]
    found = [path for each in named for path in ([each] if each.is_file() else list_images(each, data.ignore))]
    folder = data.folder
    below = (path if path.is_relative_to(folder) else path.absolute() for path in found)
    return sorted(dict.fromkeys(below), key=lambda path: normal(path.relative_to(folder).as_posix()))


def read_samples(data: DataConfig, images: Sequence[Path] | None = None) -> list[Sample]:
    """The run's items: ids and order from the sample submission or the test CSV, else one per image of the folder.

    `images` are the files of the folder that count, where not all do.
    An id names its file with or without ending and subfolder, in NFC or NFD, or else by its last part (see `Finder`).
    An id whose file is missing stays, and becomes a blank row. Raises InputError for duplicate ids, ids that differ
    between the two CSVs, or where no id at all has a file.
    """
    folder = data.folder
    if images is None:
        images = images_of(data)
        named = data.images if isinstance(data.images, list) else [data.images]
        one_set([path.parent if path.is_file() else path for path in named], data.ignore, data.white)
    sources = [read_table(path) for path in (data.sample_submission, data.test_csv) if path is not None]
    if not sources:
        _check_differ(folder, images)
        return [Sample(normal(path.relative_to(folder).as_posix()), path) for path in images]
    keyed = [_by_id(table, data.id_column) for table in sources]
    if len(keyed) == 2:
        _same_ids(sources, keyed)
    paths = Finder(folder, images).all(keyed[-1]).paths
    samples = [Sample(key, paths[key], row) for key, row in keyed[-1].items()]
    if len(keyed) == 2:  # the sample submission's order, the test CSV's fields
        by_id = {sample.id: sample for sample in samples}
        samples = [by_id[key] for key in keyed[0]]
    if not samples:
        raise InputError(f"expected rows below the header of {sources[-1].path}, found none")
    if {sample.path for sample in samples}.isdisjoint(images):
        raise InputError(
            f"expected the images of {sources[-1].path} in {folder}, found none of its {len(samples)} ids there, "
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
                key = normal(name)
                self.known[key] = None if key in self.known else path  # None: several files of that name
        for path in images:  # a whole path is never ambiguous
            self.known[normal(path.relative_to(folder).as_posix())] = path
        self.deepest = max((name.count("/") + 1 for name in self.known), default=0)

    def __call__(self, key: str, row: Mapping[str, str]) -> Path:
        """The file of id `key`; where the id is no file's name, the one that a path column of its row names."""
        return self._first(_texts(key, row)) or self._nowhere(key)

    def all(self, keyed: Mapping[str, Mapping[str, str]]) -> "Found":
        """The files of all ids (id -> its row).

        What is no file's name, such as a path of Windows or one that ends otherwise, means the file that its last part
        names, where that is one file and no other id's.
        """
        exactly = {key: self._first(_texts(key, row)) for key, row in keyed.items()}
        taken = set(exactly.values())
        guessed = {key: self._by_last_part(_texts(key, keyed[key])) for key, path in exactly.items() if path is None}
        times = Counter(guessed.values())
        loosely = {key: path for key, path in guessed.items() if path and path not in taken and times[path] == 1}
        paths = {key: path or loosely.get(key) or self._nowhere(key) for key, path in exactly.items()}
        return Found(paths, loosely)

    def _first(self, texts: Iterable[str]) -> Path | None:
        for text in texts:
            parts = normal(text).removeprefix("./").split("/")
            for start in range(
                max(0, len(parts) - self.deepest), len(parts)
            ):  # `test/0001.jpg` where the folder given is `test` itself
                path = self.known.get("/".join(parts[start:]))
                if path is not None:
                    return path
        return None

    def _by_last_part(self, texts: Iterable[str]) -> Path | None:
        for text in texts:
            name = PureWindowsPath(normal(text)).name
            stem = PurePosixPath(name).stem if Path(name).suffix.lower() in ENDINGS else name
            path = self._first([text.replace("\\", "/")]) or self.known.get(stem)
            if path is not None:
                return path
        return None

    def _nowhere(self, key: str) -> Path:
        name = _harmless(key)
        taken = os.path.lexists(self.folder / name)  # by a folder, a hidden file, or one of several of that name
        return self.folder / (f"{name} (not among the images)" if taken else name)


@dataclass(frozen=True)
class Found:
    """The files that ids mean."""

    paths: Mapping[str, Path]
    """Of each id; a path that does not exist where no file was found."""
    loosely: Mapping[str, Path]
    """Of those that were found by their last part alone."""


def _texts(key: str, row: Mapping[str, str]) -> list[str]:
    """What may name an id's file: the id, and the cells of its row that look like pictures' paths."""
    cells = [cell.strip() for cell in row.values() if Path(cell.strip()).suffix.lower() in ENDINGS]
    return list(dict.fromkeys([key, key.strip(), *cells]))


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
    """The text of the CSV at `path`: UTF-8 with or without BOM, UTF-16 with one, else cp949. Raises InputError."""
    try:
        data = _bytes(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"expected a CSV file at {path}, but it cannot be read: {reason}") from None
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not data.startswith(codecs.BOM_UTF32_LE):
        with suppress(UnicodeDecodeError):
            text = data.decode("utf-16")
            if "\n" in text and "\0" not in text:  # two bytes of anything are a letter of something
                return text
    packed = next((what for start, what in PACKED.items() if data.startswith(start)), None)
    if packed is not None:
        raise InputError(f"expected a CSV file at {path}, found {packed}")
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
        if names.setdefault(normal(path.relative_to(folder).as_posix()), path) != path:
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
