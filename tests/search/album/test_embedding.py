"""Photos have Hugging Face's vectors, whichever others they are read with, and what is no photo is told apart."""

import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from pipelines.core.images.folders import list_images
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.search.album.embedding import CHUNK, CPU_CHUNK, PhotoFile, PhotoReader, photo_id, photo_path
from tests.search.conftest import QUIET, draw

CLIP = Path("mini/weights/clip")
SAMPLES = Path("samples/search/images")


def file_of(path):
    state = path.stat()
    return PhotoFile(path.name, path, state.st_size, state.st_mtime_ns)


def read(reader, files):
    return [outcome.result for outcome in Runner(QUIET).run(reader, files)]


@pytest.fixture(scope="module")
def hugging_faces():
    """float32 (200, D), by Hugging Face's own way."""
    processor, model = AutoImageProcessor.from_pretrained(CLIP), AutoModel.from_pretrained(CLIP, dtype=torch.float32)
    paths, found = list_images(SAMPLES), []
    with torch.inference_mode():
        for start in range(0, len(paths), 50):
            pictures = [Image.open(path).convert("RGB") for path in paths[start : start + 50]]
            found.append(model.eval().get_image_features(**processor(pictures, return_tensors="pt")).pooler_output)
    return torch.cat(found)


@pytest.mark.parametrize(("reduced", "least"), [(False, 0.99999), (True, 0.999)])
def test_photos_have_hugging_faces_vectors(hugging_faces, reduced, least):
    images, _ = load_clip(CLIP)
    readings = read(PhotoReader(images, reduced), map(file_of, list_images(SAMPLES)))
    found = np.stack([reading.vector for reading in readings])
    assert len(found) == 200 and found.dtype == np.float16
    assert torch.cosine_similarity(torch.from_numpy(found).float(), hugging_faces).min() > least


def test_large_jpegs_read_reduced_keep_their_vectors(tmp_path, siglip_folder):
    files = [file_of(draw(tmp_path / f"{seed}.jpg", seed, (1600, 1200), quality=95)) for seed in range(4)]
    images, _ = load_clip(siglip_folder)
    whole, reduced = (
        np.stack([reading.vector for reading in read(PhotoReader(images, reduced), files)]).astype(np.float32)
        for reduced in (False, True)
    )
    assert (whole * reduced).sum(-1).min() > 0.999
    assert not np.array_equal(whole, reduced), "the second was reduced"


def test_a_vector_is_the_same_to_the_last_bit_in_any_company(tmp_path, clip_folder):
    files = [file_of(draw(tmp_path / f"{seed}.png", seed)) for seed in range(5)]
    images, _ = load_clip(clip_folder)
    reader = PhotoReader(images)
    together = [reading.vector.tobytes() for reading in read(reader, files)]
    assert [read(reader, [file])[0].vector.tobytes() for file in files] == together
    assert [reading.vector.tobytes() for reading in read(reader, files[::-1])] == together[::-1]


class Fake:
    """The image side of a network on another device: notes the shapes that it is given."""

    def __init__(self):
        self.module, self.shapes = torch.nn.Identity(), []
        self.dtypes = self.near_dtypes = frozenset()

    def predict(self, batch):
        self.shapes.append(tuple(batch["pixels"].shape))
        return [torch.zeros(4)] * len(batch["pixels"])


@pytest.mark.parametrize(("device", "size"), [("cpu", CPU_CHUNK), ("meta", CHUNK)])
@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1])
def test_a_network_always_gets_the_same_shape(siglip_folder, device, size, count):
    images, fake = load_clip(siglip_folder)[0], Fake()
    fake.pictures = images.pictures
    pixels = torch.zeros(count, 3, 8, 8, dtype=torch.uint8, device=device)
    assert len(list(PhotoReader(fake)._vectors({"pixels": pixels}))) == count
    assert set(fake.shapes) <= {(size, 3, 8, 8)}


def test_what_is_no_photo_has_a_reason_and_spoils_no_other(tmp_path, siglip_folder):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    files = [
        file_of(draw(tmp_path / "a.png", 0)),
        file_of(tmp_path / "broken.jpg"),
        file_of(draw(tmp_path / "c.png", 1)),
    ]
    images, _ = load_clip(siglip_folder)
    first, broken, last = read(PhotoReader(images), files)
    assert "expected a picture" in broken.refusal and broken.vector is None and broken.state.hash
    assert not np.array_equal(first.vector, last.vector) and first.thumbnail and first.details.width == 60


def test_an_equal_file_is_not_read_again(tmp_path, siglip_folder):
    file = file_of(draw(tmp_path / "a.png", 0))
    images, _ = load_clip(siglip_folder)
    reader = PhotoReader(images)
    (first,) = read(reader, [file])
    (again,) = read(reader, [replace(file, known_hash=first.state.hash, mtime_ns=5)])
    assert (again.vector, again.details, again.refusal) == (None, None, "")
    assert again.state == replace(first.state, mtime_ns=5)


def test_a_file_that_is_gone_fails_alone(tmp_path, siglip_folder):
    images, _ = load_clip(siglip_folder)
    gone = PhotoFile("gone.png", tmp_path / "gone.png", 1, 1)
    outcomes = list(Runner(QUIET).run(PhotoReader(images), [file_of(draw(tmp_path / "a.png", 0)), gone]))
    assert [outcome.ok for outcome in outcomes] == [True, False]


def test_an_id_is_the_path_in_the_folder_in_nfc():
    assert photo_id(Path("/a/\u1100\u1161/1.jpg"), Path("/a")) == "\uac00/1.jpg"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_id_leads_to_its_file_however_that_writes_hangul(form, tmp_path):
    path = draw(tmp_path / unicodedata.normalize(form, "여행") / unicodedata.normalize(form, "강아지.png"), 0)
    assert photo_path(tmp_path, photo_id(path, tmp_path)).read_bytes() == path.read_bytes()
    assert photo_path(tmp_path, "없는.png") == tmp_path / "없는.png"
