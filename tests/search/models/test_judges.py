"""A second judge says of each pair what its network says by itself."""

import pytest
import torch
from PIL import Image
from transformers import BlipForImageTextRetrieval, BlipProcessor

from pipelines.core.errors import CheckpointError
from pipelines.core.images.samples import Sample
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.search.models import load_judge
from pipelines.search.models.judge import Pair
from tests import tiny
from tests.search.conftest import draw

TEXTS = ["two dogs", "a photo of three cats and the red apples on one", "cats"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Judge -> a checkpoint folder for it."""
    root = tmp_path_factory.mktemp("judges")
    return {"itm": tiny.blip_itm(root / "itm"), "clip": tiny.siglip(root / "clip")}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Four photos of the networks' size, so that nothing depends on who resizes."""
    folder = tmp_path_factory.mktemp("photos")
    return [draw(folder / f"{seed}.png", seed, size=(32, 32)) for seed in range(4)]


@pytest.fixture
def pairs(photos):
    return [Pair(photo, text) for photo in photos for text in TEXTS]


def scores(judge, pairs, batch):
    outcomes = list(Runner(RunnerConfig(device="cpu", batch=batch, progress=False)).run(judge, pairs))
    assert [outcome.error for outcome in outcomes] == [""] * len(pairs)
    return torch.tensor([outcome.result for outcome in outcomes])


def test_itm_gives_hugging_faces_probability(folders, pairs):
    model = BlipForImageTextRetrieval.from_pretrained(folders["itm"]).eval()
    processor = BlipProcessor.from_pretrained(folders["itm"])
    expected = []
    for pair in pairs:
        inputs = processor(images=Image.open(pair.photo), text=pair.text, return_tensors="pt")
        with torch.inference_mode():
            expected.append(model(**inputs).itm_score.softmax(-1)[0, 1])
    found = scores(load_judge("itm", folders["itm"]), pairs, batch=1)
    assert found.tolist() == pytest.approx(torch.stack(expected).tolist(), abs=1e-5)
    assert found.std() > 0.01, "pairs differ"


def test_clip_gives_the_cosines_of_its_vectors(folders, pairs):
    images, texts = load_clip(folders["clip"])
    runner = Runner(RunnerConfig(device="cpu", batch=1, progress=False))
    of_photos = [each.result for each in runner.run(images, [Sample(pair.photo.name, pair.photo) for pair in pairs])]
    of_texts = [each.result for each in runner.run(texts, [pair.text for pair in pairs])]
    expected = [float(photo @ text) for photo, text in zip(of_photos, of_texts, strict=True)]
    assert scores(load_judge("clip", folders["clip"]), pairs, batch=5).tolist() == pytest.approx(expected, abs=1e-5)


def test_a_checkpoint_for_another_is_refused(folders, tmp_path):
    with pytest.raises(CheckpointError, match="of the architecture blip"):
        load_judge("itm", folders["clip"])
    with pytest.raises(CheckpointError, match="missing"):
        load_judge("itm", tiny.blip(tmp_path / "captioner"))
