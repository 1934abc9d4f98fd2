"""The photos of an album that are nearest to a vector: the one place that decides how they are found."""

from dataclasses import dataclass

from torch import Tensor

from pipelines.search.album.album import Album, Vectors
from pipelines.search.album.approximate import likely
from pipelines.search.album.exact import most_similar

EXACT = 100_000
"""Photos of an album that are all compared: in 10 ms, and held in memory, in 0.1 GB for 512 numbers each."""
FEW = 1_000
"""Photos left by a condition on a larger album that are all compared. To read them takes up to 30 ms: of ten times as
many it takes longer than to look through the whole index."""


@dataclass(frozen=True)
class Match:
    """A photo that was found."""

    id: str
    score: float
    """Cosine, -1 to 1; how high a good one is depends on the model."""
    alike: tuple[str, ...] = ()
    """Ids of the near-duplicates that stand under it, the best first."""
    judged: float | None = None
    """What a second judge says, where one was asked: the higher the better."""


def nearest(album: Album, vector: Tensor, top: int, where: str | None = None, exact: int = EXACT) -> list[Match]:
    """The `top` photos nearest to a unit vector (D,), the best first, of those for which `where` holds.

    `where` is an SQL condition over the album's columns; it is applied first, so that the best of a narrow choice are
    never missed. Every vector is compared, in float32, in an album of at most `exact` photos, or where `where` leaves
    at most FEW; else those that the album's index proposes. Raises InputError for a condition that is none.
    """
    among = None
    if len(album) > exact:
        vectors = _proposed(album, vector, top, where)
    elif where is None:
        vectors = album.vectors()
    else:
        vectors, among = album.places(where)
    found = most_similar(vector[None], vectors.matrix, top, among)
    pairs = zip(found.places[0].tolist(), found.scores[0].tolist(), strict=True)
    return [Match(vectors.ids[place], score) for place, score in pairs]


def _proposed(album: Album, vector: Tensor, top: int, where: str | None) -> Vectors:
    """What to compare of a large album: all that a narrow condition leaves, else what the index finds."""
    if where is None:
        return likely(album, vector, top)
    count, few = album.left(where, FEW)
    return likely(album, vector, top, where, count / len(album)) if few is None else few
