"""`search calibrate`: finds the cosine below which a photo is not what words ask for, and says what that is worth."""

import sys
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import yaml
from pydantic import TypeAdapter

from pipelines.core.errors import InputError
from pipelines.core.submission.truth import read_frame
from pipelines.core.submission.writing import check_writable, write_whole
from pipelines.core.table import print_table
from pipelines.search.album.album import Album
from pipelines.search.album.exact import most_similar
from pipelines.search.query.asking import Asking, find_album
from pipelines.search.rank import say_translated
from pipelines.search.settings import SearchConfig

FOLDS = 5
"""Parts of the captions, each judged with the cutoff of the others."""
LEAST = 0.6
"""Balanced accuracy out of fold below which a cutoff is worth nothing; to toss a coin is worth 0.5."""
MOST = 1_000
"""Captions that are asked; of more, so many are drawn. Their shares are then known to 0.016 (one standard error)."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cosines:
    """What a model says of captions, of each one number in every array (Q,)."""

    own: Numbers
    """With the best of the photos that it was written of: a query that has a match."""
    others: Numbers
    """With the best of all other photos: the same query of an album in which its photos are missing."""
    groups: npt.NDArray[np.int64]
    """Captions of one photo have one number, and share a fold."""

    def best(self, among: npt.NDArray[np.bool_] | None = None) -> float:
        """The cutoff of the highest balanced accuracy, or on those where the mask is True; of equals the middle one.

        All are tried that lie in the middle between neighbouring cosines.
        """
        own, others = (np.sort(each if among is None else each[among]) for each in (self.own, self.others))
        values = np.unique(np.concatenate([own, others]))
        tried = (values[:-1] + values[1:]) / 2 if len(values) > 1 else values
        # Youden's J and a constant: matches that are seen as such, less what is taken for one.
        gained = np.searchsorted(others, tried) / len(others) - np.searchsorted(own, tried) / len(own)
        tied = np.flatnonzero(np.isclose(gained, gained.max(), rtol=0, atol=1e-12))
        return float(tried[tied[len(tied) // 2]])

    def rates(self, cutoffs: float | Numbers) -> "Rates":
        """The errors with a cutoff, or with one for each caption."""
        return Rates(float((self.own < cutoffs).mean()), float((self.others >= cutoffs).mean()))

    def out_of_fold(self, folds: int = FOLDS) -> "Rates":
        """The errors where each caption meets the cutoff of the other folds, which a fixed seed draws."""
        fold = (np.random.default_rng(0).permutation(self.groups.max() + 1) % folds)[self.groups]
        cutoffs = np.array([self.best(fold != number) for number in range(folds)])
        return self.rates(cutoffs[fold])


@dataclass(frozen=True)
class Rates:
    """How often a cutoff is wrong, shares from 0 to 1."""

    missed: float
    """Of the queries that have a match: called "no match"."""
    slipped: float
    """Of those that have none: a photo is shown all the same."""

    @property
    def balanced(self) -> float:
        """The mean of what is right of either."""
        return 1 - (self.missed + self.slipped) / 2


@dataclass(frozen=True)
class Calibrated:
    """What a calibration found."""

    cutoff: float
    in_sample: Rates
    """On the very captions that chose it, hence too good."""
    honest: Rates
    """On captions that had no say."""

    @property
    def worth(self) -> bool:
        """Whether it is better than nothing on queries to come."""
        return self.honest.balanced >= LEAST


def calibrate(config: SearchConfig, truth: Path | None, settings_out: Path) -> Calibrated:
    """Asks an album captions whose photos are known, and writes settings with the cutoff, if it is worth something.

    The captions are those of `rank.columns` of a CSV `image,caption`, or the album's own. Raises SuiteError.
    """
    check_writable(settings_out)
    album = find_album(config)
    search = Asking(album, config)
    written = captions_of(album) if truth is None else read_captions(truth, config.rank.columns, album)
    if len(written) > MOST:
        chosen = np.random.default_rng(0).choice(len(written), MOST, replace=False)
        written = {text: written[text] for text in np.array(list(written), object)[np.sort(chosen)]}
    vectors = search.queries.vectors(list(written))
    say_translated(search.queries, config.checkpoint)
    found = judge(cosines(album, vectors, list(written.values())))
    _show(found, len(written), len(album))
    if found.worth:
        _write(replace(config, cutoff=round(found.cutoff, 4), cutoff_model=album.about.fingerprint), settings_out)
    else:
        print(
            f"no cutoff was written: out of fold it is right in {found.honest.balanced:.0%} of both kinds of queries, "
            "where to toss a coin is in 50 %",
            file=sys.stderr,
        )
    return found


def captions_of(album: Album) -> dict[str, set[str]]:
    """Caption -> the ids of the photos that have it, as `enrich` wrote it. Raises InputError for too few."""
    rows = album.photos.search().where("caption IS NOT NULL").select(["id", "caption"]).to_arrow().to_pylist()
    found: dict[str, set[str]] = defaultdict(set)
    for row in sorted(rows, key=lambda row: str(row["id"])):
        if row["caption"].strip():
            found[row["caption"]].add(row["id"])
    return _enough(found, album, "captions of the album's photos; `enrich` makes them, or give --truth captions.csv")


def read_captions(path: Path, columns: Sequence[str], album: Album) -> dict[str, set[str]]:
    """Text -> the ids of the album's photos that it was written of, of a CSV with the photo first. Raises InputError.

    Rows of other photos are left out, which is said.
    """
    table = read_frame(path)
    if lacking := [column for column in columns if column not in table.columns]:
        there = ", ".join(map(str, table.columns))
        raise InputError(f"expected the columns {', '.join(columns)} in {path}, found {there}; no {', '.join(lacking)}")
    ids = [unicodedata.normalize("NFC", str(key)) for key in table[table.columns[0]]]
    known = album.rows(ids, [])
    if unknown := [key for key in ids if key not in known]:
        print(
            f"{len(unknown)} rows of {path} are left out: the album has no such photo, such as {unknown[0]!r}",
            file=sys.stderr,
        )
    found: dict[str, set[str]] = defaultdict(set)
    for column in columns:
        for key, cell in zip(ids, table[column], strict=True):
            if key in known and str(cell).strip():
                found[unicodedata.normalize("NFC", str(cell)).strip()].add(key)
    return _enough(found, album, f"captions in {path} of photos of the album, named as in {album.about.folder}")


def cosines(album: Album, queries: torch.Tensor, photos: Sequence[set[str]]) -> Cosines:
    """The best cosines of unit vectors (Q, D), each with its own `photos` and with all others of the album."""
    vectors = album.vectors()
    places = {key: place for place, key in enumerate(vectors.ids)}
    own, others = np.empty(len(queries)), np.empty(len(queries))
    for number, query in enumerate(queries):
        mine = {places[key] for key in photos[number]}
        own[number] = float((vectors.matrix[sorted(mine)].float() * query).sum(1).max())
        found = most_similar(query[None], vectors.matrix, len(mine) + 1)
        pairs = zip(found.places[0].tolist(), found.scores[0].tolist(), strict=True)
        others[number] = next(score for place, score in pairs if place not in mine)
    _, groups = np.unique([min(each) for each in photos], return_inverse=True)
    return Cosines(own, others, groups)


def judge(found: Cosines) -> Calibrated:
    """The cutoff of all captions, and its errors."""
    cutoff = found.best()
    return Calibrated(cutoff, found.rates(cutoff), found.out_of_fold())


def _enough(found: Mapping[str, set[str]], album: Album, of_what: str) -> dict[str, set[str]]:
    """Those that were not written of every photo, where there are enough of them for the folds."""
    usable = {text: photos for text, photos in found.items() if len(photos) < len(album)}
    photos = {min(each) for each in usable.values()}
    if len(photos) < 2 * FOLDS:
        raise InputError(f"expected at least {2 * FOLDS} {of_what}, found {len(photos)}")
    return usable


def _show(found: Calibrated, captions: int, photos: int) -> None:
    rows = [
        ("right, of both kinds of queries", found.in_sample.balanced, found.honest.balanced),
        ("called no match, of those that have one", found.in_sample.missed, found.honest.missed),
        ("shown a photo, of those that have none", found.in_sample.slipped, found.honest.slipped),
    ]
    said = [(name, *(f"{value:.1%}" for value in values)) for name, *values in rows]
    print_table([(f"cutoff {found.cutoff:.4f}", "same captions", f"out of {FOLDS} folds"), *said])
    print(f"{captions} captions, {photos} photos; the larger the album, the more often a photo is shown for nothing")


def _write(config: SearchConfig, path: Path) -> None:
    keys = TypeAdapter(SearchConfig).dump_python(config, mode="json")
    title = f"# the cutoff of {config.checkpoint}, as `search calibrate` found it\n"
    write_whole(path, title + yaml.safe_dump(keys, allow_unicode=True, sort_keys=False))
    print(f"{path}: cutoff {config.cutoff:g}")
