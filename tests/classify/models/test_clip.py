"""Photos get the labels and probabilities that Hugging Face's own way gives."""

import math

import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from pipelines.classify.models.clip import Classified, Classifier, LabelTexts, Scale, scale_of
from pipelines.core.images.samples import Sample
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from tests import tiny
from tests.search.conftest import draw

LABELS = ["two dogs", "cats", "a photo of three apples", "the red cars", "one"]


@pytest.fixture(scope="module", params=["clip", "siglip"])
def folder(request, tmp_path_factory):
    return getattr(tiny, request.param)(tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    paths = [draw(folder / f"{seed}.png", seed, (32, 32)) for seed in range(5)]
    return [Sample(path.name, path) for path in paths]


def runner(batch=2):
    return Runner(RunnerConfig(device="cpu", precision="fp32", batch=batch, progress=False))


def embedded(texts, phrases, batch=2):
    return torch.stack([outcome.result for outcome in runner(batch).run(LabelTexts(texts), phrases)])


def classified(folder, photos, phrases, top=5, batch=2):
    images, texts = load_clip(folder)
    classifier = Classifier(images, embedded(texts, phrases), LABELS, scale_of(images.module), top)
    return [outcome.result for outcome in runner(batch).run(classifier, photos)]


def test_probabilities_are_hugging_faces(folder, photos):
    model = AutoModel.from_pretrained(folder).eval()
    padding = {"padding": "max_length", "max_length": 16} if model.config.model_type == "siglip" else {"padding": True}
    tokens = AutoTokenizer.from_pretrained(folder)(LABELS, return_tensors="pt", **padding)
    pictures = [Image.open(photo.path) for photo in photos]
    pixels = AutoImageProcessor.from_pretrained(folder)(images=pictures, return_tensors="pt")
    if model.config.model_type == "siglip":
        tokens.pop("attention_mask")
    tokens.pop("token_type_ids", None)
    with torch.inference_mode():
        logits = model(**tokens, **pixels).logits_per_image
    expected = logits.sigmoid() if model.config.model_type == "siglip" else logits.softmax(dim=1)
    for found, likely in zip(classified(folder, photos, [(label,) for label in LABELS]), expected, strict=True):
        assert list(found.labels) == [LABELS[place] for place in likely.argsort(descending=True)]
        assert found.probabilities == pytest.approx(sorted(likely.tolist(), reverse=True), abs=1e-4)
    assert expected.std(dim=0).max() > 1e-3, "different photos differ"


def test_only_the_best_are_kept(folder, photos):
    phrases = [(label,) for label in LABELS]
    every, best = classified(folder, photos, phrases), classified(folder, photos, phrases, top=2)
    for all_labels, two in zip(every, best, strict=True):
        assert two.labels == all_labels.labels[:2]
        assert two.probabilities == pytest.approx(all_labels.probabilities[:2], abs=1e-6)


def test_several_phrases_are_averaged_as_unit_vectors(folder):
    _, texts = load_clip(folder)
    phrases = ["two dogs", "cats", "the red cars"]
    alone = torch.stack([outcome.result for outcome in runner().run(texts, phrases)])
    (together,) = embedded(texts, [tuple(phrases)])
    mean = alone.mean(dim=0)
    assert torch.allclose(together, mean / mean.norm(), atol=1e-5)
    assert mean.norm() < 0.999, "a mean of unit vectors is none itself"


@pytest.mark.parametrize("batch", [1, 4])
def test_a_labels_vector_does_not_depend_on_its_batch(folder, batch):
    _, texts = load_clip(folder)
    phrases = [(f"{label} on one", label) if number % 2 else (label,) for number, label in enumerate(LABELS)]
    assert torch.allclose(embedded(texts, phrases), embedded(texts, phrases, batch), atol=1e-5)


def test_the_batch_changes_no_answer(folder, photos):
    phrases = [(label,) for label in LABELS]
    for one, other in zip(classified(folder, photos, phrases, batch=1), classified(folder, photos, phrases, batch=5),
                          strict=True):  # fmt: skip
        assert one.labels == other.labels and one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_of_equal_labels_the_earlier_is_first(folder, photos):
    images, texts = load_clip(folder)
    vectors = embedded(texts, [("cats",)]).expand(len(LABELS), -1)
    for outcome in runner().run(Classifier(images, vectors, LABELS, scale_of(images.module), 5), photos):
        assert outcome.result.labels == LABELS


def test_no_photos_give_nothing(folder):
    assert classified(folder, [], [(label,) for label in LABELS]) == []


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (Scale(10.0, 0.0, "softmax"), [1 / (1 + math.exp(-5)), 1 / (1 + math.exp(5))]),
        (Scale(10.0, -6.0, "sigmoid"), [1 / (1 + math.exp(1)), 1 / (1 + math.exp(6))]),
    ],
)
def test_probabilities_of_cosines(scale, expected):
    found = scale.probabilities(scale.logits(torch.tensor([[0.5, 0.0]])))
    assert found[0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("labels", "probabilities"), [([], []), (["dog"], [0.5, 0.5])])
def test_a_result_has_a_probability_a_label(labels, probabilities):
    with pytest.raises(ValueError, match="expected a probability a label"):
        Classified(labels, probabilities)
