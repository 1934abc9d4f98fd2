"""Measures the peak memory of a chat captioner over 64 photos of 12 megapixels, against what the README promises.

The network is small and random; what it is given is not: settings, processor and chat template are Qwen3-VL-4B's as
they are published, so that its pictures take what they take of the real one.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.memory import peak_of
from tests.published.build import build
from tests.published.facts import read_facts

RESULTS = Path(__file__).parent / "results/chat_memory.json"
CHECKPOINT = "Qwen/Qwen3-VL-4B-Instruct"
SIZE_WH = (4000, 3000)
PHOTOS, DISTINCT = 64, 4
BATCH = 16
BASE_GB, WORKER_GB = 3.0, 1.4
"""The README's bound: what a run takes for its pictures, and more for each worker."""


def draw_photos(folder: Path) -> None:
    """PHOTOS JPEGs of SIZE_WH, of which DISTINCT differ."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(PHOTOS):
        path = folder / f"{number:02}.jpg"
        if number < DISTINCT:
            colours = Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8))
            colours.resize(SIZE_WH, Image.Resampling.BICUBIC).save(path, quality=90)
        else:
            path.hardlink_to(folder / f"{number % DISTINCT:02}.jpg")


def peak_gb(checkpoint: Path, photos: Path, workers: int) -> float:
    """The most memory of the command, in GB."""
    with tempfile.TemporaryDirectory() as name:
        settings = ["--config", "configs/caption.yaml", "--checkpoint", str(checkpoint)]
        short = ["--max-tokens", "4"]
        run = ["--device", "cpu", "--runner.progress", "false", "--batch", str(BATCH), "--workers", str(workers)]
        files = ["--images", str(photos), "--output", f"{name}/caption.csv"]
        return peak_of("caption", *settings, *short, *run, *files) / 1000


def measure(counts: list[int]) -> dict[str, Any]:
    """For each number of workers the peak over that of a run over small photos, and the bound."""
    (facts,) = [each for each in read_facts() if each.checkpoint == CHECKPOINT]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(facts, folder)
        checkpoint = folder / CHECKPOINT / "main"
        draw_photos(folder / "photos")
        (folder / "small").mkdir()
        Image.open(folder / "photos/00.jpg").resize((64, 48)).save(folder / "small/a.jpg")
        rows = []
        for workers in counts:
            before = peak_gb(checkpoint, folder / "small", workers)
            peak = peak_gb(checkpoint, folder / "photos", workers)
            bound = BASE_GB + WORKER_GB * workers
            rows.append({
                "workers": workers, "without_photos_gb": round(before, 2), "peak_gb": round(peak, 2),
                "for_photos_gb": round(peak - before, 2), "bound_gb": round(bound, 2),
                "within": peak - before <= bound,
            })  # fmt: skip
            print(rows[-1], flush=True)
    return {
        "checkpoint": CHECKPOINT, "photos": PHOTOS, "size_wh": SIZE_WH, "batch": BATCH, "cores": os.cpu_count(),
        "rows": rows,
    }  # fmt: skip


def main() -> int:
    """Prints the peaks and, where wanted, keeps them; the exit code is 1 where one is above its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 8], help="(%(default)s)")
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS}, which docs/reliability.md shows")
    options = parser.parse_args()
    found = measure(options.workers)
    if options.write:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    return int(not all(row["within"] for row in found["rows"]))


if __name__ == "__main__":
    raise SystemExit(main())
