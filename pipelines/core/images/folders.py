"""Lists the pictures of a folder, for every task: which files are meant, and what else lies there. None is decoded."""

import fnmatch
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.core.errors import InputError
from pipelines.core.images.kinds import ENDINGS, HEAD_BYTES, NO_PICTURES, NOT_READ, left_out, told
from pipelines.core.images.names import normal
from pipelines.core.notes import notice

SYSTEM = frozenset(
    ("@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "__macosx", "$recycle.bin", "lost+found",
     "system volume information")
)  # fmt: skip
"""Folders that a system or a disk station keeps among those of people, in lower case; hidden ones begin with a dot."""
SYSTEM_FOLDERS, IGNORED = "hidden or system folders", "files or folders of --ignore"
CLOSED, NO_FILES, DANGLING = "folders that cannot be opened", "pipes, sockets or devices", "links that lead nowhere"


@dataclass(frozen=True)
class Listing:
    """What lies in a folder and its subfolders."""

    folder: Path
    images: Sequence[Path]
    """The regular files that are pictures, sorted by their path in the folder (NFC)."""
    left_out: Mapping[str, Sequence[str]]
    """What else a person might miss, such as RAW files -> their paths in the folder, sorted."""

    def words(self) -> str:
        """What was left out, in words: `videos: 2 (a.mp4, b.mov)`; "" where nothing was."""
        return "; ".join(f"{kind}: {len(names):,} ({_some(names)})" for kind, names in self.left_out.items())


def list_images(folder: Path, ignore: Sequence[str] = (), root: Path | None = None) -> list[Path]:
    """The pictures under `folder`, sorted by their path; what was left out is noticed (see `notes`).

    `ignore`: patterns such as `thumbs`, `*_mask.png` or `raw/*`, of names or of paths in `root`, which is the folder
    itself where it is left out. Raises InputError where there is no picture.
    """
    found = look_through(folder, ignore, root)
    words = found.words()
    if not found.images:
        but = f", but {words}; save those that are pictures as JPEG or PNG" if words else ""
        raise InputError(f"expected images ({', '.join(sorted(ENDINGS))}) in {folder}, found none{but}")
    if words:
        notice(folder, f"left out are {words}")
    return list(found.images)


def look_through(folder: Path, ignore: Sequence[str] = (), root: Path | None = None) -> Listing:
    """What lies under `folder`, see `list_images`. Raises InputError where it is no folder.

    Files with a known ending are not opened; others are, for their first bytes, if they are regular files. Links to
    folders are followed, but no folder is come to twice. Hidden files are left out, as people do not see them.
    """
    if not folder.is_dir():
        raise InputError(f"expected a folder of images at {folder}, found {'a file' if folder.exists() else 'nothing'}")
    walk = _Walk(_pattern(ignore), "/" if root in (None, folder) else f"/{folder.relative_to(root).as_posix()}/")
    images = sorted(walk.images(folder))
    others = {kind: sorted(names) for kind, names in sorted(walk.left_out.items())}
    return Listing(folder, [folder / name for _, name in images], others)


def subfolders(root: Path, ignore: Sequence[str] = ()) -> list[Path]:
    """The folders in `root` that are meant, sorted."""
    pattern = _pattern(ignore)
    found = [path for path in root.iterdir() if not _is_system(path.name) and path.is_dir()]
    return sorted(path for path in found if pattern is None or not pattern.fullmatch(f"/{normal(path.name)}"))


@dataclass
class _Walk:
    """One way through a folder."""

    ignore: re.Pattern[str] | None
    before: str = "/"
    """What the patterns see before a path."""
    left_out: dict[str, list[str]] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)
    """Device and number of the folders that were come to."""
    links: list[str] = field(default_factory=list)
    """To folders, which are followed once all others were gone through: a file's own path comes first."""

    def images(self, root: Path) -> Iterator[tuple[str, str]]:
        """The picture files' paths in `root`, as they are sorted (NFC) and as they are."""
        waiting = [""]
        while waiting:
            while waiting:
                inside: list[str] = []
                yield from self._files(root, waiting.pop(), inside)
                waiting += inside
            self.links.sort()
            waiting, self.links = self.links[:1], self.links[1:]

    def _files(self, root: Path, folder: str, inside: list[str]) -> Iterator[tuple[str, str]]:
        """Those of one folder; its folders are added to `inside`."""
        try:
            state = (root / folder).stat()
            if (state.st_dev, state.st_ino) in self.seen:
                return
            self.seen.add((state.st_dev, state.st_ino))
            with os.scandir(root / folder) as entries:
                found = list(entries)
        except OSError:
            self._leave(CLOSED, folder or ".")
            return
        for entry in found:
            name = f"{folder}/{entry.name}" if folder else entry.name
            path = normal(name)
            if self.ignore is not None and self.ignore.fullmatch(self.before + path):
                self._leave(IGNORED, name)
            elif _is_dir(entry):
                if _is_system(entry.name):
                    self._leave(SYSTEM_FOLDERS, name)
                else:
                    (self.links if entry.is_symlink() else inside).append(name)
            elif not entry.name.startswith(".") and self._is_image(entry, name):
                yield path, name

    def _is_image(self, entry: os.DirEntry[str], name: str) -> bool:
        """Whether it is a regular file with a picture; what a person would miss is left out by name."""
        dot = entry.name.rfind(".")
        ending = entry.name[dot:].lower() if dot > 0 else ""
        known = ending in ENDINGS
        kind = NOT_READ.get(ending, "")
        if not known and not kind and ending in NO_PICTURES:
            return False
        if not _is_file(entry):
            if known:
                self._leave(DANGLING if entry.is_symlink() and not Path(entry.path).exists() else NO_FILES, name)
            return False
        if not known and not kind:
            head = _head(entry.path)
            known, kind = bool(told(head)[0]), left_out(head)
        if kind:
            self._leave(kind, name)
        return known

    def _leave(self, kind: str, name: str) -> None:
        self.left_out.setdefault(kind, []).append(name)


def _pattern(ignore: Sequence[str]) -> re.Pattern[str] | None:
    """Of paths with / before them: a pattern with / in it is of whole paths, another one of names."""
    if not ignore:
        return None
    parts = []
    for given in ignore:
        text = normal(given).removeprefix("./").rstrip("/")
        before = "/" if "/" in text.lstrip("/") or text.startswith("/") else "(?:.*/)"
        parts.append(f"{before}{fnmatch.translate(text.lstrip('/'))}")
    return re.compile("|".join(parts))


def _is_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in SYSTEM


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _head(path: str) -> bytes:
    """The first bytes of a regular file; none where it cannot be read."""
    try:
        with Path(path).open("rb", buffering=0) as file:
            return file.read(HEAD_BYTES)
    except OSError:
        return b""


def _some(names: Sequence[str], shown: int = 3) -> str:
    """The first names, as a line of text that can be written anywhere."""
    some = [" ".join(name.encode(errors="replace").decode().split()) for name in names[:shown]]
    return ", ".join(some) + (", ..." if len(names) > shown else "")
