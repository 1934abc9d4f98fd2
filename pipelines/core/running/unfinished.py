"""The folder `.<name>.run` beside an output while a run works on it: its lock, its journal, and room on the disk."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.core.errors import SubmissionError
from pipelines.core.running.journal import Journal

ROOM_A_RUN, ROOM_AN_IMAGE = 1 << 20, 1 << 10
"""Bytes kept free for the CSV and the run record, so that a disk that fills up meanwhile does not cost the result."""


class Unfinished:
    """What is kept of a run until its output is complete."""

    def __init__(self, output: Path, folder: Path) -> None:
        self.output, self.folder = output, folder
        self._room = folder / "room"

    def journal(self, key: Mapping[str, Any], classes: Sequence[type] = (), fresh: bool = False) -> Journal:
        """The journal of the run that has this key (see Journal); what an earlier one left is removed if not used."""
        journal = Journal(self.folder / "journal", key, classes, fresh)
        if not len(journal):
            for left in self.folder.iterdir():
                if left.is_dir():
                    shutil.rmtree(left)
        return journal

    def keep_room(self, images: int) -> None:
        """Takes the disk space that the output will need. Raises SubmissionError where there is too little."""
        needed = ROOM_A_RUN + images * ROOM_AN_IMAGE
        try:
            with self._room.open("wb") as file:
                for start in range(0, needed, ROOM_A_RUN):
                    file.write(bytes(min(ROOM_A_RUN, needed - start)))
                os.fsync(file.fileno())
        except OSError as error:
            self.release_room()
            raise SubmissionError(
                f"expected {needed / 1e6:.0f} MB of free disk space for {self.output} and its run record, found less "
                f"({error.strerror}); make room, or write elsewhere with --output"
            ) from None

    def release_room(self) -> None:
        """Gives the space back, just before the output is written."""
        self._room.unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes the folder: the output is complete."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def unfinished(output: Path) -> Iterator[Unfinished]:
    """The folder of the run that writes `output`, locked for as long as this lasts.

    Raises SubmissionError where another run holds it. The lock is the system's: a killed process leaves none behind.
    """
    folder = output.with_name(f".{output.name}.run")
    with _locked(folder, output):
        work = Unfinished(output, folder)
        try:
            yield work
        finally:
            work.release_room()
            if not (folder / "journal").exists():
                work.clear()


@contextmanager
def _locked(folder: Path, output: Path) -> Iterator[None]:
    """Makes the folder and holds `folder/lock`."""
    while True:
        lock = _opened(folder, output)
        try:
            _hold(lock, output)
            if _is_still(folder / "lock", lock):
                yield
                return
        finally:  # else the run before removed the file after it was opened here: once more
            os.close(lock)


def _opened(folder: Path, output: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise SubmissionError(
            f"expected to keep what is finished of {output} in {folder}, but it cannot be made: {error.strerror}; make "
            "room, or write elsewhere with --output"
        ) from None


def _hold(lock: int, output: Path) -> None:
    """Locks the open file and writes into it who holds it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        found = os.read(lock, 200).decode(errors="replace").strip() or "one that has just started"
        raise SubmissionError(
            f"expected no other run that writes {output}, found one: {found}; wait for it, end it, or write elsewhere "
            "with --output"
        ) from None
    except OSError:
        return  # a file system without locks
    with suppress(OSError):  # on a full disk it has no name
        os.ftruncate(lock, 0)
        os.write(lock, f"process {os.getpid()}, since {datetime.now():%Y-%m-%d %H:%M:%S}".encode())


def _is_still(path: Path, opened: int) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), path.stat())
    except FileNotFoundError:
        return False


def files_state(paths: Iterable[Path]) -> str:
    """A hash (16 hex digits) of the files' paths, sizes and times of change: what they are, without reading them."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            found = path.stat()
            digest.update(f"{path}\0{found.st_size}\0{found.st_mtime_ns}\n".encode(errors="surrogateescape"))
        except (OSError, ValueError):
            digest.update(f"{path}\0missing\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]
