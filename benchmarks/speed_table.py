"""The figures of docs/benchmarks.md: each row of each speed benchmark, what misses its goal, and what grows how."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.rows import figure

DEVICES = {"cpu": ("CPU", "make bench"), "gpu": ("GPU", "make bench-gpu")}
"""Device -> its name, and the command that fills in its rows."""
MEMORY_BAR_GB = 12
"""For a fit on 4,000 photos at 330 pixels with wide_resnet50_2."""

Run = Mapping[str, Any]
"""What one benchmark found on one device; rows.py writes it."""


def table(results: Path) -> str:
    """All that was measured, as Markdown; nothing where there are no results."""
    runs = [
        (path.stem.removeprefix("speed_"), run) for path in sorted(results.glob("speed_*.json")) for run in _runs(path)
    ]
    growths = _runs(results / "growth.json")
    if not runs and not growths:
        return ""
    parts = [absent(runs)] if runs else []
    for name, run in runs:
        parts.append([f"### {name.capitalize()}, {DEVICES[run['device']][0]}", "", *rows(run), *notes(run)])
        if "growth" in run:
            parts.append(["A fit's growth:", "", *growth(run["growth"])])
        if "memory" in run:
            parts.append([memory(run["memory"])])
    parts += [["### Goals that are missed", "", *missed(run for _, run in runs)]] if runs else []
    parts += [[f"### Growth, {DEVICES[run['device']][0]}", "", *flat(run)] for run in growths]
    return "\n".join("\n".join(lines) + "\n" for lines in parts if lines)


def absent(runs: Sequence[tuple[str, Run]]) -> list[str]:
    """Which device has no results, or lacks those of some benchmarks."""
    names = dict.fromkeys(name for name, _ in runs)
    lines = []
    for device, (shown, command) in DEVICES.items():
        there = {name for name, run in runs if run["device"] == device}
        if not there:
            lines.append(f"No {shown} was at hand: no row is of one. `{command}` fills them in.")
        elif lacking := [name for name in names if name not in there]:
            lines.append(f"No {shown} row of {', '.join(lacking)}: `{command}` fills them in.")
    return lines


def rows(run: Run) -> Iterator[str]:
    """A line a row of one run of a benchmark."""
    yield "| work | peer | ours | peer's | ratio | goal | of the ceiling | peak | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in run["rows"]:
        goal = "" if row["goal"] is None else f"{row['goal']:g}"
        share = "" if row["ceiling_share"] is None else f"{row['ceiling_share']:.2f}"
        met = "" if row["goal"] is None else "**missed**" if _misses(row) else "met"
        yield (
            f"| {row['work']} | {row['peer']} | {figure(row['ours'])} {row['unit']} | {figure(row['peer_value'])} "
            f"| {_ratio(row)} | {goal} | {share} | {row['peak_mb']:,.0f} MB | {met} |"
        )


def notes(run: Run) -> Iterator[str]:
    """What takes the rest, what a reader has to know beside the rows, and what the figures are of."""
    rests = {row["work"]: row["rest"] for row in run["rows"] if row["rest"]}
    if rests:
        yield from ("", "What takes the rest:", "")
        yield from (f"- {work}: {rest}" for work, rest in rests.items())
    yield from ("", "Of these figures:", "")
    for row in run["rows"]:
        if row["note"]:
            yield f"- {row['work']}, {row['peer']}: {row['note']}"
    yield f"- {measured_on(run['machine'])}"


def measured_on(machine: Mapping[str, Any]) -> str:
    """What the figures of a run are of."""
    where = machine["gpu"] or f"{machine['cores']} cores of {machine['processor']}"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"On {where}, at commit {machine['commit']}, load before {machine['load_before']}; {versions}."


def missed(runs: Iterable[Run]) -> Iterator[str]:
    """A line a row that misses its goal: by how much, what takes the time, and what is next."""
    found = [row for run in runs for row in run["rows"] if row["goal"] is not None and _misses(row)]
    if not found:
        yield "None: each row that has a goal meets it."
    for row in found:
        causes = [f"What takes the time: {row['rest']}."] if row["rest"] else []
        levers = [f"Next: {row['lever']}."] if row["lever"] else []
        what = f"- **{row['work']}**, {DEVICES[row['device']][0]}, against {row['peer']}:"
        yield " ".join([what, f"{_ratio(row)} of {row['goal']:g}.", *causes, *levers])


def growth(found: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """What a photo costs in the parts of anomaly, for growing numbers of photos."""
    yield "| photos | patches kept | network, ms a photo | coreset, ms a photo | predict, ms a photo |"
    yield "|---|---|---|---|---|"
    for each in found:
        parts = " | ".join(figure(each[f"{part}_ms_a_photo"]) for part in ("network", "coreset", "predict"))
        yield f"| {each['photos']:,} | {each['bank']:,} | {parts} |"
    few, many = found[0], found[-1]
    photos, coreset = many["photos"] / few["photos"], many["coreset_ms_a_photo"] / few["coreset_ms_a_photo"]
    yield ""
    yield f"With {photos:.3g} times the photos the coreset takes {coreset:.2g} times as long for each."


def memory(found: Mapping[str, Any]) -> str:
    """The measured peaks of fits, and what is computed for 4,000 photos at full size."""
    peaks, full = found["peak_mb"], found["computed"]
    counts = found["photos"]
    bounded = ", ".join(f"{peak:,} MB for {count:,}" for count, peak in zip(counts, peaks["bounded"], strict=True))
    most_gb = sum(value for key, value in full.items() if key.endswith("_gb") and key != "without_bound_gb")
    within = "within" if most_gb <= MEMORY_BAR_GB else "**beyond**"
    return (
        f"Memory of a fit at {found['side']} pixels, whose coreset has at most {found['candidates']:,} candidates: at "
        f"its peak {bounded} photos; without that bound {peaks['unbounded'][-1]:,} MB for {counts[-1]:,}. Computed for "
        f"{full['photos']:,} photos with wide_resnet50_2 and the default bound: at most {most_gb:.1f} GB beside the "
        f"libraries, {within} the bar of {MEMORY_BAR_GB} GB; without the bound {full['without_bound_gb']:g} GB."
    )


def flat(run: Run) -> Iterator[str]:
    """What a photo takes in each task's command, for n, 2n and 4n photos."""
    yield f"| task | photos | ms a photo | farthest from the first | flat within {run['most']:.0%} | start |"
    yield "|---|---|---|---|---|---|"
    for task, found in run["tasks"].items():
        photos = ", ".join(f"{count:,}" for count in found["photos"])
        each = ", ".join(figure(value) for value in found["ms_a_photo"])
        said = "yes" if found["flat"] else "**no**"
        yield f"| {task} | {photos} | {each} | {found['deviation']:+.0%} | {said} | {found['start_s']:g} s |"
    yield ""
    yield (
        "From JPEG files to the CSV or the album, with the bundled models; the start, mostly loading, is not in it. "
        f"{measured_on(run['machine'])}"
    )


def _runs(path: Path) -> list[Run]:
    return json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []


def _misses(row: Mapping[str, Any]) -> bool:
    return bool(row["ratio"] < row["goal"])


def _ratio(row: Mapping[str, Any]) -> str:
    """Two digits where one would hide that a goal is missed."""
    ratio: str = f"{row['ratio']:.1f}"
    return ratio if row["goal"] is None or not _misses(row) or float(ratio) < row["goal"] else f"{row['ratio']:.2f}"
