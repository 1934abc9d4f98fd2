"""Photos and texts become the vectors that Hugging Face's own way gives, in batches of any size."""

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, normalizers
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from pipelines.core.errors import CheckpointError
from pipelines.core.images.samples import Sample
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from tests import tiny

TEXTS = ["two dogs", "", "강아지 두 마리와 자동차 한 대", "a photo of three cats and the red apples on one", "cats"]


@pytest.fixture(scope="module", params=["clip", "siglip"])
def folder(request, tmp_path_factory):
    return getattr(tiny, request.param)(tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    samples = []
    for number, size in enumerate([(40, 30), (64, 64), (30, 80), (33, 47), (90, 90)]):
        path = folder / f"{number}.png"
        Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8)).resize(size).save(path)
        samples.append(Sample(path.name, path))
    return samples


def vectors(model, items, batch=2, precision="auto"):
    runner = Runner(RunnerConfig(device="cpu", batch=batch, precision=precision, progress=False))
    return torch.stack([outcome.result for outcome in runner.run(model, items)])


def unit(output):
    return torch.nn.functional.normalize(output.pooler_output, dim=-1)


def test_photos_have_hugging_faces_vectors(folder, photos):
    images, _ = load_clip(folder)
    pixels = AutoImageProcessor.from_pretrained(folder)(
        images=[Image.open(sample.path) for sample in photos], return_tensors="pt"
    )
    with torch.inference_mode():
        expected = unit(AutoModel.from_pretrained(folder).eval().get_image_features(**pixels))
    found = vectors(images, photos)
    assert found.shape == expected.shape == (len(photos), images.width) and found.dtype == torch.float32
    assert (found * expected).sum(-1).min() > 0.9999
    assert found.norm(dim=-1) == pytest.approx(np.ones(len(photos)), abs=1e-5)
    assert (found @ found.T).fill_diagonal_(0).max() < 0.999, "different photos differ"


@pytest.mark.parametrize("side", [0, 1])
def test_bfloat16_hardly_changes_a_vector_where_it_is_asked_for(folder, photos, side):
    plain, near = load_clip(folder)[side], load_clip(folder)[side]
    items = (photos, ["a dog", "two cats on a wall"])[side]
    assert (vectors(plain, items) * vectors(near, items, precision="bf16")).sum(-1).min() > 0.999
    assert [next(each.module.parameters()).dtype for each in (plain, near)] == [torch.float32, torch.bfloat16]


def test_texts_have_hugging_faces_vectors(folder):
    _, texts = load_clip(folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    padding = "max_length" if model.config.model_type == "siglip" else True
    tokens = tokenizer(TEXTS, padding=padding, max_length=16, truncation=True, return_tensors="pt")
    tokens.pop("token_type_ids", None)
    if model.config.model_type == "siglip":
        tokens.pop("attention_mask")
    with torch.inference_mode():
        expected = unit(model.get_text_features(**tokens))
    assert (vectors(texts, TEXTS) * expected).sum(-1).min() > 0.9999


def test_capitals_change_nothing(folder):
    _, texts = load_clip(folder)
    small, large = vectors(texts, ["two dogs", "Two DOGS"])
    assert torch.equal(small, large)


def test_texts_are_split_as_the_published_tokenizer_says(tmp_path, capsys):
    """As a Korean CLIP's that keeps capitals: transformers 5 takes its vocabulary, and splits as OpenAI's."""
    tiny.clip(tmp_path)
    load_clip(tmp_path)
    assert "tokenizer.json" not in capsys.readouterr().err
    published = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    published.normalizer = normalizers.NFC()
    published.save(str(tmp_path / "tokenizer.json"))
    _, texts = load_clip(tmp_path)
    assert "texts are split as its tokenizer.json says, not as CLIPTokenizer" in capsys.readouterr().err
    wanted = published.encode("Two DOGS").ids
    assert texts.prepare(["Two DOGS"])["input_ids"][0].tolist() == wanted
    assert wanted != AutoTokenizer.from_pretrained(tmp_path)("Two DOGS")["input_ids"]
    assert texts.tokenizer.pad_token_id is not None


def test_a_text_has_the_same_vector_in_any_batch(folder):
    _, texts = load_clip(folder)
    together, alone = (vectors(texts, TEXTS, batch) for batch in (len(TEXTS), 1))
    assert torch.allclose(together, alone, atol=1e-5)


def test_both_sides_share_one_network(folder):
    images, texts = load_clip(folder)
    assert images.module is texts.module


@pytest.mark.parametrize(
    ("make", "message"), [(tiny.nllb, "features of pictures and of texts"), (tiny.blip, "all weights of BlipModel")]
)
def test_another_architecture_is_refused_in_one_sentence(tmp_path, capfd, make, message):
    with pytest.raises(CheckpointError, match=message):
        load_clip(make(tmp_path))
    assert "MISSING" not in capfd.readouterr().err  # transformers' table of all keys
