"""The figures of docs/search.md: what large albums and indexing take."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def searches(found: Mapping[str, Any]) -> Iterator[str]:
    """Of `python -m benchmarks.album --write`: a line for each album and condition."""
    yield f"| {found['photos']:,} photos | photos left | recall@{found['top']} | p50 | p95 |"
    yield "|---|---|---|---|---|"
    for kind, album in found["albums"].items():
        for name, each in album["searches"].items():
            figures = (
                f"{each['photos_left']:,} | {each['recall']:.3f} | {each['p50_ms']:.0f} ms | {each['p95_ms']:.0f} ms"
            )
            yield f"| {kind}, {name} | {figures} |"


def making(found: Mapping[str, Any]) -> Iterator[str]:
    """Of the same: what making the albums took."""
    yield "| " + " | ".join(["", *found["albums"]]) + " |"
    yield "|---" * (1 + len(found["albums"])) + "|"
    for what, key, unit in (
        ("written, with drawing the vectors", "write_s", "s"),
        ("index made", "index_s", "s"),
        ("on the disk before the index", "write_mb", "MB"),
        ("on the disk with the index", "disk_mb", "MB"),
        ("peak memory, of all that the benchmark does", "peak_mb", "MB"),
        ("first search after opening", "first_search_s", "s"),
        ("256 more photos put in", "put_s", "s"),
    ):
        yield "| " + " | ".join([what, *(f"{album[key]:,} {unit}" for album in found["albums"].values())]) + " |"


def indexing(found: Mapping[str, Any]) -> Iterator[str]:
    """Of `python -m benchmarks.indexing --write`."""
    megapixels = found["size_wh"][0] * found["size_wh"][1] / 1e6
    yield f"| {found['photos']} JPEGs of {megapixels:.0f} megapixels, {found['mb_a_photo']:.1f} MB each | |"
    yield "|---|---|"
    yield f"| the plain way | {found['plain_photos_per_s']:.1f} photos/s |"
    yield f"| `search index` | {found['ours_photos_per_s']:.1f} photos/s |"
    yield f"| ratio | {found['ratio']:.1f}, at least {found['bars']['ratio']:g} |"
    yield f"| least cosine of the two vectors of a photo | {found['least_cosine']:.4f} |"
    for part, spent in found["ms_a_photo"].items():
        yield f"| {part}, in one thread | {spent:.1f} ms |"


def table(results: Path) -> str:
    """All tables, as Markdown; those whose file is not there are left out."""
    parts = []
    for name, tables in (("album", (searches, making)), ("indexing", (indexing,))):
        path = results / f"{name}.json"
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            parts += ["\n".join(each(found)) + "\n" for each in tables]
    return "\n".join(parts)
