from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.anomaly.models.features.backbone import Backbone, load_backbone
from tests.anomaly import tiny

SIDE = 64


@pytest.fixture(scope="session")
def backbone_folder(tmp_path_factory) -> Path:
    return tiny.resnet(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="session")
def backbone(backbone_folder: Path) -> Backbone:
    return load_backbone(str(backbone_folder), size_hw=(SIDE, SIDE))


@pytest.fixture(scope="session")
def write_photo() -> Callable[..., None]:
    """Writes a striped picture, with a bright square where it is to be anomalous."""

    def write(path: Path, seed: int, stripes: int = 4, defect: bool = False) -> None:
        rng = np.random.default_rng(seed)
        columns = 90 + 60 * np.sin(np.arange(SIDE) * 2 * np.pi / stripes + rng.uniform(0, 6))
        pixels = np.clip(columns[None, :, None] + rng.normal(0, 8, (SIDE, SIDE, 3)), 0, 255)
        if defect:
            y, x = rng.integers(8, SIDE - 24, 2)
            pixels[y : y + 16, x : x + 16] = (20, 240, 240)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), pixels.astype(np.uint8))

    return write


@pytest.fixture(scope="session")
def tree(tmp_path_factory, write_photo) -> Path:
    """Two categories in MVTec's layout: 8 normal, 3 good and 3 broken pictures each, with a mask for each of those."""
    root = tmp_path_factory.mktemp("tree")
    for category, stripes in (("fine", 4), ("wide", 16)):
        for index in range(8):
            write_photo(root / category / f"train/good/{index:03}.png", index, stripes)
        for index in range(3):
            write_photo(root / category / f"test/good/{index:03}.png", 100 + index, stripes)
            write_photo(root / category / f"test/broken/{index:03}.png", 200 + index, stripes, defect=True)
            write_photo(root / category / f"ground_truth/broken/{index:03}_mask.png", index, stripes)
    return root
