"""The figures of docs/demo.md: how soon the demo is there, and what it takes when ten people use it at once."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

STARTS = {
    "first_page_s": "from the start to a first page that can be used",
    "first_caption_s": "from a click then to the first caption of a sample",
}


def start(found: Mapping[str, Any]) -> Iterator[str]:
    """Of `python -m benchmarks.visitors --write`: the first page and the first caption."""
    yield "| | median | each time | bar |"
    yield "|---|---|---|---|"
    for key, what in STARTS.items():
        each = ", ".join(f"{one[key]:.1f}" for one in found["starts"])
        yield f"| {what} | {found['start'][key]:.1f} s | {each} | {found['bars'][key]:g} s |"


def together(found: Mapping[str, Any]) -> Iterator[str]:
    """Of the same: what visitors at once wait for."""
    visit = found["together"]
    yield f"| {visit['visitors']} visitors at once for {visit['seconds']:g} s | times | p50 | p95 |"
    yield "|---|---|---|---|"
    for what, took in visit["steps"].items():
        waits = f"{took['p50_s']:.1f} s | {took['p95_s']:.1f} s" if took["times"] else "|"
        yield f"| {what} | {took['times']} | {waits} |"
    for what, seconds in visit["first"].items():
        yield f"| before them, once for all: {what} | 1 | {seconds:.1f} s | |"
    yield ""
    yield (
        f"Errors: {len(visit['errors'])}. Networks in memory at the end: {len(visit['networks'])} "
        f"({', '.join(visit['networks'])}). Peak memory of the server: {visit['peak_mb']:,} MB."
    )


def table(results: Path) -> str:
    """Both tables, as Markdown; none where the file is not there."""
    path = results / "visitors.json"
    if not path.exists():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))
    return "\n".join("\n".join(each(found)) + "\n" for each in (start, together))
