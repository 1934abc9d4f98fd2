from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.core.images.samples import Sample
from tests import tiny

SIZES_WH = [(40, 30), (64, 64), (30, 80), (120, 50), (33, 47), (90, 90), (51, 20)]


@pytest.fixture(scope="session")
def blip_folder(tmp_path_factory) -> Path:
    return tiny.blip(tmp_path_factory.mktemp("blip"))


@pytest.fixture(scope="session")
def qwen_vl_folder(tmp_path_factory) -> Path:
    return tiny.qwen_vl(tmp_path_factory.mktemp("qwen_vl"))


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> list[Sample]:
    """Pictures of many sizes, each of other colours."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    samples = []
    for number, size in enumerate(SIZES_WH):
        coarse = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        path = folder / f"{number}.png"
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
        samples.append(Sample(path.name, path))
    return samples
