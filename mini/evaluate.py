"""Says how good the bundled models are, on fresh drawings of a seed: `python -m mini.evaluate --seed 12345`."""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mini.measure import Figure, anomaly, caption, detect, search, sizes, translation
from pipelines.core.terminal import settle

WEIGHTS = Path("mini/weights")
FIGURES = Path("mini/figures.json")
SEARCHED = 200


def measure(seed: int, scenes: int) -> list[Figure]:
    """Every figure of every model; what is drawn for it is gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [
            *caption(seed, scenes, folder / "caption"),
            *translation(seed, scenes),
            *detect(seed, scenes, folder / "detect"),
            *search(seed, SEARCHED),
            *anomaly(seed, folder / "anomaly"),
            *sizes(WEIGHTS),
        ]


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| model | what | figure | bar |", "|---|---|---|---|"]
    lines += [f"| {each.model} | {each.name} | {each} | {each.bar} |" for each in figures]
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table and, where wanted, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="of what is drawn; any number")
    parser.add_argument("--scenes", type=int, default=500, help="drawn for each task (%(default)s)")
    parser.add_argument("--write", action="store_true", help=f"also write {FIGURES}, which the README shows")
    options = parser.parse_args()
    figures = measure(options.seed, options.scenes)
    print(table(figures))
    if options.write:
        record = {"seed": options.seed, "scenes": options.scenes, "machine": f"{os.cpu_count()} CPU cores"}
        record["figures"] = [asdict(each) for each in figures]
        FIGURES.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    settle()
    main()
