import shutil

import numpy as np
import pytest
from PIL import Image

from pipelines.core.running.settings import RunnerConfig
from pipelines.search.album.indexing import index
from pipelines.search.settings import SearchConfig

QUIET = RunnerConfig(device="cpu", batch=4, progress=False)


@pytest.fixture
def config(tmp_path, siglip_folder):
    return SearchConfig(str(siglip_folder), albums=tmp_path / "albums", runner=QUIET)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, siglip_folder):
    """A folder with the photos of six seeds and their album, not to be touched."""
    root = tmp_path_factory.mktemp("made")
    for seed in range(6):
        draw(root / "photos" / ("여행" if seed % 2 else "") / f"{seed}.png", seed)
    index(root / "photos", SearchConfig(str(siglip_folder), albums=root / "albums", runner=QUIET))
    return root


@pytest.fixture
def made(tmp_path, made_once, config):
    """The same photos in a folder of the test's own, and its settings; the album is yet to be made."""
    shutil.copytree(made_once / "photos", tmp_path / "photos")
    return tmp_path / "photos"


def draw(path, seed, size=(60, 40), **options):
    """A picture of coarse colours, another for each seed."""
    colours = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC).save(path, **options)
    return path
