"""The figures of docs/benchmarks.md: every row of every speed benchmark, and what falls short of its goal."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.rows import figure


def rows(run: Mapping[str, Any]) -> Iterator[str]:
    """A line a row of one run of a benchmark."""
    yield "| work | peer | ours | peer's | ratio | goal | of the ceiling | peak | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in run["rows"]:
        goal = "" if row["goal"] is None else f"{row['goal']:g}"
        share = "" if row["ceiling_share"] is None else f"{row['ceiling_share']:.2f}"
        met = "" if row["goal"] is None else "met" if row["ratio"] >= row["goal"] else "**missed**"
        yield (
            f"| {row['work']} | {row['peer']} | {figure(row['ours'])} {row['unit']} | {figure(row['peer_value'])} "
            f"| {row['ratio']:.1f} | {goal} | {share} | {row['peak_mb']:,.0f} MB | {met} |"
        )


def notes(run: Mapping[str, Any]) -> Iterator[str]:
    """What a reader has to know beside the rows, and what the figures are of."""
    for row in run["rows"]:
        if row["note"]:
            yield f"- {row['work']}, {row['peer']}: {row['note']}"
    machine = run["machine"]
    where = machine["gpu"] or f"{machine['cores']} cores of {machine['processor']}"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield f"- On {where}, at commit {machine['commit']}, load before {machine['load_before']}; {versions}."


def table(results: Path) -> str:
    """All benchmarks that were run, as Markdown."""
    parts = []
    for path in sorted(results.glob("speed_*.json")):
        for run in json.loads(path.read_text(encoding="utf-8"))["runs"]:
            device = {"cpu": "CPU", "gpu": "GPU"}[run["rows"][0]["device"]]
            title = f"### {path.stem.removeprefix('speed_').capitalize()}, {device}"
            parts.append("\n".join([title, "", *rows(run), "", *notes(run)]) + "\n")
    return "\n".join(parts)
