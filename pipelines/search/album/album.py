"""Keeps an album: a folder of two LanceDB tables, a row a photo, which opens whole wherever its writing was cut off."""

import fcntl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from pyarrow import compute
from torch import Tensor

from pipelines.core.errors import InputError
from pipelines.search.album.place import OPTIONS, QUICK, Place, Remote, said, unreachable

PHOTOS, UNREADABLE = "photos", "unreadable"
"""The tables. What could not be read has one of its own, so that every row of the other has a vector."""
NAMES = "albums"
"""In object storage there is one more table, beside the albums, with their names."""
MOST_FRAGMENTS = 32
"""Each batch that is put in is a fragment; beyond so many they are merged, which rewrites the table."""
KEPT = timedelta(hours=1)
"""How long what was merged or replaced stays on disk, for those who are just reading it."""
IDS_AT_ONCE = 500
"""Ids named in one SQL condition."""
ROWS_AT_ONCE = 100_000
"""Rows that Lance hands over at a time; its own 1,024 take ten times as long for numbers alone."""

Row = Mapping[str, Any]
"""Column -> value of one photo."""


@dataclass(frozen=True)
class About:
    """What an album was made of; kept as metadata of its table, so that there is never the one without the other."""

    folder: str
    """The photos' folder, absolute."""
    checkpoint: str
    """As it was named: a hub id or a folder."""
    fingerprint: str
    """Of the checkpoint's weights."""

    def metadata(self) -> dict[str, str]:
        """As a schema's metadata."""
        return {"folder": self.folder, "checkpoint": self.checkpoint, "fingerprint": self.fingerprint}


@dataclass(frozen=True)
class FileState:
    """A file as it was when it was last read."""

    size: int
    """Bytes."""
    mtime_ns: int
    hash: str
    """SHA-256, hex."""


@dataclass(frozen=True)
class Vectors:
    """All vectors of an album, sorted by id."""

    ids: Sequence[str]
    matrix: Tensor
    """float16 (N, D), unit vectors."""
    rows: npt.NDArray[np.uint64]
    """Lance's number of each row, (N,); good for one version of the table."""

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or not len(self.matrix) == len(self.ids) == len(self.rows):
            raise ValueError(f"expected a vector an id, found {tuple(self.matrix.shape)} for {len(self.ids)} ids")


class Album:
    """An open album; what is read is always its latest state. Whoever writes holds `writing` meanwhile."""

    def __init__(self, path: Place, photos: Any, unreadable: Any, about: About) -> None:  # noqa: ANN401 - Lance tables
        """Use `open_album` or `make_album`."""
        self.path, self.photos, self.unreadable, self.about = path, photos, unreadable, about
        self._loaded: tuple[int, Vectors] | None = None

    def __len__(self) -> int:
        return int(self.photos.count_rows())

    def known(self) -> dict[str, FileState]:
        """Id -> the state of each photo's file."""
        return _states(self.photos)

    def refused(self) -> dict[str, tuple[FileState, str]]:
        """Id -> the state of each file that could not be read, and why it could not."""
        reasons = self.unreadable.search().select(["id", "reason"]).to_arrow().to_pylist()
        states = _states(self.unreadable)
        return {row["id"]: (states[row["id"]], row["reason"]) for row in reasons}

    def vectors(self) -> Vectors:
        """The vectors as they are now, to be kept; read again only where the album has changed."""
        version = self.photos.version  # before they are read: what changes meanwhile is read again the next time
        if self._loaded is None or self._loaded[0] != version:
            self._loaded = version, self.read(self.photos.search())
        return self._loaded[1]

    def read(self, query: Any, where: str | None = None, also: Sequence[str] = ()) -> Vectors:  # noqa: ANN401 - Lance's
        """The vectors of what a query finds of the photos for which an SQL condition over the columns holds.

        `also`: more columns that Lance wants to be named. Raises InputError.
        """
        return _vectors(_matching(query, where, ["_rowid", "id", "vector", *also]))

    def rows(self, ids: Sequence[str], columns: Sequence[str]) -> dict[str, Row]:
        """Id -> the named columns of the photos that there are."""
        found: dict[str, Row] = {}
        for some in _in_parts(ids):
            query = self.photos.search().where(_one_of(some)).select(["id", *columns])
            found |= {row["id"]: row for row in query.to_arrow().to_pylist()}
        return found

    def ids(self, where: str) -> set[str]:
        """The ids of the photos for which an SQL condition over the columns holds. Raises InputError."""
        return set(_matching(self.photos.search(), where, ["id"])["id"].to_pylist())

    def places(self, where: str) -> tuple[Vectors, Tensor]:
        """The vectors, and the places (int64, rising) of those for which an SQL condition holds. Raises InputError."""
        while True:
            before = self.photos.version
            vectors = self.vectors()
            rows = _matching(self.photos.search(), where, ["_rowid"])["_rowid"].combine_chunks()
            if before == self.photos.version:  # else the numbers may be those of other photos
                chosen = compute.is_in(pa.array(vectors.rows), value_set=rows).to_numpy(zero_copy_only=False)
                return vectors, torch.from_numpy(np.flatnonzero(chosen))

    def left(self, where: str, most: int) -> tuple[int, Vectors | None]:
        """How many photos an SQL condition leaves, and if these are at most `most` their vectors. Raises InputError."""
        while True:
            before = self.photos.version
            rows = _matching(self.photos.search(), where, ["_rowid"])["_rowid"]
            few = None
            if len(rows) <= most:
                few = self.photos.take_row_ids(rows.to_pylist()).with_row_id().select(["id", "vector"]).to_arrow()
            if before == self.photos.version:  # as in `places`
                return len(rows), None if few is None else _vectors(few)

    def put(self, photos: Sequence[Row], unreadable: Sequence[Row]) -> None:
        """Writes photos and files that could not be read, in place of what was known of them; each table whole or not.

        A photo's row has all columns of `photo_schema`, the other's those of UNREADABLE_SCHEMA.
        """
        # Not the table's own schema: it has JSON as the bytes that Lance makes of it.
        _upsert(self.photos, photos, photo_schema(_width(self.photos.schema), self.about))
        _upsert(self.unreadable, unreadable, UNREADABLE_SCHEMA)
        # Only now: cut off in between, a file is in both tables, and is looked at again.
        _delete(self.photos, [row["id"] for row in unreadable])
        _delete(self.unreadable, [row["id"] for row in photos])

    def note(self, rows: Sequence[Row]) -> None:
        """Writes some columns of photos that there are, the others stay: each row has `id` and the same columns."""
        if rows:
            schema = photo_schema(_width(self.photos.schema), self.about)
            changed = pa.Table.from_pylist(list(rows), pa.schema([schema.field(name) for name in rows[0]]))
            self.photos.merge_insert("id").when_matched_update_all().execute(changed)

    def touch(self, files: Mapping[str, FileState]) -> None:
        """Notes the new size and time of files whose content is as it was."""
        rows = [{"id": key, "bytes": state.size, "mtime_ns": state.mtime_ns} for key, state in files.items()]
        for table in (self.photos, self.unreadable) if rows else ():
            changed = pa.Table.from_pylist(rows, pa.schema([table.schema.field(name) for name in rows[0]]))
            table.merge_insert("id").when_matched_update_all().execute(changed)

    def drop(self, ids: Sequence[str]) -> None:
        """Takes out what is known of files that are gone."""
        _delete(self.photos, ids)
        _delete(self.unreadable, ids)

    def tidy(self) -> None:
        """Merges the pieces that many small writes leave, where there are too many: they slow down reading."""
        if self.photos.stats()["fragment_stats"]["num_fragments"] > MOST_FRAGMENTS:
            self.photos.optimize(cleanup_older_than=KEPT)


KEY = pa.field("id", pa.string(), nullable=False, metadata={"lance-schema:unenforced-primary-key": "true"})
"""A file's path in the folder, NFC. By the metadata Lance sees that two writers put in the same photo at once, and lets
the later one change the row of the first; without it there would be two."""


def photo_schema(width: int, about: About) -> pa.Schema:
    """The columns of a photo's row, for vectors of `width` numbers."""
    columns = {
        "vector": pa.list_(pa.float16(), width),
        "hash": pa.string(),
        "bytes": pa.int64(),
        "mtime_ns": pa.int64(),
        "width": pa.int32(),
        "height": pa.int32(),
        "orientation": pa.int8(),
        "taken": pa.timestamp("s"),  # the camera's clock
        "camera": pa.string(),
        "latitude": pa.float64(),
        "longitude": pa.float64(),
        "colour": pa.string(),
        "caption": pa.string(),
        "caption_english": pa.string(),  # what it was translated from
        "counts": pa.json_(),  # json_get_int(counts, '강아지') >= 3
        # Kept here and not as files: written with its row or not at all, copied with the album. Lance stores columns
        # apart, so that a search never reads it.
        "thumbnail": pa.binary(),
    }
    others = [pa.field(name, kind) for name, kind in columns.items()]
    return pa.schema([KEY, *others], metadata=about.metadata())


UNREADABLE_SCHEMA = pa.schema(
    [
        KEY,
        pa.field("hash", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("mtime_ns", pa.int64()),
        pa.field("reason", pa.string()),
    ]
)


def open_album(path: Place) -> Album | None:
    """The album in a folder; None where there is none, or one whose making was cut off.

    Raises InputError for one of other columns than are kept now, or where object storage cannot be reached.
    """
    photos, unreadable = _table(path, PHOTOS), _table(path, UNREADABLE)
    if photos is None or unreadable is None:
        return None
    kept = {key.decode(): value.decode() for key, value in photos.schema.metadata.items()}
    about = About(kept["folder"], kept["checkpoint"], kept["fingerprint"])
    columns = photo_schema(_width(photos.schema), about).names
    if photos.schema.names != columns:
        differ = ", ".join(sorted(set(columns) ^ set(photos.schema.names))) or "in another order"
        raise InputError(
            f"the album {path} was made by another version of this program, with other columns ({differ}); make it "
            "anew with `search index --fresh`"
        )
    return Album(path, photos, unreadable, about)


def make_album(path: Place, width: int, about: About) -> Album:
    """A new, empty album for vectors of `width` numbers, in place of one that may be there. Raises InputError."""
    if isinstance(path, Remote):
        _note_name(path)
    unreadable = _made(path, UNREADABLE, UNREADABLE_SCHEMA)
    return Album(path, _made(path, PHOTOS, photo_schema(width, about)), unreadable, about)


def album_names(albums: Place) -> list[str]:
    """The albums in a folder, sorted. Raises InputError where object storage cannot be reached."""
    if isinstance(albums, Path):
        return sorted(path.parent.name for path in albums.glob(f"*/{PHOTOS}.lance"))
    table = _table(albums, NAMES)
    names = [] if table is None else table.search().to_arrow()["id"].to_pylist()
    return sorted(name for name in names if _exists(albums / name, PHOTOS))


@contextmanager
def writing(path: Place) -> Iterator[None]:
    """Holds the album in a folder for writing. Raises InputError where another process does.

    The file `.NAME.lock` beside it is held, which the system lets go of when the process ends, however it ends. Object
    storage has nothing of the kind: there two may write, and Lance sees to it that each of their writes is whole and
    that none is lost. Where it cannot, or the storage is not reached any more, that is an InputError too.
    """
    if isinstance(path, Remote):
        try:
            yield
        except RuntimeError as error:
            if not str(error).startswith("lance error"):
                raise
            raise InputError(
                f"expected to write to the album {path}, found: {said(error)}; what was written before is kept: "
                "where another process writes to it, wait for it, then run the same again to go on"
            ) from None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"expected to write to the album {path}, but another process does; wait for it") from None
        yield


def _store(path: Place, options: Mapping[str, str] = OPTIONS) -> Any:  # noqa: ANN401 - a Lance database
    uri, settings = (path.uri, dict(options)) if isinstance(path, Remote) else (path, None)
    return lancedb.connect(uri, read_consistency_interval=timedelta(0), storage_options=settings)


def _exists(path: Place, name: str) -> bool:
    """Whether there is a table, or the beginning of one; asking makes no folder."""
    if isinstance(path, Path):
        return (path / f"{name}.lance").exists()
    try:
        return name in _store(path, QUICK).list_tables().tables
    except (ValueError, RuntimeError, OSError) as error:
        raise unreachable(path, error) from None


def _table(path: Place, name: str) -> Any:  # noqa: ANN401 - a Lance table
    """A table that was made whole, else None."""
    if not _exists(path, name):
        return None
    try:
        return _store(path).open_table(name)
    except ValueError:  # "not found": without a first version it is none
        return None


def _made(path: Place, name: str, schema: pa.Schema) -> Any:  # noqa: ANN401 - a Lance table
    mode = "create" if _table(path, name) is None else "overwrite"
    return _store(path).create_table(name, schema=schema, mode=mode)


def _note_name(path: Remote) -> None:
    """Puts an album's name where `album_names` finds it: LanceDB lists tables, and no folders of them."""
    schema = pa.schema([KEY])
    table = _table(path.parent, NAMES)
    if table is None:
        table = _store(path.parent).create_table(NAMES, schema=schema, exist_ok=True)
    _upsert(table, [{"id": path.name}], schema)


@contextmanager
def _asked(where: str) -> Iterator[None]:
    """Turns what Lance says of a condition into an InputError."""
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0][:300]
        raise InputError(f"expected a condition over the album's columns, found {where!r}: {reason}") from None


def _matching(query: Any, where: str | None, columns: Sequence[str]) -> pa.Table:  # noqa: ANN401 - a Lance query
    """The named columns of what a query finds, where an SQL condition holds. Raises InputError."""
    if where is None:
        return query.select(list(columns)).to_batches(batch_size=ROWS_AT_ONCE).read_all()
    with _asked(where):
        return query.where(where).select(list(columns)).to_batches(batch_size=ROWS_AT_ONCE).read_all()


def _vectors(table: pa.Table) -> Vectors:
    """Of rows with `_rowid`, `id` and `vector`."""
    table = table.sort_by("id").combine_chunks()
    flat = [chunk.flatten().to_numpy() for chunk in table["vector"].chunks]
    matrix = np.concatenate([np.empty(0, np.float16), *flat]).reshape(len(table), _width(table.schema))
    return Vectors(table["id"].to_pylist(), torch.from_numpy(matrix), table["_rowid"].to_numpy())


def _states(table: Any) -> dict[str, FileState]:  # noqa: ANN401 - a Lance table
    rows = table.search().select(["id", "bytes", "mtime_ns", "hash"]).to_arrow().to_pylist()
    return {row["id"]: FileState(row["bytes"], row["mtime_ns"], row["hash"]) for row in rows}


def _upsert(table: Any, rows: Sequence[Row], schema: pa.Schema) -> None:  # noqa: ANN401 - a Lance table
    if rows:
        new = pa.Table.from_pylist(list(rows), schema=schema)
        table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(new)


def _delete(table: Any, ids: Sequence[str]) -> None:  # noqa: ANN401 - a Lance table
    for some in _in_parts(ids):
        if table.count_rows(_one_of(some)):
            table.delete(_one_of(some))


def _in_parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[start : start + IDS_AT_ONCE] for start in range(0, len(ids), IDS_AT_ONCE))


def _one_of(ids: Sequence[str]) -> str:
    quoted = ", ".join("'" + key.replace("'", "''") + "'" for key in ids)
    return f"id IN ({quoted})"


def _width(schema: pa.Schema) -> int:
    return int(schema.field("vector").type.list_size)
