"""Times the doctor's look at a contest of many small photos: CSVs, ids, files, headers; nothing is decoded."""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from PIL import Image

from pipelines.core.config import DataConfig
from pipelines.core.doctor import check_inputs, check_submission
from pipelines.core.submission.fields import Field
from pipelines.core.terminal import settle

RESULTS = Path(__file__).parent / "results/doctor.json"
MOST_SECONDS = 15.0
"""What a person waits for 10,000 photos on two cores without wondering."""


def contest(folder: Path, count: int) -> DataConfig:
    """`count` JPEGs of 64 by 48 pixels, half of them with EXIF, a test CSV and a sample submission of their ids."""
    (folder / "images").mkdir()
    picture, turned = Image.effect_noise((64, 48), 40).convert("RGB"), Image.Exif()
    turned[0x0112] = 6
    picture.save(folder / "plain.jpg")
    picture.save(folder / "turned.jpg", exif=turned)
    contents = [(folder / name).read_bytes() for name in ("plain.jpg", "turned.jpg")]
    ids = [f"test_{number:06}" for number in range(count)]
    for number, key in enumerate(ids):
        (folder / "images" / f"{key}.jpg").write_bytes(contents[number % 2])
    for name, header, cell in (("test.csv", "id,question", "무엇?"), ("sample.csv", "id,caption", "")):
        (folder / name).write_text("\n".join([header, *(f"{key},{cell}" for key in ids), ""]), encoding="utf-8")
    lines = (f"{key},a dog and {number} cats" for number, key in enumerate(ids))
    (folder / "my.csv").write_text("\n".join(["id,caption", *lines, ""]), encoding="utf-8")
    return DataConfig(images=folder / "images", sample_submission=folder / "sample.csv", test_csv=folder / "test.csv",
                      output=folder / "out/my.csv")  # fmt: skip


def measure(count: int, repeats: int) -> dict[str, object]:
    """Wall seconds of both checks; they must find nothing."""
    seconds: dict[str, list[float]] = {"check_inputs_s": [], "check_submission_s": []}
    with tempfile.TemporaryDirectory() as root:
        data = contest(Path(root), count)
        for _ in range(repeats):
            started = time.perf_counter()
            found = check_inputs(data, {"caption": Field("text")})
            looked = time.perf_counter()
            found += check_submission(Path(root) / "my.csv", data, {"caption": "text"})
            seconds["check_inputs_s"].append(round(looked - started, 3))
            seconds["check_submission_s"].append(round(time.perf_counter() - looked, 3))
            assert found == [], found
    return {"images": count, "cores": len(os.sched_getaffinity(0)), "repeats": repeats, **seconds,
            "most_seconds": MOST_SECONDS, "within": max(seconds["check_inputs_s"]) <= MOST_SECONDS}  # fmt: skip


def main() -> None:
    """Prints the seconds and writes them to benchmarks/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000, help="photos (%(default)s)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="looks, the first one at files just written (%(default)s)"
    )
    options = parser.parse_args()
    found = measure(options.images, options.repeats)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    settle()
    main()
