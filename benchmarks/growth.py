"""Times each task's command for n, 2n and 4n photos: what a photo takes is to be the same, however many there are.

The commands run as `python -m pipelines` runs them, from JPEG files to the CSV or the album, in this process and with
the bundled models. What a run takes before its first photo, which is what a run over one photo takes, is told apart.
The photos are the samples at 640 x 480 under grain, all distinct. Captions are not translated, since each distinct one
is translated once: more photos would take less. Anomaly scores with a model that was fitted before.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import rows
from benchmarks.memory import NORMALS, SOURCES, draw_photos
from pipelines.__main__ import main as run_command
from pipelines.core.terminal import settle

RESULTS = rows.RESULTS / "growth.json"
FEWEST = {
    "cpu": {"caption": 40, "detect": 96, "anomaly": 48, "index": 96},
    "gpu": {"caption": 256, "detect": 256, "anomaly": 256, "index": 128},
}
"""n of each task: about half a second's work on two cores."""
TIMES = (1, 2, 4)
MOST = 0.15
"""How much what a photo takes may differ from that of n photos."""
COMMANDS = {
    "caption": ["caption", "--images", "{photos}", "--output", "{out}/caption.csv", "--translate", "false"],
    "detect": ["detect", "--images", "{photos}", "--output", "{out}/detect.csv", "--boxes", "{out}/boxes.json"],
    "anomaly": ["anomaly", "--images", "{photos}", "--output", "{out}/anomaly.csv", "--save-maps", "{out}/maps",
                "--fitted", "{fitted}"],
    "index": ["search", "index", "{photos}", "--albums", "{out}/albums", "--album", "all"],
}  # fmt: skip
FIT = ["anomaly", "--images", "{photos}", "--output", "{out}/fit.csv", "--save-maps", "null", "--normal", "{normal}",
       "--save-fitted", "{fitted}", "--fit.coreset", "0.05", "--folds", "2"]  # fmt: skip
SAMPLES = SOURCES | {"index": "search/images/*.jpg"}


def command(words: Sequence[str], folders: dict[str, Path]) -> float:
    """Wall seconds of `python -m pipelines` with these words; a name in braces stands for its folder."""
    settings = ["--config", f"configs/mini/{words[0]}.yaml", "--runner.progress", "false", "--fresh"]
    if words[0] != "search":
        settings += ["--sample-submission", "null"]
    own = [word.format(**folders) for word in words] + settings
    said = io.StringIO()
    started = time.perf_counter()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run_command(own)
    seconds = time.perf_counter() - started
    if code:
        raise RuntimeError(f"`python -m pipelines {' '.join(own)}` ended with {code}:\n{said.getvalue()}")
    return seconds


def measure(task: str, fewest: int, repeats: int, root: Path) -> dict[str, Any]:
    """What a photo takes for each number of photos, in runs that take turns, and what a run takes before that."""
    counts = [1, *(fewest * times for times in TIMES)]
    most = counts[-1]
    folders = {name: root / name for name in ("many", "out", "normal", "fitted")}
    draw_photos(sorted(Path("samples").glob(SAMPLES[task])), folders["many"], most)
    photos = {count: first(folders["many"], count, root / str(count)) for count in counts}
    folders["out"].mkdir()
    if task == "anomaly":
        draw_photos(sorted(Path("samples/anomaly/weave/train/good").iterdir()), folders["normal"], NORMALS)
        command(FIT, folders | {"photos": photos[1]})
    seconds: dict[int, list[float]] = {count: [] for count in counts}
    command(COMMANDS[task], folders | {"photos": photos[fewest]})  # imports, and whatever else is done once
    for _ in range(repeats):
        for count in counts:
            # As many photos for each number of them: short runs alone would meet less of what else the machine does.
            runs = [
                command(COMMANDS[task], folders | {"photos": photos[count]}) for _ in range(most // max(count, fewest))
            ]
            seconds[count].append(statistics.mean(runs))
    medians = {count: statistics.median(each) for count, each in seconds.items()}
    start_s = medians.pop(1)
    return summary(start_s, medians) | {"repeats": repeats}


def first(photos: Path, count: int, folder: Path) -> Path:
    """A folder of the first so many photos of another."""
    folder.mkdir()
    for path in sorted(photos.iterdir())[:count]:
        (folder / path.name).hardlink_to(path)
    return folder


def summary(start_s: float, seconds: dict[int, float]) -> dict[str, Any]:
    """What a photo takes beyond the start, which has one photo in it, and its largest deviation from n photos."""
    each_ms = [1000 * (whole - start_s) / (count - 1) for count, whole in seconds.items()]
    deviation = max((each / each_ms[0] - 1 for each in each_ms), key=abs)
    return {
        "photos": list(seconds), "start_s": round(start_s, 2), "ms_a_photo": [round(each, 2) for each in each_ms],
        "deviation": round(deviation, 3), "flat": abs(deviation) <= MOST,
    }  # fmt: skip


def main() -> None:
    """Prints what was found and, where wanted, keeps it."""
    device = rows.this_device()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="(%(default)s)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="for a trial: 4 to 16 photos, one repeat")
    parser.add_argument("--write", action="store_true", help="also keep it for docs/benchmarks.md")
    options = parser.parse_args()
    found = {}
    for task in options.tasks:
        fewest, repeats = (4, 1) if options.quick else (FEWEST[device][task], options.repeats)
        with tempfile.TemporaryDirectory() as root:
            found[task] = measure(task, fewest, repeats, Path(root))
        print(task, found[task], flush=True)
    if options.write and not options.quick:
        print(rows.keep(RESULTS, device, most=MOST, tasks=found))


if __name__ == "__main__":
    settle()
    main()
