"""The photos of an album that are nearest to a vector: the one place that decides how they are found."""

from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.search.album import Album
from pipelines.search.exact import most_similar


@dataclass(frozen=True)
class Match:
    """A photo that was found."""

    id: str
    score: float
    """Cosine, -1 to 1; how high a good one is depends on the model."""
    judged: float | None = None
    """What a second judge says, where one was asked: the higher the better."""


def nearest(album: Album, vector: Tensor, top: int, where: str | None = None) -> list[Match]:
    """The `top` photos nearest to a unit vector (D,), the best first, of those for which `where` holds.

    Exact: every vector is compared, in float32. `where` is an SQL condition over the album's columns; it is applied
    first, so that the best of a narrow choice are never missed. Raises InputError for a condition that is none.
    """
    vectors = album.vectors()
    ids, matrix = vectors.ids, vectors.matrix
    if where is not None:
        wanted = album.ids(where)
        places = [place for place, key in enumerate(ids) if key in wanted]
        ids, matrix = [ids[place] for place in places], matrix[torch.tensor(places, dtype=torch.int64)]
    found = most_similar(vector[None], matrix, top)
    pairs = zip(found.places[0].tolist(), found.scores[0].tolist(), strict=True)
    return [Match(ids[place], score) for place, score in pairs]
