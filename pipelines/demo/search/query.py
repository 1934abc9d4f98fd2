"""What the search page asks of an album, and what it keeps of the answer."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # they import torch
    from pipelines.search.album.album import Album
    from pipelines.search.album.nearest import Match
    from pipelines.search.query.asking import Asking

MOST = 240
"""Photos that a search gives: ten pages."""
MOST_LOOKED_AT, MOST_FOLDERS = 100_000, 1000
"""Photos of an album whose folders are looked for, and how many of these are offered."""


@dataclass(frozen=True)
class Query:
    """What a visitor asks."""

    words: str = ""
    where: str = ""
    """A condition as `--where` takes it; empty for all photos."""
    like: str = ""
    """Id of a photo of the album; empty where there is none."""
    upload: Path | None = None
    """A picture of the visitor's, which goes before `like`."""
    weight: int = 50
    """Of words and a photo together: how much the photo counts, in percent (1 to 99)."""

    @property
    def asks(self) -> bool:
        """Whether photos are ranked by it, by words or by a photo."""
        return bool(self.words.strip() or self.like or self.upload)


@dataclass(frozen=True)
class Found:
    """The answer."""

    matches: Sequence["Match"]
    """The best first; where nothing was asked, by id, and then the scores say nothing."""
    scored: bool
    """Whether something was asked, so that there are scores."""
    below: frozenset[str] = frozenset()
    """Ids of those that do not fit the words, as far as the model's cutoff is known."""
    best: float = 0.0
    """The highest cosine of the words, where there is a cutoff."""
    cutoff: float | None = None
    english: Mapping[str, str] = field(default_factory=dict)
    """What the model was asked in place of Korean words."""
    words: tuple[str, ...] = ()
    """To be marked in captions."""
    exactly: str = ""
    """The condition that only photos with the numbers in the words fulfil; empty where they say none."""
    seconds: float = 0.0

    def shown(self, all_shown: bool) -> list["Match"]:
        """Those that fit, or all."""
        return [match for match in self.matches if all_shown or match.id not in self.below]


def answer(asking: "Asking", query: Query) -> Found:
    """At most MOST photos for a query. Raises InputError or ImageError."""
    started = time.perf_counter()
    where = query.where.strip() or None
    if not query.asks:
        return Found(_browsed(asking, where), scored=False, seconds=time.perf_counter() - started)
    photo = str(query.upload) if query.upload else _known_photo(asking.album, query.like) if query.like else None
    words = query.words.strip() or None
    matches = asking.ask(words, photo, MOST, where)
    asked = asking.take_apart(words)
    fit = asking.fit(asked, matches) if photo is None else None
    return Found(
        matches,
        scored=True,
        below=frozenset(match.id for match in fit.below) if fit else frozenset(),
        best=fit.best if fit else 0.0,
        cutoff=fit.cutoff if fit else None,
        english=dict(asking.queries.english) if asking.queries.translates else {},
        words=asked.words,
        exactly=_exactly(asking, words),
        seconds=time.perf_counter() - started,
    )


@dataclass(frozen=True)
class Facts:
    """What there is in an album."""

    photos: int
    captioned: int
    counted: int
    """Photos in which objects were counted."""
    kinds: list[str]
    """Objects that were counted."""
    folders: list[str]
    """None of them in a large album, where to look takes a second."""
    dated: bool
    """Whether any photo says when it was taken; taken for granted of a large album."""


def facts(album: "Album") -> Facts:
    """What there is in an album now."""
    from pipelines.search.album.counts import counted_kinds

    photos = len(album)
    large = photos > MOST_LOOKED_AT
    parents = set() if large else {key.rpartition("/")[0] for key in album.ids("true")}
    folders = {
        folder.as_posix() for parent in parents for folder in (PurePosixPath(parent), *PurePosixPath(parent).parents)
    }
    return Facts(
        photos,
        album.photos.count_rows("caption IS NOT NULL"),
        album.photos.count_rows("counts IS NOT NULL"),
        counted_kinds(album),
        sorted(folders - {"."})[:MOST_FOLDERS],
        large or album.photos.count_rows("taken IS NOT NULL") > 0,
    )


def _browsed(asking: "Asking", where: str | None) -> list["Match"]:
    """The first photos by id for which a condition holds. Raises InputError."""
    from pipelines.search.album.nearest import Match
    from pipelines.search.where.filters import parse
    from pipelines.search.where.filters_sql import to_sql

    condition = "true" if where is None else to_sql(parse(where, asking.counted()))
    return [Match(key, 0.0) for key in sorted(asking.album.ids(condition))[:MOST]]


def _known_photo(album: "Album", like: str) -> str:
    """A photo of the album as `Asking` takes it. Raises InputError for anything else: `like` is from the address bar.

    `Asking` itself takes any file, which is not for strangers to name. It is given the photo's file, if that is still
    there, so that an id that happens to be another file's path is not taken for that.
    """
    from pipelines.core.errors import InputError
    from pipelines.search.album.embedding import photo_path

    key = like.encode(errors="replace").decode()
    if key not in album.rows([key], ["bytes"]):
        raise InputError(f"expected a photo of the album {album.path.name}, found none called {key!r}")
    file = photo_path(Path(album.about.folder), key)
    return str(file) if file.exists() else key


def _exactly(asking: "Asking", words: str | None) -> str:
    from pipelines.search.where.filters import spelled_out

    return " and ".join(map(spelled_out, asking.take_apart(words).counts))
