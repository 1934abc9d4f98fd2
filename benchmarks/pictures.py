"""Times listing folders and decoding JPEGs beside the plain way: by ending alone, and without a look at profiles."""

import argparse
import json
import os
import statistics
import tempfile
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import ExifTags, Image, ImageCms
from torch import Tensor

from pipelines.core.images.decode import decode
from pipelines.core.images.folders import list_images

RESULTS = Path(__file__).parent / "results/pictures.json"
ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif"})
MOST = {"listing": 1.2, "JPEG without a profile": 1.02, "JPEG with sRGB's profile": 1.02}
"""What the time may be, as a multiple of the plain way's."""
SIZE = (1600, 1200)


def plain_list(folder: Path) -> list[Path]:
    """Every file with the ending of a picture: folders and pipes, too, and what a system keeps."""
    paths = [path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and not path.name.startswith(".")]
    return sorted(paths, key=lambda path: unicodedata.normalize("NFC", path.relative_to(folder).as_posix()))


def plain_decode(path: Path) -> Tensor:
    """A JPEG's pixels by OpenCV, after a look at its header for size and orientation."""
    path.stat()
    with path.open("rb") as file, Image.open(file, formats=("JPEG",)) as picture:
        assert Image.Image.getexif(picture).get(ExifTags.Base.Orientation, 1) == 1
        file.seek(0)
        bgr = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION)
    planes = np.empty((3, *bgr.shape[:2]), np.uint8)
    cv2.split(bgr, [planes[2], planes[1], planes[0]])
    return torch.from_numpy(planes)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def beside(ours: Callable[[], object], plain: Callable[[], object], repeats: int) -> dict[str, float]:
    """Median seconds of both, in turn and each first as often, and the median of their ratios."""
    pairs = []
    for number in range(repeats):
        first, second = (ours, plain) if number % 2 else (plain, ours)
        one, other = timed(first), timed(second)
        pairs.append((one, other) if number % 2 else (other, one))
    mine, theirs = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    return {"seconds": round(mine, 5), "plain_seconds": round(theirs, 5), "ratio": round(ratio, 3)}


def fill(folder: Path, files: int) -> None:
    """So many empty files, in folders of a thousand."""
    for number in range(files):
        path = folder / f"{number // 1000:03}" / f"photo {number:06}.jpg"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        path.touch()


def draw(path: Path, profile: bytes | None) -> Path:
    """A JPEG with as much detail as a photo has."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (*SIZE[::-1], 3), np.uint8), (0, 0), 2)
    picture = Image.fromarray(cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX))  # type: ignore[call-overload]
    picture.save(path, quality=90, **({"icc_profile": profile} if profile else {}))
    return path


def gamma_22() -> bytes:
    """sRGB's profile with another curve, as one that has to be converted."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    start = srgb.index(b"para")
    return srgb[: start + 8] + bytes(4) + round(2.2 * 65536).to_bytes(4) + srgb[start + 16 :]


def measure(files: int, repeats: int) -> dict[str, object]:
    """All figures, in a folder that is removed."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "photos"
        fill(folder, files)
        assert list_images(folder) == plain_list(folder)
        found = {"listing": beside(lambda: list_images(folder), lambda: plain_list(folder), 7)}
        for name, profile in (("JPEG without a profile", None), ("JPEG with sRGB's profile", srgb)):
            path = draw(Path(root) / "photo.jpg", profile)
            assert decode(path).equal(plain_decode(path))
            found[name] = beside(lambda path=path: decode(path), lambda path=path: plain_decode(path), repeats)
        other = draw(Path(root) / "other.jpg", gamma_22())
        assert not decode(other).equal(plain_decode(other))
        found["JPEG that is converted"] = beside(lambda: decode(other), lambda: plain_decode(other), repeats)
    within = all(found[name]["ratio"] <= most for name, most in MOST.items())
    return {"files": files, "size": SIZE, "repeats": repeats, "cores": len(os.sched_getaffinity(0)), **found,
            "most": MOST, "within": within}  # fmt: skip


def main() -> None:
    """Prints the figures and writes them to benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000, help="that are listed (%(default)s)")
    parser.add_argument("--repeats", type=int, default=200, help="of decoding (%(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    figures = measure(options.files, options.repeats)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
