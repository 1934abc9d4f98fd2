"""The vector index of a large album: finds what is likely to be nearest without reading every vector."""

import math
from typing import Any

from lancedb.index import BTree, IvfRq
from torch import Tensor

from pipelines.search.album.album import KEPT, Album, Vectors

INDEX, DATES = "vector_idx", "taken_idx"
"""Lance's names of the vectors' index and of that of the dates, which answers conditions on them in 1 ms for 10."""
KIND = "IVF_RQ"
"""RaBitQ, https://arxiv.org/abs/2409.09913: parts, and BITS for each number of a vector. Of a million vectors it takes
half the room and 0.6 times the time of 8 bits a number (IVF_SQ), which albums had before."""
BITS = 4
MOST_NEW = 10_000
"""Photos that are not in the index yet are compared one by one; beyond so many they are taken into it."""
ALL = 1_000_000
"""More parts than any index has."""
LOOKED_AT = 250_000
"""Photos whose parts of the index are looked into for the nearest of all."""
SPARE = 20
"""Photos that are compared in full beside as many as are wanted, since BITS are few. Each that an index is asked for
takes its time: 120 in all twice as long as 30."""
WIDE = 0.25
"""The share of an album that a condition leaves, from which on its nearest are looked for among the nearest of all."""


def wants_index(album: Album, least: int) -> bool:
    """Whether an album of more than `least` photos has no index, or too many photos that are not in it."""
    if len(album) <= least:
        return False
    stats = album.photos.index_stats(INDEX)
    return stats is None or stats.index_type != KIND or stats.num_unindexed_rows > MOST_NEW


def make_index(album: Album) -> None:
    """Makes the index, or takes new photos into it. Killed meanwhile, the album is as it was, and finds no less."""
    stats = album.photos.index_stats(INDEX)
    if stats is None or stats.index_type != KIND:
        album.photos.create_index("taken", config=BTree(), name=DATES)  # first: the other says that both are there
        kind = IvfRq(distance_type="cosine", num_partitions=_parts(len(album), len(album)), num_bits=BITS)
        album.photos.create_index("vector", config=kind, name=INDEX)
    else:
        album.photos.optimize(cleanup_older_than=KEPT)


def likely(
    album: Album, vector: Tensor, top: int, where: str | None = None, share: float = 1.0, looked_at: int = LOOKED_AT
) -> Vectors:
    """The `top` photos nearest to a unit vector (D,), very likely, and some SPARE more, by id.

    `where`: an SQL condition that leaves some `share` of the photos, 0 to 1. Where that is all or much, those for which
    it holds are taken of the nearest of all, for which parts of the index with some `looked_at` photos are looked into.
    Else, or where these are too few, all parts are, for what a condition leaves may be nearest in any. What is not in
    the index yet is compared one by one. Raises InputError.
    """
    if share >= WIDE:
        query = _query(album, vector, math.ceil((top + SPARE) / share), _parts(len(album), looked_at))
        found = album.read(query if where is None else query.where(where, prefilter=False), also=["_distance"])
        if len(found.ids) >= min(top + SPARE // 2, len(album)):
            return found
    return album.read(_query(album, vector, top + SPARE, ALL), where, also=["_distance"])


def _query(album: Album, vector: Tensor, count: int, parts: int) -> Any:  # noqa: ANN401 - Lance's
    """For the `count` nearest in the nearest `parts` of the index."""
    query = album.photos.search(vector.numpy()).distance_type("cosine").limit(count)
    return query.minimum_nprobes(parts).maximum_nprobes(parts)


def _parts(rows: int, of_these: int) -> int:
    """How many parts of the index of so many photos have some of these.

    A quarter of the root: 250 for a million, which takes 100 s to make, and a thousand 230 s.
    """
    return math.ceil(math.sqrt(rows) / 4 * of_these / rows)
