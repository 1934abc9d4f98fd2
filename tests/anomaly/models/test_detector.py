from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import timm
import torch
from sklearn.metrics import roc_auc_score

from pipelines.anomaly.models import METHODS, load_method
from pipelines.anomaly.models.detector import Anomaly, AnomalyDetector, Fitted, PatchExtractor
from pipelines.anomaly.models.features.backbone import load_backbone
from pipelines.anomaly.models.patchcore.model import PatchCore
from pipelines.anomaly.settings import FitConfig
from pipelines.core.images.preprocess import normalise
from pipelines.core.images.samples import Sample
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig

CPU = torch.device("cpu")
BATCH = 3


def runner(batch: int = BATCH) -> Runner:
    return Runner(RunnerConfig(device="cpu", precision="fp32", batch=batch, workers=1, progress=False))


@pytest.fixture(scope="module", params=METHODS)
def extractor(request, backbone) -> PatchExtractor:
    return PatchExtractor(backbone, load_method(request.param, FitConfig(dimensions=20), backbone))


@pytest.fixture(scope="module")
def normals(tree) -> list[Sample]:
    return [Sample(path.name, path) for path in sorted((tree / "fine/train/good").iterdir())]


@pytest.fixture(scope="module")
def detector(extractor, normals) -> AnomalyDetector:
    features = [outcome.result for outcome in runner().run(extractor, normals)]
    fitted = Fitted(extractor.method.fitter(features, CPU)(range(len(features))), 0.0, len(features))
    return AnomalyDetector(extractor, {"all": fitted}, lambda sample: sample.fields.get("category", "all"))


def test_an_unknown_category_is_named(detector, normals):
    stranger = Sample("x", normals[0].path, {"category": "screw"})
    outcome = next(runner().run(detector, [stranger]))
    assert outcome.error == "expected a category among all, found 'screw'"


def test_features_have_one_row_a_patch(extractor, normals):
    features = next(runner().run(extractor, normals)).result
    assert features.shape[:2] == (8, 8) and features.dtype == torch.float32 and features.is_contiguous()


@pytest.mark.parametrize("count", [1, 8])
def test_the_score_alone_is_the_same(extractor, detector, normals, count):
    scorer = detector.fitted["all"].scorer
    for outcome in runner().run(extractor, normals[:count]):
        assert scorer.score(outcome.result + 0.1) == pytest.approx(scorer(outcome.result + 0.1).score, rel=1e-5)


@pytest.mark.parametrize("places", [[0, 1], [1, 2, 3, 5, 6, 7]])
def test_a_fit_on_some_is_that_on_these_alone(extractor, normals, places):
    features = [outcome.result for outcome in runner().run(extractor, normals)]
    some = extractor.method.fitter(features, CPU)(places).tensors()
    alone = extractor.method.fitter([features[place] for place in places], CPU)(range(len(places))).tensors()
    assert all(torch.equal(some[name], alone[name]) for name in some)


def test_defects_score_higher_where_they_are(detector, tree):
    def results(kind: str) -> list[Anomaly]:
        paths = sorted((tree / "fine/test" / kind).iterdir())
        return [outcome.result for outcome in runner().run(detector, [Sample(path.name, path) for path in paths])]

    good, broken = results("good"), results("broken")
    assert max(image.score for image in good) < min(image.score for image in broken)
    assert all(image.map.shape == (8, 8) and image.map.dtype == torch.float32 for image in good + broken)


@pytest.mark.parametrize(("threshold", "label"), [(-1.0, 1), (1e9, 0)])
def test_the_label_is_the_thresholds(extractor, detector, normals, threshold, label):
    fitted = Fitted(detector.fitted["all"].scorer, threshold, 2)
    own = AnomalyDetector(extractor, {"all": fitted}, lambda _: "all")
    assert next(runner().run(own, normals[:1])).result.label == label


def test_a_score_at_the_threshold_is_normal(extractor, detector, normals):
    score = next(runner().run(detector, normals[:1])).result.score
    fitted = Fitted(detector.fitted["all"].scorer, score, 2)
    assert (
        next(runner().run(AnomalyDetector(extractor, {"all": fitted}, lambda _: "all"), normals[:1])).result.label == 0
    )


@pytest.mark.parametrize(
    ("label", "scores"), [(2, None), (0, torch.zeros(3)), (1, torch.zeros(2, 2, dtype=torch.float64))]
)
def test_an_anomaly_checks_its_parts(label, scores):
    with pytest.raises(ValueError, match="expected"):
        Anomaly(1.0, label, scores)


def test_an_anomaly_is_frozen():
    with pytest.raises(FrozenInstanceError):
        Anomaly(1.0, 0).score = 2.0


def test_bundled_photos_rank_as_by_plain_patchcore():
    """timm's network as it comes, greedy picks one by one and all distances: the ranking is the same."""
    folder, size_hw = Path("samples/anomaly/weave"), (160, 160)
    normals, tests = (
        [Sample(path.as_posix(), path) for path in sorted(folder.glob(pattern))[::step]]
        for pattern, step in (("train/good/*.jpg", 5), ("test/*/*.jpg", 1))
    )
    checkpoint = Path("mini/weights/backbone")
    backbone = load_backbone(str(checkpoint), strides=[8, 16], size_hw=size_hw)
    method = PatchCore(FitConfig(coreset=0.1), backbone)
    extractor = PatchExtractor(backbone, method)
    runner = Runner(RunnerConfig(device="cpu", precision="fp32", progress=False))
    with torch.inference_mode():
        features = [outcome.result for outcome in runner.run(extractor, normals)]
        scorer = method.fitter(features, runner.device)(range(len(features)))
        detector = AnomalyDetector(extractor, {"weave": Fitted(scorer, 0.0, 6)}, lambda _: "weave")
        found = [outcome.result.score for outcome in runner.run(detector, tests)]

    network = timm.create_model(
        backbone.name, features_only=True, out_indices=backbone.out_indices, pretrained=True,
        pretrained_cfg_overlay={"source": "", "file": str(checkpoint / "model.safetensors")},
    ).eval()  # fmt: skip

    @torch.no_grad()
    def plain(samples: list[Sample]) -> torch.Tensor:
        pixels = extractor.prepare(samples)["images"]
        return method.embed(network(normalise(pixels, backbone.spec, torch.float32))).flatten(1, 2)

    rows = plain(normals).flatten(0, 1)
    points = (rows - rows.mean(0)).double()
    picks = [int(torch.randint(len(rows), (1,), generator=torch.Generator().manual_seed(0)))]
    distances = torch.full((len(rows),), float("inf"), dtype=torch.float64)
    while len(picks) < len(scorer.bank):
        distances = torch.minimum(distances, (points - points[picks[-1]]).square().sum(1))
        picks.append(int(distances.argmax()))
    bank = rows[picks]
    expected = []
    for patches in plain(tests):
        nearest = torch.cdist(patches, bank, compute_mode="donot_use_mm_for_euclid_dist")
        worst = int(nearest.amin(1).argmax())
        near = bank[int(nearest[worst].argmin())]
        support = bank[(bank - near).norm(dim=1).topk(9, largest=False).indices]
        away = (patches[worst] - support).norm(dim=1)
        least = nearest[worst].min()
        expected.append(float(least * (1 - (least - away.logsumexp(0)).exp())))
    assert found == pytest.approx(expected, rel=0.01)
    labels = [sample.path.parent.name != "good" for sample in tests]
    assert roc_auc_score(labels, found) == pytest.approx(roc_auc_score(labels, expected), abs=0.002)
    assert roc_auc_score(labels, found) > 0.8
