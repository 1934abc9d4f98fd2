import sys
import threading

import pytest
import timm
import torch
from torch import Tensor, nn

from pipelines.anomaly.models.features.convolutions import FusedBlock, FusedConv, fuse


def network(name: str) -> nn.Module:
    """One of timm's with random weights, and with batch norms that do something."""
    torch.manual_seed(3)
    made = timm.create_model(name, pretrained=False, features_only=True, out_indices=(1, 2)).eval()
    for norm in made.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for values in (norm.running_var, norm.weight.data):
                values.uniform_(0.5, 2)
            for values in (norm.running_mean, norm.bias.data):
                values.normal_(0, 0.3)
    return made.to(memory_format=torch.channels_last)


def photos(count: int = 2) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(count))


def parts(fused: nn.Module) -> tuple[int, int, int]:
    """Batch norms that are left, convolutions with ReLU, and blocks of them."""
    kinds = [type(module) for module in fused.modules()]
    return kinds.count(nn.BatchNorm2d), kinds.count(FusedConv), kinds.count(FusedBlock)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet10t", (1, 6, 2)),  # the last of its first convolutions stands apart from its norm
        ("test_resnet", (1, 6, 2)),
        ("resnetblur18", (0, 9, 4)),  # a blur instead of a stride
        ("seresnet18", (8, 1, 0)),  # squeeze-and-excitation stands between a convolution and the sum
        ("vgg11_bn", (0, 4, 0)),
    ],
)
@pytest.mark.parametrize("mode", [True, False])
def test_features_are_timms_but_for_rounding(name, expected, mode):
    plain = network(name)
    fused = fuse(plain, photos(1))
    assert parts(fused) == expected
    assert fused.feature_info.get_dicts() == plain.feature_info.get_dicts()
    with torch.inference_mode(mode):
        for found, wanted in zip(fused(photos()), plain(photos()), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * wanted.abs().max().item())


def test_half_precision_passes_through():
    fused = fuse(network("test_resnet"), photos(1))
    with torch.inference_mode():
        wanted = fused(photos())
        for found, level in zip(fused.bfloat16()(photos().bfloat16()), wanted, strict=True):
            assert found.dtype == torch.bfloat16
            torch.testing.assert_close(found.float(), level, rtol=0, atol=0.05 * float(level.abs().max()))


def test_the_network_that_was_given_is_not_changed():
    plain = network("test_resnet")
    before = {name: value.clone() for name, value in plain.state_dict().items()}
    fuse(plain, photos(1))
    assert list(plain.state_dict()) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in plain.state_dict().items())


class Padded(nn.Conv2d):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(images, (1, 0, 1, 0)))


class Levels(nn.Sequential):
    """Gives what a network of levels gives, with its parts in turn."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return [super().forward(images)]


def norm() -> nn.BatchNorm2d:
    made = nn.BatchNorm2d(3)
    made.running_mean.fill_(0.2)
    return made


class Changing(Levels):
    """Gives something else than its parts in turn do."""

    def forward(self, images: Tensor) -> list[Tensor]:
        return super().forward(images + self[0](images))


@pytest.mark.parametrize(
    "make",
    [
        lambda: network("test_vit"),
        lambda: network("efficientnet_b0"),
        lambda: Levels(Padded(3, 3, 3), norm(), nn.ReLU()),
        lambda: Levels(nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"), norm(), nn.ReLU()),
        lambda: Changing(nn.Conv2d(3, 3, 1), norm(), nn.ReLU()),
    ],
)
def test_other_networks_stay_as_they_are(make):
    plain = make().eval()
    assert fuse(plain, photos(1)) is plain


def test_images_that_are_too_small_for_its_levels_are_left_to_who_runs_it():
    plain = timm.create_model("vgg11_bn", features_only=True).eval()
    assert fuse(plain, torch.rand(1, 3, 8, 8)) is plain


def test_parts_in_turn_are_fused():
    fused = fuse(Levels(nn.Conv2d(3, 3, 1), norm(), nn.ReLU()).eval(), photos(1))
    assert parts(fused) == (0, 1, 0)


@pytest.fixture
def often():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_networks_of_other_threads_run_meanwhile(often):
    """As they do not while torch.fx traces one: it puts its tracer in the place of every module's call."""
    stop, failed = threading.Event(), []

    def run() -> None:
        other = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        while not stop.is_set():
            try:
                other(torch.ones(1, 4))
            except Exception as error:
                failed.append(error)
                return

    beside = threading.Thread(target=run)
    beside.start()
    for _ in range(5):
        fuse(network("test_resnet"), photos(1))
    stop.set()
    beside.join()
    assert failed == []


def test_a_loaded_backbone_is_fused_and_gives_timms_features(backbone_folder, backbone):
    plain = timm.create_model(
        "test_resnet", features_only=True, out_indices=(2, 3), pretrained=True,
        pretrained_cfg_overlay={"source": "", "file": str(backbone_folder / "model.safetensors")},
    ).eval()  # fmt: skip
    assert parts(backbone.module)[2] == 3
    with torch.inference_mode():
        for found, wanted in zip(backbone(photos()), plain(photos()), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * wanted.abs().max().item())
