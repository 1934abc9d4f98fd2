"""Measures the peak memory of runs over 200 and over 2,000 photos: a run is to need no more for more photos."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.core.terminal import settle

RESULTS = Path(__file__).parent / "results/memory.json"
COUNTS = (200, 2000)
MOST = 1.1
"""The larger run's peak over the smaller one's."""
SIZE_WH = (640, 480)
SOURCES = {"caption": "caption/images/*.jpg", "detect": "detect/images/*.jpg", "anomaly": "anomaly/weave/test/*/*.jpg"}
OWN = {
    "caption": [],
    "detect": ["--boxes", "{}/boxes.json", "--save-images", "{}/drawn"],
    # A small fit, so that it is the scoring that sets the peak.
    "anomaly": ["--normal", "{}/normal", "--fit.coreset", "0.01", "--strides", "8", "16", "--folds", "2",
                "--save-maps", "{}/maps"],
}  # fmt: skip
"""Settings of each task beside the bundled ones; {} is the folder of all files."""
NORMALS = 8


def draw_photos(sources: Sequence[Path], folder: Path, count: int) -> None:
    """`count` JPEGs of SIZE_WH, each one distinct: the sample's pictures, enlarged, under grain of their own."""
    folder.mkdir()
    for number in range(count):
        with Image.open(sources[number % len(sources)]) as picture:
            pixels = np.asarray(picture.convert("RGB").resize(SIZE_WH, Image.Resampling.BICUBIC), np.float32)
        grain = np.random.default_rng(number).normal(0, 6, (*pixels.shape[:2], 1))
        grainy = Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))
        grainy.save(folder / f"{number:05}.jpg", quality=90)


def peak_mb(task: str, folder: Path, images: Path) -> float:
    """The most memory (MB, resident) that `python -m pipelines` takes at any time for the photos of a folder."""
    own = [word.format(folder) for word in OWN[task]]
    settings = ["--config", f"configs/mini/{task}.yaml", "--images", str(images), "--sample-submission", "null"]
    output = ["--output", f"{folder}/{images.name}/{task}.csv", "--progress", "false", "--device", "cpu"]
    return peak_of(task, *settings, *output, *own)


def peak_of(*words: str) -> float:
    """The most memory (MB, resident) that `python -m pipelines` with these words takes at any time."""
    command = [sys.executable, "-m", "pipelines", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{said}")
    return used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)  # bytes there, KiB elsewhere


def compare(task: str, counts: Sequence[int]) -> dict[str, object]:
    """The peaks of the two runs of a task."""
    with tempfile.TemporaryDirectory() as name:
        folder, few, many = Path(name), *counts
        sources = sorted(Path("samples").glob(SOURCES[task]))
        draw_photos(sources, folder / "many", many)
        (folder / "few").mkdir()
        for path in sorted((folder / "many").iterdir())[:few]:
            (folder / "few" / path.name).hardlink_to(path)
        if task == "anomaly":
            normals = sorted(Path("samples/anomaly/weave/train/good").iterdir())
            draw_photos(normals, folder / "normal", NORMALS)
        peaks = [peak_mb(task, folder, folder / images) for images in ("few", "many")]
    return {
        "peak_mb": [round(peak, 1) for peak in peaks],
        "ratio": round(peaks[1] / peaks[0], 4),
        "kb_a_photo": round(1000 * (peaks[1] - peaks[0]) / (many - few), 1),
    }


def main() -> int:
    """Prints the peaks and, where wanted, keeps them; the exit code is 1 where one is above its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs=2, default=COUNTS, help="photos of the two runs (%(default)s)")
    parser.add_argument("--tasks", nargs="+", choices=OWN, default=list(OWN), help="(%(default)s)")
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS}, which docs/reliability.md shows")
    options = parser.parse_args()
    found = {task: compare(task, options.counts) for task in options.tasks}
    report = {
        "photos": list(options.counts), "size_wh": SIZE_WH, "batch": 16, "cores": os.cpu_count(), "most_ratio": MOST,
        "tasks": found, "within": all(each["ratio"] <= MOST for each in found.values()),
    }  # fmt: skip
    text = json.dumps(report, indent=2) + "\n"
    print(text, end="")
    if options.write:
        RESULTS.write_text(text, encoding="utf-8")
    return 0 if report["within"] else 1


if __name__ == "__main__":
    settle()
    sys.exit(main())
