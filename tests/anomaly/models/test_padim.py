import pytest
import timm
import torch
from anomalib.models.image.padim.torch_model import PadimModel
from safetensors.torch import load_file, save_file

from pipelines.anomaly.models.features.backbone import load_backbone
from pipelines.anomaly.models.padim import Padim
from pipelines.anomaly.settings import FitConfig
from pipelines.core.errors import InputError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def method(backbone) -> Padim:
    return Padim(FitConfig(dimensions=30, seed=3), backbone)


def test_one_image_has_no_covariance(method):
    with pytest.raises(InputError, match="expected at least 3 normal images for PaDiM"):
        method.fitter([torch.zeros(8, 8, 30)], CPU)([0])


def test_scores_match_the_whole_anomalib_model_with_our_weights(method, backbone, backbone_folder):
    normals = torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    tests = (
        torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
        + torch.tensor([0, 1])[:, None, None, None]
    )
    theirs = PadimModel("test_resnet", [2, 3], pre_trained=False, n_features=30)
    network = theirs.feature_extractor.feature_extractor
    weights = load_file(backbone_folder / "model.safetensors")
    network.load_state_dict({key: value for key, value in weights.items() if key in network.state_dict()})
    theirs.idx = method.model.idx
    with torch.inference_mode():
        theirs.train()(normals)
        theirs.fit()
        expected = theirs.eval()(tests)
        scorer = method.fitter(list(method.embed(backbone(normals))), CPU)(range(6))
        found = [scorer(features) for features in method.embed(backbone(tests))]
    assert [scores.score for scores in found] == pytest.approx(expected.pred_score.flatten().tolist(), rel=1e-4)
    assert found[0].map.shape == (8, 8)


def test_timm_resizes_position_embeddings_afterwards_as_before(tmp_path):
    """anomalib 2.7 takes the antialiasing out of timm's for good, once it has made a ViT."""
    options = {"depth": 3, "embed_dim": 48, "num_heads": 2}
    network = timm.create_model("vit_small_patch14_dinov2", num_classes=0, **options)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    how = timm.models.vision_transformer.resample_abs_pos_embed
    vit = load_backbone(str(tmp_path / "w.safetensors"), "vit_small_patch14_dinov2", size_hw=(56, 56), options=options)
    padim = Padim(FitConfig(dimensions=30), vit)
    assert padim.embed(vit(torch.zeros(1, 3, 56, 56))).shape == (1, 4, 4, 30)
    assert timm.models.vision_transformer.resample_abs_pos_embed is how


def test_the_seed_decides_the_channels(backbone, method):
    again, other = (Padim(FitConfig(dimensions=30, seed=seed), backbone) for seed in (3, 4))
    assert torch.equal(again.model.idx, method.model.idx)
    assert not torch.equal(other.model.idx, method.model.idx)


def test_no_more_channels_than_there_are(backbone):
    assert len(Padim(FitConfig(dimensions=10_000), backbone).model.idx) == 48 + 192


def test_half_precision_features_are_measured_in_float32(method):
    images = [torch.randn(8, 8, 30, generator=torch.Generator().manual_seed(seed)).half() for seed in range(5)]
    half, full = (
        method.fitter([image.to(dtype) for image in images], CPU)(range(5)) for dtype in (torch.half, torch.float32)
    )
    assert half(images[0]).score == full(images[0].float()).score
