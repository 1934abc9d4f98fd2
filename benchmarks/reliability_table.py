"""The figures of docs/reliability.md: what kills, signals, deadlines and many photos came to."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.stress import faults

MOST_OVERSHOOT_S = 2.0
RESUMED = ("resumed_runs", "resumed_images", "resumed_fits")


@dataclass(frozen=True)
class Row:
    """A line of the table: what was measured, what came out, and what it has to be, where it has to be something."""

    what: str
    figure: str
    bar: str = ""


def stress(found: Mapping[str, Any]) -> Iterator[Row]:
    """Of `make stress`."""
    killed, signals = found["kills"]["tasks"].values(), found["signals"]["tasks"].values()
    total = {key: sum(task[key] for task in killed) for key in ("kills", *RESUMED)}
    yield Row("runs killed with SIGKILL, each chain of them until one came to its end", f"{total['kills']:,}")
    yield Row(
        "attempts that went on from what another had kept; what the last of a chain did not do again",
        f"{total['resumed_runs']:,}; {total['resumed_images']:,} results, {total['resumed_fits']:,} fitted models",
    )
    yield Row(
        "runs stopped by SIGTERM; of those, runs that had a submission to leave, which the doctor passed",
        f"{sum(task['sent'] for task in signals)}; {sum(task['submissions'] for task in signals)}",
    )
    yield Row(
        "files that differed from an undisturbed run's, stayed behind or were missing, and any other fault",
        str(len(faults(found))),
        "0",
    )
    for task, late in found["deadlines"]["tasks"].items():
        overshoot, reached = late["overshoot_s"], late["images"] - late["missing"]
        when = f"{abs(overshoot):.1f} s {'after' if overshoot > 0 else 'before'} it"
        yield Row(
            f"{task}, {late['images']:,} photos with `--deadline {late['deadline_s']:g}s`: end of the process",
            f"{when}, {reached:,} photos done",
            f"at most {MOST_OVERSHOOT_S:g} s after",
        )


def memory(found: Mapping[str, Any]) -> Iterator[Row]:
    """Of `python -m benchmarks.memory --write`."""
    few, many = found["photos"]
    for task, peaks in found["tasks"].items():
        yield Row(
            f"{task}, peak memory for {many:,} photos, against {few:,}",
            f"{peaks['peak_mb'][1]:,.0f} MB, {100 * (peaks['ratio'] - 1):+.1f}%",
            f"at most {100 * (found['most_ratio'] - 1):+.0f}%",
        )


def chat_memory(found: Mapping[str, Any]) -> Iterator[Row]:
    """Of `python -m benchmarks.chat_memory --write`."""
    width, height = found["size_wh"]
    for row in found["rows"]:
        yield Row(
            f"caption by a chat model ({found['checkpoint']}'s settings), {found['photos']} photos of "
            f"{width} x {height}, batch {found['batch']}, {row['workers']} workers: memory for the photos at the peak",
            f"{row['for_photos_gb']:.1f} GB",
            f"at most {row['bound_gb']:.1f} GB",
        )


def doctor(found: Mapping[str, Any]) -> Iterator[Row]:
    """Of `python -m benchmarks.doctor`."""
    yield Row(
        f"the doctor's look at {found['images']:,} photos, before the models load",
        f"{max(found['check_inputs_s']):.1f} s",
        f"at most {found['most_seconds']:g} s",
    )


def pictures(found: Mapping[str, Any]) -> Iterator[Row]:
    """Of `python -m benchmarks.pictures`."""
    files = f"listing a folder of {found['files']:,} files, beside a plain walk by endings"
    for name, most in found["most"].items():
        what = files if name == "listing" else f"decoding a {name}, beside OpenCV alone"
        yield Row(what, f"{found[name]['ratio']:.2f} times its time", f"at most {most:g} times")


ROWS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Row]]] = {
    "stress": stress,
    "memory": memory,
    "chat_memory": chat_memory,
    "doctor": doctor,
    "pictures": pictures,
}
"""Name of a file of results -> its rows."""


def table(results: Path) -> str:
    """The rows of all files of the folder that are there, as a Markdown table; those that are not are left out."""
    lines = ["| what | figure | bar |", "|---|---|---|"]
    for name, rows in ROWS.items():
        path = results / f"{name}.json"
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            lines += [f"| {row.what} | {row.figure} | {row.bar} |" for row in rows(found)]
    return "\n".join(lines) + "\n"
