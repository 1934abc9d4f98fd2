import json
import shutil
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from pipelines.anomaly.backbone import load_backbone
from pipelines.core.errors import CheckpointError


def test_maps_are_those_of_timm(backbone_folder, backbone):
    whole = timm.create_model("test_resnet", num_classes=5)
    whole.load_state_dict(load_file(backbone_folder / "model.safetensors"))
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        _, levels = whole.eval().forward_intermediates(images)
        maps = backbone(images)
    assert [tuple(level.shape) for level in maps] == [(2, 48, 8, 8), (2, 192, 4, 4)]
    for level, expected in zip(maps, levels[2:4], strict=True):
        torch.testing.assert_close(level, expected)


@pytest.mark.parametrize(
    ("settings", "indices"),
    [
        ({"strides": [4]}, [1]),
        ({"strides": [16, 4]}, [1, 3]),
        ({"strides": [8], "out_indices": [4, 2]}, [2, 4]),
    ],
)
def test_levels_by_stride_or_index(backbone_folder, settings, indices):
    loaded = load_backbone(str(backbone_folder), size_hw=(64, 64), **settings)
    assert loaded.out_indices == indices
    assert len(loaded(torch.zeros(1, 3, 64, 64))) == len(indices)


def test_pictures_are_squashed_and_normalised_as_the_checkpoint_says(backbone_folder):
    loaded = load_backbone(str(backbone_folder), size_hw=(64, 96))
    assert loaded.spec.resize is not None and loaded.spec.resize.size_hw == loaded.spec.crop_hw == (64, 96)
    assert loaded.spec.mean == loaded.spec.std == (0.5, 0.5, 0.5)  # of test_resnet; ImageNet's are timm's default
    own = load_backbone(str(backbone_folder), size_hw=(64, 96), mean=[0.1, 0.2, 0.3])
    assert own.spec.mean == (0.1, 0.2, 0.3)
    assert own.identity != loaded.identity


def test_a_file_with_its_network_named_is_the_same_backbone(backbone_folder, backbone, tmp_path):
    path = shutil.copy(backbone_folder / "model.safetensors", tmp_path / "own.safetensors")
    loaded = load_backbone(str(path), "test_resnet", size_hw=(64, 64))
    images = torch.randn(1, 3, 64, 64)
    assert all(map(torch.equal, loaded(images), backbone(images)))
    assert loaded.identity == backbone.identity
    assert json.loads(json.dumps(loaded.identity)) == loaded.identity


def test_options_reach_timm(backbone_folder, backbone):
    dense = load_backbone(str(backbone_folder), size_hw=(64, 64), out_indices=[3], options={"output_stride": 8})
    assert dense(torch.zeros(1, 3, 64, 64))[0].shape[-2:] == (8, 8)
    assert dense.identity["options"] == {"output_stride": 8} != backbone.identity["options"]


@pytest.mark.parametrize("name", ["test_vit", "swinv2_cr_tiny_ns_224"])
def test_transformers_give_maps_too(name, tmp_path):
    options = {"depths": (1, 1, 1, 1), "embed_dim": 24} if name.startswith("swin") else {}
    network = timm.create_model(name, pretrained=False, **options)
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    loaded = load_backbone(
        str(tmp_path / "w.safetensors"), name, out_indices=[0, 1], size_hw=(224, 224) if options else (64, 64),
        options=options,
    )  # fmt: skip
    first, second = loaded(torch.randn(2, 3, *loaded.spec.crop_hw))
    assert first.shape[:1] == second.shape[:1] == (2,)
    assert list(first.shape[1:2]) + list(second.shape[1:2]) == loaded.module.feature_info.channels()


def _without(folder: Path, tmp_path: Path, part: str) -> Path:
    kept = {key: value for key, value in load_file(folder / "model.safetensors").items() if part not in key}
    save_file(kept, tmp_path / "part.safetensors")
    return tmp_path / "part.safetensors"


def test_missing_weights_are_an_error_and_not_random_numbers(backbone_folder, tmp_path):
    path = _without(backbone_folder, tmp_path, "layer2")
    with pytest.raises(CheckpointError, match=r"expected all weights of test_resnet .* missing, such as layer2"):
        load_backbone(str(path), "test_resnet", size_hw=(64, 64))


@pytest.mark.parametrize("unused", ["fc", "layer4"])
def test_weights_behind_the_last_level_may_be_missing(backbone_folder, tmp_path, unused):
    path = _without(backbone_folder, tmp_path, unused)
    load_backbone(str(path), "test_resnet", size_hw=(64, 64))


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("test_resnet", {"strides": [8, 12]}, r"expected levels of the strides \[8, 12\] .* none of \[12\]; it has"),
        ("test_resnet", {"out_indices": [9]}, "expected a timm network test_resnet .* does not load"),
        ("resnet18", {}, "expected a timm network resnet18 with the weights .* does not load"),
        ("resnet_1000", {}, "expected a timm network resnet_1000 .* does not load: .*resnet_1000"),
        ("test_resnet", {"options": {"colour": 1}}, "does not load: .*colour"),
    ],
)
def test_what_does_not_fit_is_named(backbone_folder, name, settings, message):
    with pytest.raises(CheckpointError, match=message):
        load_backbone(str(backbone_folder), name, **settings)


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ("model.safetensors", "expected the timm name of the network"),
        ("model.pth", "expected a .safetensors file or a checkpoint folder, found"),
        ("hf", "expected timm's `architecture` in .*config.json, found none"),
        ("nowhere", "expected a checkpoint folder at .*nowhere, found nothing"),
    ],
)
def test_checkpoints_that_cannot_be_used(backbone_folder, tmp_path, checkpoint, message):
    shutil.copy(backbone_folder / "model.safetensors", tmp_path)
    (tmp_path / "model.pth").write_bytes(b"never unpickled")
    shutil.copytree(backbone_folder, tmp_path / "hf")
    (tmp_path / "hf/config.json").write_text('{"model_type": "resnet"}')
    with pytest.raises(CheckpointError, match=message):
        load_backbone(str(tmp_path / checkpoint))
