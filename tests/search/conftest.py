import numpy as np
import pytest
from PIL import Image

from tests import tiny


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """CLIP, which knows no Korean."""
    return tiny.clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory):
    """SigLIP with Korean words."""
    return tiny.siglip(tmp_path_factory.mktemp("siglip"))


@pytest.fixture(scope="session")
def nllb_folder(tmp_path_factory):
    return tiny.nllb(tmp_path_factory.mktemp("nllb"))


def draw(path, seed, size=(60, 40)):
    """A picture of coarse colours, another for each seed."""
    colours = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC).save(path)
    return path
