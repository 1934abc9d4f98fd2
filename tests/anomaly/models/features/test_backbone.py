import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from pipelines.anomaly.models.features.backbone import load_backbone, settle
from pipelines.core.errors import CheckpointError

SHARED = Path(__file__).parents[5] / "shared/data/hub/timm"


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


IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
HALVES = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
CENTRE = {"custom_load": False, "crop_mode": "center"}
NET = {**CENTRE, "input_size": [3, 224, 224], "fixed_input_size": False, "pool_size": [7, 7]}
VIT = {
    **CENTRE,
    **IMAGENET,
    "num_classes": 0,
    "pool_size": None,
    "first_conv": "patch_embed.proj",
    "classifier": "head",
}
VIT |= {"interpolation": "bicubic", "crop_pct": 1.0}
DINOV2 = {**VIT, "tag": "lvd142m", "input_size": [3, 518, 518], "fixed_input_size": True}
RESNET = {**NET, **IMAGENET, "num_classes": 1000, "first_conv": "conv1", "classifier": "fc"}
TORCHVISION = {**RESNET, "tag": "tv_in1k", "interpolation": "bilinear", "crop_pct": 0.875}
EFFICIENTNET = {**NET, "num_classes": 1000, "first_conv": "conv_stem", "classifier": "classifier"}
PUBLISHED: dict[str, dict[str, Any]] = {
    "convnext_tiny.fb_in22k": {
        **NET, **IMAGENET, "tag": "fb_in22k", "interpolation": "bicubic", "crop_pct": 0.875, "num_classes": 21841,
        "first_conv": "stem.0", "classifier": "head.fc",
    },
    "efficientnet_b0.ra4_e3600_r224_in1k": {
        **EFFICIENTNET, **HALVES, "tag": "ra4_e3600_r224_in1k", "interpolation": "bicubic", "crop_pct": 0.9,
        "test_input_size": [3, 256, 256], "test_crop_pct": 1.0,
    },
    "efficientnet_b0.ra_in1k": {**EFFICIENTNET, **IMAGENET, "interpolation": "bicubic", "crop_pct": 0.875},
    "resnet18.a1_in1k": {
        **RESNET, "tag": "a1_in1k", "interpolation": "bicubic", "crop_pct": 0.95, "test_input_size": [3, 288, 288],
        "test_crop_pct": 1.0, "origin_url": "https://github.com/huggingface/pytorch-image-models",
        "paper_ids": "arXiv:2110.00476",
    },
    "resnet50.tv_in1k": {**TORCHVISION, "license": "bsd-3-clause", "origin_url": "https://github.com/pytorch/vision"},
    "wide_resnet50_2.tv_in1k": {**TORCHVISION, "license": "bsd-3-clause"},
    "vit_base_patch14_dinov2.lvd142m": {**DINOV2, "license": "cc-by-nc-4.0"},
    "vit_small_patch14_reg4_dinov2.lvd142m": {**DINOV2, "license": "apache-2.0"},
    "vit_small_plus_patch16_dinov3_qkvb.lvd1689m": {
        **VIT, "tag": "lvd1689m", "input_size": [3, 256, 256], "min_input_size": [3, 128, 128],
        "fixed_input_size": False, "license": "dinov3",
    },
}  # fmt: skip
"""pretrained_cfg of config.json in the hub's repositories of these names by timm; beside it stand `architecture`,
`num_classes` and `num_features`. Read in stored copies of the repositories in September 2026."""
SMALLER: dict[str, dict[str, Any]] = {
    "convnext": {"depths": [1, 1, 1, 1], "dims": [8, 16, 24, 32]},
    "efficientnet": {},
    "resnet": {"layers": [1, 1, 1, 1], "channels": [8, 16, 24, 32]},
    "vit": {"depth": 12, "embed_dim": 48, "num_heads": 2},
}
"""Options by which the networks of a family are made small; all that settings decide stays."""


def _smaller(architecture: str) -> dict[str, Any]:
    return next(options for family, options in SMALLER.items() if family in architecture)


def _repository(folder: Path, config: dict[str, Any]) -> Path:
    """A hub repository of timm's with that config.json and small random weights."""
    torch.manual_seed(3)
    classes = config["num_classes"]
    network = timm.create_model(config["architecture"], num_classes=classes, **_smaller(config["architecture"]))
    folder.mkdir()
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("side", [None, 448])
def test_published_repositories_are_read_as_timm_reads_them(name, side, tmp_path):
    config = {"architecture": name.split(".")[0], "num_classes": PUBLISHED[name]["num_classes"]}
    folder = _repository(tmp_path / name, config | {"num_features": 1, "pretrained_cfg": PUBLISHED[name]})
    options = _smaller(config["architecture"])
    loaded = load_backbone(str(folder), size_hw=side and (side, side), options=options)
    patch = 14 if "patch14" in name else 16
    usual = 252 if patch == 14 else 256
    assert loaded.size_hw == loaded.spec.crop_hw == (side or usual,) * 2
    assert [list(loaded.spec.mean), list(loaded.spec.std)] == [PUBLISHED[name]["mean"], PUBLISHED[name]["std"]]
    assert loaded.spec.interpolation == PUBLISHED[name]["interpolation"]

    sized = {"img_size": loaded.size_hw} if PUBLISHED[name]["fixed_input_size"] else {}
    library = timm.create_model(
        f"local-dir:{folder}", pretrained=True, features_only=True, out_indices=tuple(loaded.out_indices),
        **options, **sized,
    ).eval()  # fmt: skip
    images = torch.randn(2, 3, *loaded.size_hw, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        maps, expected = loaded(images), library(images)
    if name.startswith("vit"):
        assert {tuple(level.shape) for level in maps} == {(2, 48, (side or usual) // patch, (side or usual) // patch)}
        assert len(maps) == 4
    else:
        assert [level.shape[-1] for level in maps] == [(side or usual) // 8, (side or usual) // 16]
    for level, wanted in zip(maps, expected, strict=True):
        torch.testing.assert_close(level, wanted, rtol=1e-4, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no published files in {SHARED}")
def test_every_published_file_at_hand_is_read(tmp_path):
    files = sorted(SHARED.glob("*/config.json"))
    assert files
    for path in files:
        config = json.loads(path.read_text())
        folder = _repository(tmp_path / path.parent.name, config)
        loaded = load_backbone(str(folder), options=_smaller(config["architecture"]))
        assert list(loaded.spec.mean) == config["pretrained_cfg"]["mean"]
        assert len(loaded(torch.zeros(1, 3, *loaded.size_hw))) == (4 if config["num_classes"] == 0 else 2)


def test_tokens_that_are_no_patches_are_left_out(tmp_path):
    """A class token and 4 registers stand before the patches of a DINOv2 with registers."""
    config = {"architecture": "vit_small_patch14_reg4_dinov2", "num_classes": 0, "pretrained_cfg": DINOV2}
    folder = _repository(tmp_path / "dino", config)
    loaded = load_backbone(str(folder), size_hw=(56, 70), out_indices=[11], options=SMALLER["vit"])
    whole = loaded.module.model
    images = torch.randn(1, 3, 56, 70)
    with torch.inference_mode():
        tokens = whole.norm_pre(whole.patch_drop(whole._pos_embed(whole.patch_embed(images))))
        for block in whole.blocks:
            tokens = block(tokens)
        (level,) = loaded(images)
    assert tokens.shape == (1, 1 + 4 + 4 * 5, 48)
    torch.testing.assert_close(level, tokens[:, 5:].transpose(1, 2).view(1, 48, 4, 5))


def test_position_embeddings_of_a_size_that_has_as_many_patches_are_made_for_it(tmp_path):
    """56 x 224 pixels have the 64 patches of 112 x 112, in other rows: they cannot stay in the order that they have."""
    options = {"depth": 3, "embed_dim": 48, "num_heads": 2}
    torch.manual_seed(3)
    network = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=112, **options)
    cfg = {**DINOV2, "input_size": [3, 112, 112]}
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(
        json.dumps({"architecture": "vit_small_patch14_dinov2", "num_classes": 0, "pretrained_cfg": cfg})
    )
    loaded = load_backbone(str(tmp_path), size_hw=(56, 224), out_indices=[0], options=options)
    network.set_input_size((56, 224))
    torch.testing.assert_close(loaded.module.model.pos_embed, network.pos_embed)
    assert loaded(torch.zeros(1, 3, 56, 224))[0].shape == (1, 48, 4, 16)


def test_model_args_of_a_config_are_used(tmp_path):
    """As timm's own save_for_hf writes them (timm 1.0.31, models/_hub.py): the network's options and its size."""
    options = {"depth": 3, "embed_dim": 48, "num_heads": 2}
    network = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=112, **options)
    timm.models.save_for_hf(network, tmp_path, safe_serialization=True)
    assert json.loads((tmp_path / "config.json").read_text())["model_args"]["depth"] == 3
    loaded = load_backbone(str(tmp_path), size_hw=(112, 112), out_indices=[2])
    assert torch.equal(loaded.module.model.pos_embed, network.pos_embed)
    assert load_backbone(str(tmp_path), size_hw=(140, 126), out_indices=[2]).size_hw == (140, 126)


def test_a_grey_network_sees_the_mean_of_the_channels(tmp_path):
    torch.manual_seed(3)
    grey = timm.create_model("test_resnet", num_classes=5, in_chans=1)
    timm.models.save_for_hf(grey, tmp_path, safe_serialization=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config["pretrained_cfg"] |= {"input_size": [1, 64, 64], "mean": [0.4], "std": [0.2]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = load_backbone(str(tmp_path), size_hw=(64, 64))
    assert (loaded.spec.mean, loaded.spec.std) == ((0.4,) * 3, (0.2,) * 3)
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        _, levels = grey.eval().forward_intermediates(images.mean(1, keepdim=True))
        for level, expected in zip(loaded(images), levels[2:4], strict=True):
            torch.testing.assert_close(level, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("config", "advice"),
    [
        # config.json of facebook/dinov2-small, facebook/dinov2-with-registers-base and facebook/dinov3-vits16-... have
        # these (transformers 5.23, models/dinov2 and its kin); DINOv3's S+ is as wide as S and is not taken for it
        ({"model_type": "dinov2", "hidden_size": 384}, "take timm/vit_small_patch14_dinov2.lvd142m, which is the same"),
        ({"model_type": "dinov2_with_registers", "hidden_size": 768}, "take timm/vit_base_patch14_reg4_dinov2.lvd142m"),
        ({"model_type": "dinov3_vit", "hidden_size": 384}, "take timm/vit_small_patch16_dinov3.lvd1689m"),
        ({"model_type": "dinov3_vit", "hidden_size": 384, "use_gated_mlp": True}, "name a timm checkpoint"),
        ({"model_type": "vit", "hidden_size": 768}, "name a timm checkpoint"),
    ],
)
def test_of_transformers_own_format_timms_twin_is_named(backbone_folder, tmp_path, config, advice):
    shutil.copy(backbone_folder / "model.safetensors", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=f"expected timm's `architecture` in .*; {advice}"):
        load_backbone(str(tmp_path))


def test_what_was_fitted_decides_what_is_not_named(backbone_folder, capsys):
    fitted = {"backbone": "test_resnet", "out_indices": [1, 4], "input_size": [50, 70]}
    reading = settle(str(backbone_folder), fitted=fitted)
    assert (reading.size_hw, reading.out_indices) == ((50, 70), [1, 4])
    named = settle(str(backbone_folder), strides=[8], size_hw=(64, 64), fitted=fitted)
    assert (named.size_hw, named.out_indices) == ((64, 64), [2])
    other = settle(str(backbone_folder), fitted=fitted | {"backbone": "resnet18"})
    assert (other.size_hw, other.out_indices) == ((256, 256), [2, 3])
    assert capsys.readouterr().err == ""


def test_a_size_that_was_fitted_is_never_rounded(tmp_path, capsys):
    """DINOv2 was read at 256 px once, where timm lost 4 of them; what was fitted so is scored so."""
    config = {"architecture": "vit_small_patch14_reg4_dinov2", "num_classes": 0, "pretrained_cfg": DINOV2}
    folder, options = str(_repository(tmp_path / "dino", config)), SMALLER["vit"]
    fitted = {"backbone": config["architecture"], "out_indices": [5, 11], "input_size": [256, 256]}
    for named in (None, (256, 256)):
        reading = settle(folder, size_hw=named, options=options, fitted=fitted)
        loaded = load_backbone(folder, reading=reading, options=options)
        assert loaded.identity["input_size"] == [256, 256] and loaded.identity["out_indices"] == [5, 11]
        assert loaded(torch.zeros(1, 3, 256, 256))[0].shape[-2:] == (18, 18)
    assert capsys.readouterr().err == ""
    assert settle(folder, size_hw=(256, 256), options=options, fitted=fitted | {"input_size": [252, 252]}).size_hw == (
        252,
        252,
    )
    assert "pictures have 252 px instead of 256 px: its patches have 14 px\n" in capsys.readouterr().err
