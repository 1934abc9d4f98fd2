"""What is asked of every method, on the features of the tiny network that its entry names."""

import pytest
import torch

from pipelines.anomaly.models import METHODS, load_method
from pipelines.anomaly.models.detector import Anomaly, AnomalyDetector, Fitted, PatchExtractor
from pipelines.anomaly.models.features.backbone import load_backbone
from pipelines.anomaly.settings import FitConfig
from pipelines.core.errors import ConfigError
from pipelines.core.images.samples import Sample
from tests import contract

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=METHODS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    return contract.made(METHODS[name], tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def normals(tree):
    return [Sample(path.name, path) for path in sorted((tree / "fine/train/good").iterdir())]


@pytest.fixture(scope="module")
def make(name, folder, normals):
    """What makes the two networks of the method, the second fitted on the normal photos."""

    def pair():
        backbone = load_backbone(str(folder), size_hw=(64, 64))
        extractor = PatchExtractor(backbone, load_method(name, FitConfig(dimensions=20), backbone))
        features = contract.results(extractor, normals)
        fitted = Fitted(extractor.method.fitter(features, CPU)(range(len(features))), 0.0, len(features))
        return extractor, AnomalyDetector(extractor, {"all": fitted}, lambda _: "all")

    return pair


@pytest.fixture(scope="module")
def networks(make):
    return make()


def test_the_entry_is_as_the_class(name, folder, networks):
    for network in networks:
        contract.check_entry(METHODS, name, folder, network)


@pytest.mark.parametrize("count", contract.COUNTS)
def test_as_many_results_as_items(networks, normals, count):
    extractor, detector = networks
    assert all(each.shape[:2] == (8, 8) for each in contract.results(extractor, normals[:count]))
    found = contract.results(detector, normals[:count])
    assert len(found) == count and all(isinstance(each, Anomaly) for each in found)


def test_a_bad_picture_fails_alone(networks, normals, tmp_path):
    items = [
        normals[0],
        Sample("bad", contract.bad_picture(tmp_path)),
        Sample("gone", tmp_path / "gone.png"),
        normals[1],
    ]
    for network in networks:
        found = contract.outcomes(network, items)
        assert [outcome.ok for outcome in found] == [True, False, False, True]
        assert "bad.jpg" in found[1].error and "gone.png" in found[2].error


def test_scores_do_not_depend_on_the_batch(networks, normals):
    alone, together = (contract.results(networks[1], normals, batch) for batch in (1, len(normals)))
    assert [each.score for each in alone] == pytest.approx([each.score for each in together], rel=1e-4)
    assert len({each.score for each in alone}) > 3  # they depend on the picture


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_precision_scores_about_the_same(name, make, tree, dtype):
    if dtype not in METHODS[name].dtypes | METHODS[name].near_dtypes:
        pytest.skip(f"{name} does not run in {dtype}")
    tests = [Sample(path.name, path) for path in sorted((tree / "fine/test").glob("*/*.png"))]
    exact = contract.results(make()[1], tests)
    detector = make()[1]
    found = contract.in_half(detector, tests) if dtype == "fp16" else contract.results(detector, tests, precision=dtype)
    assert [each.score for each in found] == pytest.approx([each.score for each in exact], rel=0.02)


def test_an_unknown_name_lists_the_names():
    with pytest.raises(ConfigError, match=f"one of auto, {', '.join(METHODS)}, found `nobody`"):
        load_method("nobody", FitConfig(), None)
