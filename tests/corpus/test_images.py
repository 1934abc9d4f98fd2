"""A bad file among photos is one failed outcome with a sentence; the photos beside it are right, and the run ends."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.core.config import DataConfig
from pipelines.core.images.folders import list_images
from pipelines.core.images.opening import LARGE_PIXELS, MAX_PIXELS
from pipelines.core.images.samples import Sample, read_samples
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from tests.corpus.images import IMAGES, photo
from tests.corpus.peak import Colours
from tests.in_time import SECONDS, in_time

ROOT = Path(__file__).parents[2]
GB_ALONE, GB_A_WORKER = 3, 1.4
"""What the README promises: what one worker's decoding takes for a while, and what each may hold besides."""
GREEN, BLUE = (30, 180, 90), (40, 60, 210)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File Read", "ignore:Metadata Warning")
@pytest.mark.parametrize("name", IMAGES)
def test_one_odd_file_among_photos(tmp_path, name):
    odd = IMAGES[name]
    if not odd.as_root and os.geteuid() == 0:
        pytest.skip("root may read everything")
    folder = tmp_path / "photos"
    folder.mkdir()
    photo(folder / "0 before.jpg", GREEN)
    odd.make(folder / odd.name)
    photo(folder / "zz after.jpg", BLUE)
    listed = folder / odd.name in list_images(folder)
    assert listed == (odd.listed and os.path.lexists(folder / odd.name))
    paths = [folder / "0 before.jpg", folder / odd.name, folder / "zz after.jpg"]
    samples = [Sample(path.name, path) for path in paths]
    runner = Runner(RunnerConfig(device="cpu", batch=2, workers=2, progress=False))
    (before, outcome, after), notes = in_time(lambda: (list(runner.run(Colours(), samples)), runner.notes))
    for whole, colour in ((before, GREEN), (after, BLUE)):
        assert whole.ok and np.abs(np.subtract(whole.result, colour)).max() < 4
    noticed = notes.pop(str(folder / odd.name), "")
    assert not notes and bool(noticed) == bool(odd.noticed) and re.search(odd.noticed, noticed)
    if not odd.refused:
        assert outcome.ok, outcome.error
        assert odd.colour is None or np.abs(np.subtract(outcome.result, odd.colour)).max() < 8
        return
    assert outcome.result is None
    assert re.search(odd.refused, outcome.error)
    assert str(folder / odd.name) in outcome.error
    assert "\n" not in outcome.error


def test_files_of_one_folder_are_told_apart_by_their_whole_names(tmp_path):
    """All names at once, as ids of a sample submission: each finds its own file."""
    names = [odd.name for odd in IMAGES.values() if not odd.refused]
    for number, name in enumerate(dict.fromkeys(names)):
        photo(tmp_path / name, (number, 255 - number, 99))
    ids = [path.name for path in list_images(tmp_path)]
    with (tmp_path / "sample.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["id", "answer"], *([name, ""] for name in ids)])
    samples = read_samples(DataConfig(images=tmp_path, sample_submission=tmp_path / "sample.csv"))
    assert [(sample.id, sample.path.name) for sample in samples] == [(name, name) for name in ids]


def peak(workers: int, *paths: Path) -> int:
    """Bytes of memory that a run over the pictures takes at the most, beyond what the libraries take."""
    words = [sys.executable, "-m", "tests.corpus.peak", str(workers), *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=SECONDS, cwd=ROOT)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units elsewhere")
def test_what_is_odd_takes_no_more_than_one_workers_memory(tmp_path):
    """Measured: 0.6 GB, the WebP before 300 MB of zeros."""
    paths = [tmp_path / str(number) / odd.name for number, odd in enumerate(IMAGES.values())]
    for path, odd in zip(paths, IMAGES.values(), strict=True):
        path.parent.mkdir()
        if odd.as_root:
            odd.make(path)
    assert peak(1, *paths) < GB_A_WORKER * 10**9


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other units elsewhere")
def test_memory_for_large_pictures_is_what_the_readme_says(tmp_path):
    """The README's figures are for MAX_PIXELS; these have a share of them, and take that share of the memory.

    WebP takes the most of all formats, 16 bytes a pixel while it is decoded. Measured at 200 megapixels with 1, 2 and
    8 workers: 3.2, 3.2 and 6.4 GB.
    """
    path = tmp_path / "large.webp"
    Image.new("RGBA", (7_200, 7_000), (*GREEN, 128)).save(path, lossless=True, method=0, quality=0)
    share = 7_200 * 7_000 / MAX_PIXELS
    assert LARGE_PIXELS < 7_200 * 7_000
    assert peak(4, *[path] * 4) < share * (GB_ALONE + GB_A_WORKER * 4) * 10**9


def test_the_readme_says_what_is_measured_here():
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"at most {GB_ALONE} GB for its pictures, and {GB_A_WORKER} GB more for each worker" in text
