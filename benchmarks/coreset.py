"""Times our coreset selection against anomalib's KCenterGreedy on the same points: wall and CPU seconds, same picks.

The points are drawn, not measured on photos: patches around the mean of their image. Both get the same ones, float32
and centred, and only the selection is timed, without the projection that both would do first.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from anomalib.models.components import KCenterGreedy
from torch import Tensor

from pipelines.anomaly.models.patchcore.coreset import PROJECTED, select
from pipelines.core.terminal import settle

RESULTS = Path(__file__).parent / "results/coreset.json"
PATCHES_AN_IMAGE = 1024  # stride 8 at 256 pixels


def drawn(images: int) -> Tensor:
    """Centred points (N, PROJECTED), float32: the spread between images is a third of that within one."""
    generator = torch.Generator().manual_seed(0)
    within = torch.randn(images, PATCHES_AN_IMAGE, PROJECTED, generator=generator)
    points = (within + torch.randn(images, 1, PROJECTED, generator=generator) / 3).reshape(-1, PROJECTED)
    return points - points.mean(0)


def radius(points: Tensor, picks: list[int]) -> float:
    """The largest distance of a point to its nearest pick."""
    chosen = points[picks]
    return max(float(torch.cdist(rows, chosen).amin(1).max()) for rows in points.split(4096))


def timed(run: Callable[[], list[int]]) -> tuple[list[int], dict[str, float]]:
    """The picks, with wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    picks = run()
    return picks, {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def theirs(points: Tensor, ratio: float) -> list[int]:
    """anomalib's picks, in order; the extra axis keeps it from projecting again."""
    return KCenterGreedy(points.unsqueeze(1), ratio).select_coreset_idxs()


def compare(images: int, ratio: float, repeats: int) -> dict[str, object]:
    """Runs both in turn, so that another load on the machine meets both."""
    points = drawn(images)
    runs: dict[str, list[dict[str, float]]] = {"anomalib": [], "ours": []}
    agreement, radii = [], []
    for seed in range(repeats):
        torch.manual_seed(seed)
        baseline, seconds = timed(partial(theirs, points, ratio))
        runs["anomalib"].append(seconds)
        ours, seconds = timed(partial(select, points, len(baseline), baseline[0]))
        runs["ours"].append(seconds)
        agreement.append(len(set(ours) & set(baseline)) / len(baseline))
        radii.append({"anomalib": radius(points, baseline), "ours": radius(points, ours)})
    ratios = {
        key: [a[key] / b[key] for a, b in zip(runs["anomalib"], runs["ours"], strict=True)]
        for key in ("wall_s", "cpu_s")
    }
    return {
        "patches": len(points), "dimensions": PROJECTED, "picks": len(baseline), "repeats": repeats,
        "threads": torch.get_num_threads(), "device": "cpu", "runs": runs, "share_of_same_picks": agreement,
        "covering_radius": radii, "median_ratio": {key: statistics.median(found) for key, found in ratios.items()},
    }  # fmt: skip


def main() -> None:
    """Prints the comparison and writes it to benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12, help="images of 1,024 patches (%(default)s)")
    parser.add_argument("--ratio", type=float, default=0.1, help="share of the patches that is picked (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, in turn (%(default)s)")
    options = parser.parse_args()
    found = compare(options.images, options.ratio, options.repeats)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    settle()
    main()
