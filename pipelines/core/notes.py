"""Passes on what a person should know of a picture or folder that is used all the same, to whoever collects it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol

from pipelines.core.table import print_failures


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def path(self) -> Path: ...


_seen: ContextVar[dict[str, str] | None] = ContextVar("_seen", default=None)


@contextmanager
def noticing() -> Iterator[dict[str, str]]:
    """Collects what is noticed within it by this thread: the path of a picture or folder -> what is the matter."""
    seen: dict[str, str] = {}
    before = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(before)


def notice(path: Path, what: str) -> None:
    """Notes what is the matter with a picture or folder, once. Where nobody collects, it is not kept."""
    seen = _seen.get()
    if seen is not None and what not in (known := seen.get(str(path), "")):
        seen[str(path)] = f"{known}; {what}" if known else what


def by_id(notes: Mapping[str, str], items: Iterable[_Named]) -> dict[str, str]:
    """What was noticed by an item's id where it is of its file, else by path."""
    ids = {str(item.path): item.id for item in items}
    return {ids.get(path, path): what for path, what in notes.items()}


def print_notes(notes: Mapping[str, str], where_all_are: str = "") -> None:
    """The first of them on standard error, as failures are."""
    print_failures(f"{len(notes)} that the run went on with, and that are worth a look", notes, where_all_are)
