"""The vector index of a large album: finds what is likely to be nearest without reading every vector."""

import math

from lancedb.index import IvfSq
from torch import Tensor

from pipelines.search.album import KEPT, Album, Vectors

INDEX = "vector_idx"
"""Lance's name of it."""
MOST_NEW = 10_000
"""Photos that are not in the index yet are compared one by one; beyond so many they are taken into it."""
ALL = 1_000_000
"""More parts than any index has."""
LOOKED_AT = 250_000
"""Photos whose parts of the index are looked into where there is no condition: less than 20 ms."""


def wants_index(album: Album, least: int) -> bool:
    """Whether an album of more than `least` photos has no index, or too many photos that are not in it."""
    if len(album) <= least:
        return False
    stats = album.photos.index_stats(INDEX)
    return stats is None or stats.num_unindexed_rows > MOST_NEW


def make_index(album: Album) -> None:
    """Makes the index, or takes new photos into it. Killed meanwhile, the album is as it was, and finds no less."""
    if album.photos.index_stats(INDEX) is None:
        kind = IvfSq(distance_type="cosine", num_partitions=_parts(len(album)))
        album.photos.create_index("vector", config=kind, name=INDEX)
    else:
        album.photos.optimize(cleanup_older_than=KEPT)


def likely(album: Album, vector: Tensor, count: int, where: str | None = None, looked_at: int = LOOKED_AT) -> Vectors:
    """The `count` photos that are likely to be nearest to a unit vector (D,), by id; of those for which `where` holds.

    Without a condition the nearest parts of the index are looked into, with some `looked_at` photos. Of what a
    condition leaves the nearest may be in any part, so that all are. What is not in the index yet is compared one by
    one. Raises InputError.
    """
    if where is None and looked_at < len(album):
        found = _found(album, vector, count, where, math.ceil(_parts(len(album)) * looked_at / len(album)))
        if len(found.ids) == count:
            return found
    return _found(album, vector, count, where, ALL)


def _found(album: Album, vector: Tensor, count: int, where: str | None, parts: int) -> Vectors:
    query = album.photos.search(vector.numpy()).distance_type("cosine").limit(count)
    return album.read(query.minimum_nprobes(parts).maximum_nprobes(parts), where, also=["_distance"])


def _parts(rows: int) -> int:
    """How many parts an index has for so many photos: as many as a part has photos."""
    return max(1, round(math.sqrt(rows)))
