"""Says which of the photos that words found are what was asked for: by the model's cutoff, or by what was written."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipelines.search.album.album import Album
from pipelines.search.album.captions import containing
from pipelines.search.album.nearest import Match
from pipelines.search.query.words import Asked
from pipelines.search.where.conditions import And, Condition, Not, Or
from pipelines.search.where.filters_sql import to_sql


@dataclass(frozen=True)
class Fit:
    """How well the photos that were found fit the words."""

    matches: list[Match]
    """Those that fit, in their order."""
    below: list[Match]
    """The others: their cosine is below the cutoff, and neither captions nor counts say what was asked for."""
    best: float
    """The highest cosine of the words with any of them."""
    cutoff: float


def fit(album: Album, vector: Tensor, asked: Asked, found: Sequence[Match], cutoff: float) -> Fit:
    """Which of the photos found, of which there is one at least, fit what words (unit vector (D,)) ask for.

    The words count alone: that a minus term was taken away from them lowers the scores of all photos.
    """
    ids = [match.id for match in found]
    rows = album.rows(ids, ["vector"])
    vectors = torch.tensor(np.array([rows[key]["vector"] for key in ids if key in rows], np.float32))
    cosines = dict(zip((key for key in ids if key in rows), (vectors * vector.float()).sum(1).tolist(), strict=True))
    near = {key for key, cosine in cosines.items() if cosine >= cutoff}
    fits = near if len(near) == len(ids) else near | _written(album, asked)
    return Fit(
        [match for match in found if match.id in fits],
        [match for match in found if match.id not in fits],
        max(cosines.values(), default=-1.0),
        cutoff,
    )


def say_fit(found: Fit, text: str, all_shown: bool) -> None:
    """What does not fit, on standard error."""
    if found.below and not found.matches:
        hint = "" if all_shown else "; --all shows the nearest"
        best = f"best {found.best:.3f}, below the cutoff {found.cutoff:.3f} of this model"
        print(f"no photo of the album matches {text!r} ({best}){hint}", file=sys.stderr)
    elif found.below:
        count = len(found.below) + len(found.matches)
        done = "marked" if all_shown else "left out; --all shows them"
        print(
            f"{len(found.below)} of the best {count} photos are below the cutoff {found.cutoff:.3f} of this model and "
            f"{done}",
            file=sys.stderr,
        )


def _written(album: Album, asked: Asked) -> set[str]:
    """The ids of the photos whose captions have all words and no minus term, or in which as many were counted."""
    said: list[Condition] = []
    if asked.words:
        said.append(And((containing(asked.words), *(Not(containing([term])) for term in asked.minus))))
    if asked.counts:
        said.append(And(asked.counts))
    return album.ids(to_sql(Or(tuple(said)))) if said else set()
