"""Times indexing 12-megapixel photos against the plain way: Pillow, Hugging Face's processor and the model, one by one.

Both have the same checkpoint, precision, photos and number of threads, and do each chunk of the photos right after one
another, in turn first, so that other work on the machine meets both. Ours also hashes the files, makes thumbnails and
writes the album. The photos are drawn: soft colours under grain, some 3 MB each. Run it with OMP_NUM_THREADS=1 where
the machine has other work: torch's threads wait for one another, which makes the plain way look several times slower.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from PIL.ImageFile import ImageFile
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, AutoProcessor

from pipelines.core.images.opening import look
from pipelines.core.networks.checkpoints import file_hash
from pipelines.core.networks.clip import ClipImages, load_clip
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.search.album.album import About, Album, make_album
from pipelines.search.album.embedding import PhotoFile, PhotoReader
from pipelines.search.album.indexing import MOST_AT_ONCE, Report, add, find_files, photo_row
from pipelines.search.album.photos import read_photo

RESULTS = Path(__file__).parent / "results/indexing.json"
CHECKPOINT = Path("mini/weights/clip")
SIZE_WH, QUALITY, GRAIN = (4000, 3000), 90, 6.0
CHUNK = 25
LEAST_RATIO = 3.0
LEAST_COSINE = 0.995
PROFILED = 25


def draw_photos(folder: Path, count: int) -> None:
    """`count` JPEGs, each of colours of its own; the grain is one, shifted."""
    width, height = SIZE_WH
    grain = np.random.default_rng(0).normal(0, GRAIN, (height, width, 1)).astype(np.int16).repeat(3, axis=2)
    for number in range(count):
        colours = np.random.default_rng(number).integers(20, 236, (9, 12, 3), dtype=np.uint8)
        soft = cv2.resize(colours, SIZE_WH, interpolation=cv2.INTER_CUBIC)
        grainy = cv2.add(soft, np.roll(grain, 131 * number, axis=1), dtype=cv2.CV_8U)
        cv2.imwrite(str(folder / f"{number:04}.jpg"), grainy, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


class Plain:
    """The way of a model's page on the hub."""

    def __init__(self) -> None:
        self.model = AutoModel.from_pretrained(CHECKPOINT, dtype=torch.float32).eval()
        self.processor = AutoProcessor.from_pretrained(CHECKPOINT)

    @torch.inference_mode()
    def vectors(self, files: Sequence[PhotoFile]) -> Tensor:
        """Unit vectors, float32 (N, D)."""
        found = []
        for file in files:
            inputs = self.processor(images=Image.open(file.path).convert("RGB"), return_tensors="pt")
            found.append(self.model.get_image_features(**inputs).pooler_output)
        return F.normalize(torch.cat(found), dim=1)


def timed(work: Callable[[], object]) -> float:
    """Wall seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(files: Sequence[PhotoFile], images: ClipImages, album: Album) -> dict[str, object]:
    """Seconds of both for each chunk, and how near the vectors are to one another."""
    reader, plain = PhotoReader(images), Plain()
    runner = Runner(RunnerConfig(device="cpu", precision="fp32", batch=16, progress=False))
    report, vectors = Report(album.path), []

    def ours(some: Sequence[PhotoFile]) -> None:
        add(album, runner.run(reader, some), report, MOST_AT_ONCE)

    def theirs(some: Sequence[PhotoFile]) -> None:
        vectors.append(plain.vectors(some))

    list(runner.run(reader, files[:2]))
    plain.vectors(files[:2])
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    for number, start in enumerate(range(0, len(files), CHUNK)):
        some = files[start : start + CHUNK]
        turns = [("ours", ours), ("plain", theirs)]
        for name, way in turns if number % 2 else reversed(turns):
            seconds[name].append(round(timed(partial(way, some)), 3))
        print({name: each[-1] for name, each in seconds.items()}, file=sys.stderr)
    kept = album.vectors()
    if report.failed or kept.ids != [file.id for file in files]:
        raise RuntimeError(f"expected all photos in the album, but {report.failed}")
    cosines = (kept.matrix.float() * torch.cat(vectors)).sum(1)
    rates = {f"{name}_photos_per_s": round(len(files) / sum(each), 2) for name, each in seconds.items()}
    ratios = [theirs / ours for theirs, ours in zip(seconds["plain"], seconds["ours"], strict=True)]
    return {
        "seconds": seconds, **rates, "ratio": round(sum(seconds["plain"]) / sum(seconds["ours"]), 2),
        "median_ratio": round(statistics.median(ratios), 2), "least_cosine": round(float(cosines.min()), 5),
        "workers": runner.workers,
    }  # fmt: skip


def shares(files: Sequence[PhotoFile], images: ClipImages, album: Album) -> dict[str, float]:
    """Milliseconds a photo (median) of each part of our work, one after the other in one thread."""
    reader, rows = PhotoReader(images), []
    spent: dict[str, list[float]] = defaultdict(list)
    for file in files:
        photo, batch = read_photo(file.path, reader.least), reader.prepare([file])
        spent["hash"].append(timed(partial(file_hash, file.path)))
        spent["decode"].append(timed(partial(decode_reduced, file.path, reader.least or 0)))
        spent["read"].append(timed(partial(read_photo, file.path, reader.least)))
        spent["resize"].append(timed(partial(images.pictures.one, photo.pixels)))
        with torch.inference_mode():
            spent["model"].append(timed(partial(reader.predict, batch)))
            rows.append(photo_row(file, reader.predict(batch)[0]))
    spent["write"] = [timed(partial(album.put, rows, [])) / len(rows)]
    found = {name: 1000 * statistics.median(each) for name, each in spent.items()}
    found["thumbnail, colour, EXIF"] = found.pop("read") - found["decode"]
    return {name: round(each, 1) for name, each in found.items()}


def decode_reduced(path: Path, least: int) -> None:
    """A JPEG's pixels as `read_photo` has them decoded."""

    def at(picture: ImageFile) -> None:
        picture.draft(picture.mode, (least, least))
        picture.convert("RGB")

    look(path, at)


def measure(count: int) -> dict[str, object]:
    """All figures for so many photos, in a folder that is removed."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "photos"
        folder.mkdir()
        draw_photos(folder, count)
        files, _ = find_files(folder)
        images, _ = load_clip(CHECKPOINT)
        about = About(str(folder), str(CHECKPOINT), "drawn")
        found = compare(files, images, make_album(Path(root) / "album", images.width, about))
        parts = shares(files[:PROFILED], images, make_album(Path(root) / "parts", images.width, about))
        return {
            "photos": count, "size_wh": SIZE_WH, "mb_a_photo": round(sum(file.size for file in files) / 1e6 / count, 2),
            "checkpoint": str(CHECKPOINT), "cores": os.cpu_count(), "threads": torch.get_num_threads(),
            "load": os.getloadavg()[1], "torch": torch.__version__, **found, "ms_a_photo": parts,
        }  # fmt: skip


def main() -> int:
    """Prints the figures and, where wanted, keeps them; the exit code is 1 where one is beyond its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=300, help="(%(default)s)")
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS}, which docs/search.md shows")
    options = parser.parse_args()
    found = measure(options.photos)
    within = found["ratio"] >= LEAST_RATIO and found["least_cosine"] >= LEAST_COSINE
    report = {**found, "bars": {"ratio": LEAST_RATIO, "cosine": LEAST_COSINE}, "within": within}
    text = json.dumps(report, indent=2) + "\n"
    print(text, end="")
    if options.write:
        RESULTS.write_text(text, encoding="utf-8")
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
