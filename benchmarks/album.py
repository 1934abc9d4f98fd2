"""Measures a large album: writing, its index, what a search takes and whether it finds what comparing every photo does.

The vectors are drawn, 512 numbers each. `random`: on the whole sphere, where nothing is near anything, the worst case
of any index. `clustered`: in 10,000 clusters, a centre and 0.7 times a random unit vector, so that photos of one
cluster have a cosine of 0.67 and others of 0. Queries are drawn like the photos. Writing counts with drawing them.
Thumbnails are left out; each adds 15 kB.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import lancedb
import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.nn import functional as F

from pipelines.core.terminal import settle
from pipelines.search.album.album import About, Album, make_album, open_album, photo_schema
from pipelines.search.album.approximate import make_index, wants_index
from pipelines.search.album.indexing import MOST_AT_ONCE
from pipelines.search.album.nearest import EXACT, FEW, nearest
from pipelines.search.where.filters import parse
from pipelines.search.where.filters_sql import to_sql

RESULTS = Path(__file__).parent / "results/album.json"
WIDTH, CENTRES, NOISE = 512, 10_000, 0.7
AT_ONCE = 50_000
FIRST, LAST = np.datetime64("2005-01-01", "s"), np.datetime64("2025-01-01", "s")
"""The photos are taken in between, one after the other at equal distances."""
RARE = 50
"""Photos of the rare camera, spread over the album."""
QUERIES, TOP = 200, 10
NONE = -2.0
"""Below every cosine."""
LEAST_RECALL = 0.95
MOST_P50_MS = 20.0
ABOUT = About("/photos", "drawn", "drawn")
CONDITIONS = {
    "all": None,
    "half of them, by date": "date < 2015",
    "1 %, by date": "date >= 2012-03-01 and date < 2012-05-13",
    "a day": "date = 2012-03-01",
    f"{RARE}, by camera": 'camera = "Leica M11"',
}
Kind = Literal["random", "clustered"]


@dataclass(frozen=True)
class Drawn:
    """Where vectors come from; the same ones for the same kind."""

    kind: Kind
    generator: torch.Generator
    centres: Tensor

    def vectors(self, count: int) -> Tensor:
        """Unit vectors, float16 (N, D)."""
        found = F.normalize(torch.randn(count, WIDTH, generator=self.generator), dim=1)
        if self.kind == "clustered":
            chosen = torch.randint(CENTRES, (count,), generator=self.generator)
            found = F.normalize(self.centres[chosen] + NOISE * found, dim=1)
        return found.half()


@dataclass(frozen=True)
class Left:
    """What a condition leaves of an album."""

    photos: int
    nearest: Sequence[set[int]]
    """The numbers of the TOP nearest, for each query."""


def drawn(kind: Kind) -> Drawn:
    """From the start."""
    generator = torch.Generator().manual_seed(0)
    return Drawn(kind, generator, F.normalize(torch.randn(CENTRES, WIDTH, generator=generator), dim=1))


def batches(kind: Kind, rows: int) -> Iterator[pa.RecordBatch]:
    """The rows of an album, ids in their order."""
    source, schema = drawn(kind), photo_schema(WIDTH, ABOUT)
    for start in range(0, rows, AT_ONCE):
        numbers = np.arange(start, min(rows, start + AT_ONCE))
        vectors = source.vectors(len(numbers)).numpy()
        known = {
            "id": pa.array([f"{number:07}.jpg" for number in numbers]),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), WIDTH),
            "hash": pa.array([f"{number:064x}" for number in numbers]),
            "bytes": pa.array(3_000_000 + numbers),
            "mtime_ns": pa.array(numbers),
            "width": pa.array(np.full(len(numbers), 4000, np.int32)),
            "height": pa.array(np.full(len(numbers), 3000, np.int32)),
            "orientation": pa.array(np.ones(len(numbers), np.int8)),
            "taken": pa.array(FIRST + (LAST - FIRST) * numbers // rows),
            "camera": pa.array(["Leica M11" if n % (rows // RARE) == 7 else f"Canon EOS R{n % 9}" for n in numbers]),
            "colour": pa.array(np.array(["red", "blue", "grey", "white"])[numbers % 4]),
        }
        columns = [known.get(field.name, pa.nulls(len(numbers), field.type)) for field in schema]
        yield pa.record_batch(columns, schema=schema)


def holds(condition: str | None, numbers: np.ndarray, rows: int) -> Tensor:
    """Which rows a condition leaves, bool (N,), worked out apart from the album."""
    if condition is None:
        return torch.ones(len(numbers), dtype=torch.bool)
    if "camera" in condition:
        return torch.from_numpy(numbers % (rows // RARE) == 7)
    taken = FIRST + (LAST - FIRST) * numbers // rows
    first, after = {
        "date < 2015": (FIRST, np.datetime64("2015-01-01")),
        "date = 2012-03-01": (np.datetime64("2012-03-01"), np.datetime64("2012-03-02")),
    }.get(condition, (np.datetime64("2012-03-01"), np.datetime64("2012-05-13")))
    return torch.from_numpy((taken >= first) & (taken < after))


def truth(kind: Kind, rows: int, queries: Tensor) -> dict[str, Left]:
    """What each condition leaves, and the nearest of it, by comparing every vector in float32."""
    none = torch.full((len(queries), TOP), NONE), torch.zeros(len(queries), TOP, dtype=torch.int64)
    best, left = dict.fromkeys(CONDITIONS, none), dict.fromkeys(CONDITIONS, 0)
    source = drawn(kind)
    for start in range(0, rows, AT_ONCE):
        numbers = np.arange(start, min(rows, start + AT_ONCE))
        scores = queries @ source.vectors(len(numbers)).float().T
        for name, condition in CONDITIONS.items():
            places = holds(condition, numbers, rows).nonzero().flatten()
            left[name] += len(places)
            both = torch.cat([best[name][0], scores[:, places]], dim=1)
            ids = torch.cat([best[name][1], (places + start).expand(len(queries), -1)], dim=1)
            top = both.topk(TOP)
            best[name] = top.values, ids.gather(1, top.indices)
    return {
        name: Left(left[name], [{int(key) for key in of[known > NONE]} for known, of in zip(scores, ids, strict=True)])
        for name, (scores, ids) in best.items()
    }


def ask(album: Album, queries: Tensor, expected: Mapping[str, Left]) -> dict[str, dict[str, float]]:
    """What `nearest` takes and finds under each condition."""
    found: dict[str, dict[str, float]] = {}
    for name, condition in CONDITIONS.items():
        where = None if condition is None else to_sql(parse(condition, {}))
        nearest(album, queries[0], TOP, where)
        left, seconds, same = expected[name], [], 0
        for query, numbers in zip(queries, left.nearest, strict=True):
            started = time.perf_counter()
            matches = nearest(album, query, TOP, where)
            seconds.append(time.perf_counter() - started)
            same += len({f"{number:07}.jpg" for number in numbers} & {match.id for match in matches})
        found[name] = {
            "photos_left": left.photos,
            "recall": round(same / sum(len(numbers) for numbers in left.nearest), 4),
            "p50_ms": round(1000 * float(np.percentile(seconds, 50)), 1),
            "p95_ms": round(1000 * float(np.percentile(seconds, 95)), 1),
        }
        print(name, found[name], file=sys.stderr)
    return found


def measure(kind: Kind, rows: int, count: int) -> dict[str, object]:
    """One album, made, indexed and asked."""
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "album"
        album = make_album(path, WIDTH, ABOUT)
        started = time.perf_counter()
        album.photos.add(pa.RecordBatchReader.from_batches(photo_schema(WIDTH, ABOUT), batches(kind, rows)))
        found |= {"write_s": round(time.perf_counter() - started, 1), "write_mb": size_mb(path)}
        started = time.perf_counter()
        if wants_index(album, EXACT):
            make_index(album)
        found |= {
            "index_s": round(time.perf_counter() - started, 1),
            "disk_mb": size_mb(path),
            "index_peak_mb": peak_mb(),
        }
        print(kind, found, file=sys.stderr)
        source = drawn(kind)
        source.generator.manual_seed(1)
        queries = source.vectors(count).float()
        expected = truth(kind, rows, queries)
        started = time.perf_counter()
        album = open_album(path)
        assert album is not None
        nearest(album, queries[0], TOP)
        found |= {"first_search_s": round(time.perf_counter() - started, 2), "searches": ask(album, queries, expected)}
        started = time.perf_counter()
        album.put([new_row(number, vector) for number, vector in enumerate(source.vectors(MOST_AT_ONCE))], [])
        found |= {"put_s": round(time.perf_counter() - started, 2), "peak_mb": peak_mb()}
    return found


def beyond(albums: Mapping[Kind, Any]) -> Iterator[str]:
    """The bars that were not met."""
    for kind, album in albums.items():
        for name, search in album["searches"].items():
            least = 1.0 if search["photos_left"] <= FEW else LEAST_RECALL if kind == "clustered" else 0.0
            if search["recall"] < least:
                yield f"{kind}, {name}: recall {search['recall']}, at least {least}"
            if search["p50_ms"] > MOST_P50_MS:
                yield f"{kind}, {name}: {search['p50_ms']} ms, at most {MOST_P50_MS}"


def new_row(number: int, vector: Tensor) -> dict[str, object]:
    """A photo that comes later."""
    known = {"id": f"new{number}.jpg", "vector": vector.numpy(), "taken": datetime(2025, 1, 1)}
    return {**dict.fromkeys(photo_schema(WIDTH, ABOUT).names), **known}


def peak_mb() -> int:
    """The most memory (MB, resident) of this process until now."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024))


def size_mb(path: Path) -> int:
    """Of the files in a folder."""
    return round(sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6)


def main() -> int:
    """Prints the figures and, where wanted, keeps them; the exit code is 1 where one is beyond its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="photos of an album (%(default)s)")
    parser.add_argument("--queries", type=int, default=QUERIES, help="under each condition (%(default)s)")
    parser.add_argument("--kinds", nargs="+", choices=["clustered", "random"], default=["clustered", "random"])
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS}, which docs/search.md shows")
    options = parser.parse_args()
    found = {kind: measure(kind, options.rows, options.queries) for kind in options.kinds}
    report = {
        "photos": options.rows, "width": WIDTH, "queries": options.queries, "top": TOP, "cores": os.cpu_count(),
        "threads": torch.get_num_threads(), "load": os.getloadavg()[1], "lancedb": lancedb.__version__,
        "torch": torch.__version__, "least_recall": LEAST_RECALL, "most_p50_ms": MOST_P50_MS, "albums": found,
        "beyond": list(beyond(found)),
    }  # fmt: skip
    text = json.dumps(report, indent=2) + "\n"
    print(text, end="")
    if options.write:
        RESULTS.write_text(text, encoding="utf-8")
    return 1 if report["beyond"] else 0


if __name__ == "__main__":
    settle()
    sys.exit(main())
