import pytest
import torch
from anomalib.models.components import GaussianBlur2d
from anomalib.models.image.patchcore.torch_model import PatchcoreModel

from pipelines.anomaly.maps.heatmap import smooth
from pipelines.anomaly.models.patchcore.model import NearestPatches, PatchCore
from pipelines.anomaly.settings import FitConfig


@pytest.fixture(autouse=True, params=[True, False], ids=["oneDNN", "plain"])
def products(request):
    """As in a run, and with gradients allowed: on the CPU other code multiplies then."""
    with torch.inference_mode(request.param):
        yield


CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bank() -> torch.Tensor:
    return torch.randn(500, 48, generator=torch.Generator().manual_seed(1)).abs() * 3


@pytest.fixture(scope="module")
def embedding() -> torch.Tensor:
    """Three pictures of 8 x 8 patches, some far off: (B, H, W, D)."""
    drawn = torch.randn(3, 8, 8, 48, generator=torch.Generator().manual_seed(2)).abs() * 3
    drawn[1, 2, 3] *= 4
    drawn[2, 7, 7] += 1
    return drawn


def theirs(bank: torch.Tensor, neighbours: int) -> PatchcoreModel:
    model = PatchcoreModel(["layer2"], "test_resnet", pre_trained=False, num_neighbors=neighbours).eval()
    model.memory_bank = bank
    return model


@pytest.mark.parametrize("directions", [48, 5])
@pytest.mark.parametrize("neighbours", [1, 2, 9])
def test_scores_match_anomalib(bank, embedding, neighbours, directions):
    """With few directions the search goes by a subspace."""
    steepness = torch.arange(1, 49).clamp_max(directions) ** -2.0 if directions < 48 else torch.ones(48)
    bank, embedding = bank * steepness, embedding * steepness
    model = theirs(bank, neighbours)
    flat = embedding.reshape(-1, 48)
    distances, locations = model.nearest_neighbors(flat, 1)
    expected = model.compute_anomaly_score(distances.view(3, -1), locations.view(3, -1), flat)
    scorer = NearestPatches(bank, neighbours, CPU)
    assert (scorer._subspace is not None) == (directions < 48)
    for image, score, own in zip(embedding, expected, distances.view(3, 8, 8), strict=True):
        found = scorer(image)
        assert found.score == pytest.approx(float(score), rel=1e-4)
        assert scorer.score(image) == pytest.approx(float(score), rel=1e-4)
        torch.testing.assert_close(found.map, own, rtol=1e-4, atol=0)


def test_smoothed_map_matches_anomalib_on_the_same_upsampling(bank, embedding):
    found = NearestPatches(bank, 9, CPU)(embedding[1]).map
    upsampled = torch.nn.functional.interpolate(found[None, None], (64, 64), mode="bilinear")
    expected = GaussianBlur2d(kernel_size=(33, 33), sigma=(4, 4), channels=1)(upsampled)[0, 0]
    torch.testing.assert_close(smooth(found, (64, 64)), expected, rtol=1e-4, atol=1e-4)


def test_embedding_matches_anomalib():
    maps = [torch.randn(2, 5, 8, 6), torch.randn(2, 7, 4, 3)]
    model = theirs(torch.zeros(1, 1), 9)
    model.layers = ["a", "b"]
    pooled = {name: model.feature_pooler(level) for name, level in zip("ab", maps, strict=True)}
    expected = model.reshape_embedding(model.generate_embedding(pooled))
    found = PatchCore(FitConfig(), None).embed(maps)
    assert found.shape == (2, 8, 6, 12)
    torch.testing.assert_close(found.reshape(-1, 12), expected)


def test_a_patch_of_the_bank_has_distance_zero(bank):
    found = NearestPatches(bank, 9, CPU)(bank[:6].view(2, 3, 48))
    assert found.score == 0 and found.map.tolist() == [[0] * 3] * 2


def test_a_bank_of_one_scores_by_distance_alone():
    found = NearestPatches(torch.zeros(1, 4), 9, CPU)(torch.full((1, 2, 4), 3.0))
    assert found.score == 6


def test_half_precision_features_are_measured_in_float32(bank, embedding):
    far = 200 + embedding[0]  # squares of these overflow float16
    found = NearestPatches(bank.half(), 9, CPU)(far.half())
    expected = NearestPatches(bank.half().float(), 9, CPU)(far.half().float())
    assert found.score == expected.score and torch.equal(found.map, expected.map)


def test_fit_keeps_rows_of_the_images_as_they_are():
    images = [torch.randn(4, 4, 6, generator=torch.Generator().manual_seed(seed)).half() for seed in range(3)]
    scorer = PatchCore(FitConfig(coreset=0.25), None).fitter(images, CPU)(range(3))
    patches = torch.stack(images).reshape(-1, 6).float()
    assert scorer.bank.shape == (12, 6)
    assert (scorer.bank[:, None] == patches).all(-1).any(1).all()


@pytest.mark.parametrize(("normals", "kept"), [(1, 36), (40, 36), (41, 35), (1440, 1), (10**6, 1)])
def test_each_of_many_pictures_gives_an_equal_share(normals, kept):
    """20 candidates for each of the 72 patches that the bank may keep: 1,440 of 36 a picture."""
    features = torch.randn(2, 6, 6, 5, generator=torch.Generator().manual_seed(0))
    found = PatchCore(FitConfig(most=72), None).kept(features, normals)
    whole = features.flatten(1, 2)
    if kept == 36:
        assert found is features
    else:
        assert found.shape == (2, kept, 5)
        assert all((row == whole[b]).all(-1).any() for b in range(2) for row in found[b])


def test_the_share_has_what_is_rare():
    """Of 1,024 patches a picture one is odd; 8 are kept."""
    features = torch.randn(3, 32, 32, 300, generator=torch.Generator().manual_seed(0)).abs() / 10
    for picture in range(3):
        features[picture, 5 + picture, 9] += 1
    found = PatchCore(FitConfig(most=2), None).kept(features, 5)
    assert found.shape == (3, 8, 300)
    for picture in range(3):
        assert (found[picture] == features[picture, 5 + picture, 9]).all(-1).any()
