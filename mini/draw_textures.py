"""Draws the anomaly samples in MVTec's layout, with their truth and a blank submission, from seeds kept for them."""

import argparse
import itertools
from pathlib import Path

import cv2
import numpy as np

from mini.draw_samples import SAMPLES, SIZE_PX, write_csv
from mini.textures import defect, texture
from mini.world import ANOMALY_SAMPLE_SEED
from pipelines.core.terminal import settle

NORMAL_TRAIN_IMAGES = 30
NORMAL_TEST_IMAGES = 15
IMAGES_A_DEFECT = 5
SEEDS_A_TEXTURE = 1000

TESTED_DEFECTS = {"weave": ("scratch", "hole", "missing"), "leather": ("scratch", "hole", "stain")}
"""The textures that ship as samples, each with its kinds of defects."""


def draw_category(folder: Path, name: str, first_seed: int) -> list[tuple[str, int]]:
    """Write train/, test/ and ground_truth/ of the texture `name` to `folder`/`name`.

    Returns the test images' paths relative to `folder` with their labels, 0 for normal and 1 for anomalous.
    """
    rngs = (np.random.default_rng(seed) for seed in itertools.count(first_seed))
    labels: list[tuple[str, int]] = []
    for index in range(NORMAL_TRAIN_IMAGES):
        save(folder / name / "train/good" / f"{index:03d}.jpg", texture(name, next(rngs), SIZE_PX))
    for index in range(NORMAL_TEST_IMAGES):
        image_id = f"{name}/test/good/{index:03d}.jpg"
        save(folder / image_id, texture(name, next(rngs), SIZE_PX))
        labels.append((image_id, 0))
    for kind, index in itertools.product(TESTED_DEFECTS[name], range(IMAGES_A_DEFECT)):
        rng = next(rngs)
        image, mask = defect(texture(name, rng, SIZE_PX), kind, rng)
        image_id = f"{name}/test/{kind}/{index:03d}.jpg"
        save(folder / image_id, image)
        save(folder / name / "ground_truth" / kind / f"{index:03d}_mask.png", mask.astype(np.uint8) * 255)
        labels.append((image_id, 1))
    return labels


def save(path: Path, pixels: np.ndarray) -> None:
    """Save an RGB (H, W, 3) or grey (H, W) uint8 picture by the path's ending; JPEGs keep their full colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    if not cv2.imwrite(str(path), bgr, quality if path.suffix == ".jpg" else []):
        raise OSError(f"expected to write {path}, OpenCV could not")


def main() -> None:
    """Draw both textures' samples; the files come out the same every time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=SAMPLES / "anomaly", help="where they go (%(default)s)")
    folder = parser.parse_args().folder
    labels: list[tuple[str, int]] = []
    for index, name in enumerate(TESTED_DEFECTS):
        labels += draw_category(folder, name, ANOMALY_SAMPLE_SEED + index * SEEDS_A_TEXTURE)
    write_csv(folder / "truth.csv", ["image", "label"], labels)
    write_csv(
        folder / "sample_submission.csv", ["image", "label", "score"], ([image_id, 0, 0] for image_id, _ in labels)
    )
    print(f"{len(labels)} test images of {', '.join(TESTED_DEFECTS)} drawn to {folder}")


if __name__ == "__main__":
    settle()
    main()
