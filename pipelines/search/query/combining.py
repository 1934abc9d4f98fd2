"""Finds an album's photos by all that was asked at once: a vector, words, numbers, a condition; copies as one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from pipelines.search.album.album import Album
from pipelines.search.album.captions import by_caption, containing
from pipelines.search.album.nearest import Match, nearest
from pipelines.search.query.fusion import folded, rank_fusion
from pipelines.search.query.words import Asked
from pipelines.search.where.conditions import And, Condition, Not
from pipelines.search.where.filters_sql import to_sql

POOL = 200
"""Places of each ranking that are fused at least; one further down adds less than a quarter of the first."""


def combined(
    album: Album,
    vector: Tensor,
    asked: Asked,
    top: int,
    condition: Condition | None = None,
    fold: float | None = None,
    leave_out: str | None = None,
) -> list[Match]:
    """The `top` photos for a unit vector (D,) and for what was said, of those for which the condition holds.

    Up to three rankings are fused by reciprocal ranks: the nearest vectors; the captions with all words and no minus
    term, by BM25; of the photos in which as many were counted as was said, the nearest. `fold`: from which cosine on,
    or with the same content, photos stand under the best of them. `leave_out` is a photo's id. Scores are cosines
    whatever the order. Raises InputError.
    """
    pool = max(POOL, top) + 1
    captioned = by_caption(album, asked.words, _all_of(condition, *(Not(containing([term])) for term in asked.minus)))
    while True:
        by_vector = _nearest(album, vector, pool, condition)
        as_many = _nearest(album, vector, pool, _all_of(condition, *asked.counts)) if asked.counts else []
        ranked = rank_fusion([by_vector, captioned[:pool], as_many])
        found = _matches(album, vector, [each.key for each in ranked if each.key != leave_out], fold)
        if len(found) >= top or len(by_vector) < pool:
            return found[:top]
        pool *= 4  # so many copies that too few others are left


def _all_of(*conditions: Condition | None) -> Condition | None:
    parts = tuple(each for each in conditions if each is not None)
    return And(parts) if parts else None


def _nearest(album: Album, vector: Tensor, count: int, condition: Condition | None) -> list[str]:
    where = None if condition is None else to_sql(condition)
    return [match.id for match in nearest(album, vector, count, where)]


def _matches(album: Album, vector: Tensor, ids: Sequence[str], fold: float | None) -> list[Match]:
    """A match for each photo, or for each group of near-duplicates."""
    rows = album.rows(ids, ["vector", "hash"])
    kept = [key for key in ids if key in rows]  # the others are gone since they were found
    if not kept:
        return []
    vectors = torch.tensor(np.array([rows[key]["vector"] for key in kept], np.float32))
    # Not a matrix product, which rounds differently for other numbers of rows.
    scores = (vectors * vector.float()).sum(1).tolist()
    matches = [Match(key, score) for key, score in zip(kept, scores, strict=True)]
    if fold is None:
        return matches
    groups = folded(vectors, [rows[key]["hash"] for key in kept], fold)
    return [replace(matches[first], alike=tuple(kept[place] for place in others)) for first, *others in groups]
