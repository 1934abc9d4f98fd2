from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.core.images.samples import Sample
from pipelines.detect.boxes.detections import Detections
from tests.detect import tiny

SIZES_WH = [(64, 64), (60, 90), (90, 60), (66, 64), (200, 70), (61, 64), (72, 64)]


@pytest.fixture(scope="session")
def dino_folder(tmp_path_factory) -> Path:
    return tiny.grounding_dino(tmp_path_factory.mktemp("grounding-dino"))


@pytest.fixture(scope="session")
def mm_folder(tmp_path_factory) -> Path:
    return tiny.mm_grounding_dino(tmp_path_factory.mktemp("mm-grounding-dino"))


@pytest.fixture(scope="session")
def resnet_folder(tmp_path_factory) -> Path:
    return tiny.resnet_dino(tmp_path_factory.mktemp("resnet-dino"))


@pytest.fixture(scope="session")
def yolo_folder(tmp_path_factory) -> Path:
    return tiny.yolo(tmp_path_factory.mktemp("yolo"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> list[Sample]:
    """Pictures of many sizes, each of other colours."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    samples = []
    for number, size in enumerate(SIZES_WH):
        coarse = random.integers(0, 256, (6, 7, 3), dtype=np.uint8)
        path = folder / f"{number}.png"
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
        samples.append(Sample(path.name, path))
    return samples


def assert_same(these: Detections, those: Detections, pixels: float = 0.01) -> None:
    """The same objects, in any order: a detector's boxes come by rank, which near ties swap."""
    assert len(these) == len(those)
    for found, other in ((these, those), (those, these)):
        gaps = (found.xyxy[:, None] - other.xyxy[None]).abs().amax(-1) / pixels
        gaps += (found.scores[:, None] - other.scores[None]).abs() / 1e-4
        gaps += (found.class_ids[:, None] != other.class_ids[None]) * 100
        assert gaps.amin(1).max() < 1
