"""What is asked of every classifier, on the tiny checkpoint that its entry names."""

import pytest
import torch

from pipelines.classify.models import CLASSIFIERS
from pipelines.classify.models.clip import Classified, Classifier, LabelTexts, scale_of
from pipelines.core.images.samples import Sample
from tests import contract
from tests.search.conftest import draw

LABELS = ["two dogs", "cats", "the red cars"]


@pytest.fixture(scope="module", params=CLASSIFIERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    return contract.made(CLASSIFIERS[name], tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def make(name, folder):
    """What makes the two networks, of labels and of photos."""

    def pair():
        images, texts = CLASSIFIERS[name].load()(folder)
        labels, scale = LabelTexts(texts), scale_of(images.module)
        vectors = torch.stack(contract.results(labels, [(label,) for label in LABELS]))
        return labels, Classifier(images, vectors, LABELS, scale, top=2)

    return pair


@pytest.fixture(scope="module")
def networks(make):
    return make()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    paths = [draw(tmp_path_factory.mktemp("photos") / f"{seed}.png", seed, (40, 32)) for seed in range(5)]
    return [Sample(path.name, path) for path in paths]


def test_the_entry_is_as_the_class(name, folder, networks):
    for network in networks:
        contract.check_entry(CLASSIFIERS, name, folder, network)


@pytest.mark.parametrize("count", contract.COUNTS)
def test_as_many_results_as_items(networks, photos, count):
    labels, classifier = networks
    assert len(contract.results(labels, [("cats", "one")] * count)) == count
    found = contract.results(classifier, photos[:count])
    assert len(found) == count and all(isinstance(each, Classified) for each in found)


def test_a_bad_picture_fails_alone(networks, photos, tmp_path):
    items = [*photos[:2], Sample("bad", contract.bad_picture(tmp_path)), *photos[2:]]
    found = contract.outcomes(networks[1], items)
    assert [outcome.ok for outcome in found] == [item.id != "bad" for item in items]
    assert "bad.jpg" in found[2].error


def test_answers_do_not_depend_on_the_batch(networks, photos):
    alone, together = (contract.results(networks[1], photos, batch) for batch in (1, len(photos)))
    assert_near(alone, together, 1e-5)


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_precision_says_about_the_same(name, make, photos, dtype):
    if dtype not in CLASSIFIERS[name].dtypes | CLASSIFIERS[name].near_dtypes:
        pytest.skip(f"{name} does not run in {dtype}")
    exact = contract.results(make()[1], photos)
    other = make()[1]
    found = contract.in_half(other, photos) if dtype == "fp16" else contract.results(other, photos, precision=dtype)
    assert_near(found, exact, 0.1)


def assert_near(these, those, most):
    """By the sum of probabilities: labels that are about as likely change places."""
    assert [sum(each.probabilities) for each in these] == pytest.approx(
        [sum(each.probabilities) for each in those], abs=most
    )
