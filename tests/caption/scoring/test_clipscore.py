"""CLIPScore is its formula over Hugging Face's own vectors, and reaches the evaluation."""

import json

import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from pipelines.caption.evaluate import CaptionScoring, evaluate
from pipelines.caption.scoring.clipscore import clip_scores
from pipelines.core.errors import InputError
from pipelines.core.images.samples import Sample
from pipelines.core.running.runner import Runner
from pipelines.core.submission.writing import content_hash
from tests import tiny

CAPTIONS = ["two dogs", "a red car", "three cats", "apples under the car", "one dog", "blue cars", "the photo"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return tiny.clip(tmp_path_factory.mktemp("clip"))


def test_it_is_the_papers_formula(checkpoint, photos):
    found = clip_scores(photos, CAPTIONS, str(checkpoint), Runner(), "a photo of ")
    model = AutoModel.from_pretrained(checkpoint).eval()
    pixels = AutoImageProcessor.from_pretrained(checkpoint)(
        images=[Image.open(sample.path) for sample in photos], return_tensors="pt"
    )
    tokens = AutoTokenizer.from_pretrained(checkpoint)(
        [f"a photo of {caption}" for caption in CAPTIONS],
        padding=True,
        truncation=True,
        max_length=16,
        return_tensors="pt",
    )
    with torch.inference_mode():
        images = model.get_image_features(**pixels).pooler_output
        texts = model.get_text_features(**tokens).pooler_output
    expected = 2.5 * torch.cosine_similarity(images, texts).clamp(min=0)
    assert found == pytest.approx(expected.tolist(), abs=1e-4)
    assert max(found) > 0


def test_a_photo_that_cannot_be_read_has_none(checkpoint, photos, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    broken = Sample("broken.png", tmp_path / "broken.png")
    good = clip_scores(photos[:1], CAPTIONS[:1], str(checkpoint), Runner())
    assert clip_scores([photos[0], broken], CAPTIONS[:2], str(checkpoint), Runner()) == pytest.approx([*good, 0])


@pytest.fixture
def settings(checkpoint, photos, tmp_path):
    ids = [sample.id for sample in photos]
    for name in ("said", "truth"):
        (tmp_path / f"{name}.csv").write_text(
            "image,caption\n" + "".join(f"{key},개\n" for key in ids), encoding="utf-8"
        )
    return {
        "submission": tmp_path / "said.csv",
        "truth": tmp_path / "truth.csv",
        "clip": str(checkpoint),
        "images": photos[0].path.parent,
    }


def test_it_scores_what_was_translated(settings, photos):
    captions = {sample.id: {"english": text} for sample, text in zip(photos, CAPTIONS, strict=True)}
    record = {"content_hash": content_hash(settings["submission"]), "run": {"captions": captions}}
    settings["submission"].with_suffix(".json").write_text(json.dumps(record))
    found = {score.name: score for score in evaluate(CaptionScoring(**settings, clip_prefix="")).scores}
    expected = clip_scores(photos, CAPTIONS, settings["clip"], Runner())
    assert found["CLIPScore"].value == pytest.approx(sum(expected) / len(expected), abs=1e-5)
    assert found["exact"].value == 1
    with settings["submission"].open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(InputError, match="found neither"):  # edited since: the record is of other captions
        evaluate(CaptionScoring(**settings))


def test_without_english_it_says_what_to_do(settings):
    with pytest.raises(InputError, match="found neither; give --clip-text caption"):
        evaluate(CaptionScoring(**settings))
    names = {score.name for score in evaluate(CaptionScoring(**settings, clip_text="caption")).scores}
    assert "CLIPScore" in names


def test_photos_are_needed(settings):
    settings.pop("images")
    with pytest.raises(ValueError, match="CLIPScore needs the photos"):
        CaptionScoring(**settings)
