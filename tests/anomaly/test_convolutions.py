import pytest
import timm
import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn

from pipelines.anomaly.convolutions import FusedConv, fuse


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


def calls(fused: nn.Module) -> tuple[int, int, int]:
    """Batch norms that are left, convolutions with ReLU, and those that add a shortcut too."""
    nodes = [node for node in fused.graph.nodes if node.op == "call_module"]
    own = [node for node in nodes if isinstance(fused.get_submodule(node.target), FusedConv)]
    norms = sum(isinstance(fused.get_submodule(node.target), nn.BatchNorm2d) for node in nodes)
    return norms, len(own), sum(len(node.args) == 2 for node in own)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet10t", (0, 7, 2)),
        ("test_resnet", (0, 7, 2)),
        ("regnety_002", (0, 9, 2)),  # timm's BatchNormAct2d, and ReLU of its own in squeeze-and-excitation
        ("efficientnet_b0", (0, 0, 0)),  # SiLU stays behind its convolutions
        ("densenet121", (19, 19, 0)),  # some of its norms follow no convolution
    ],
)
@pytest.mark.parametrize("mode", [True, False])
def test_features_are_timms_but_for_rounding(name, expected, mode):
    plain = network(name)
    fused = fuse(plain, photos(1))
    assert calls(fused) == expected
    assert fused.feature_info is plain.feature_info
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


class Twice(nn.Module):
    """What must stay as it is: a convolution that is called twice, and one whose result is used beside its norm."""

    def __init__(self) -> None:
        super().__init__()
        self.shared, self.used = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 1)
        self.norm, self.last, self.relu = nn.BatchNorm2d(3), BatchNormAct2d(3), nn.ReLU()
        self.norm.running_mean.fill_(0.2)

    def forward(self, images: Tensor) -> list[Tensor]:
        used = self.used(self.shared(self.shared(images)))
        return [self.norm(used), self.relu(used + self.last(used))]


def test_what_is_used_elsewhere_too_is_left():
    plain = Twice().eval()
    fused = fuse(plain, photos(1))
    assert calls(fused) == (2, 0, 0)
    for found, wanted in zip(fused(photos()), plain(photos()), strict=True):
        torch.testing.assert_close(found, wanted)


class Changing(nn.Module):
    """Reads as a graph that is right for its first call only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.calls = nn.Conv2d(3, 3, 1), 0

    def forward(self, images: Tensor) -> list[Tensor]:
        self.calls += 1
        return [self.conv(images) * self.calls]


@pytest.mark.parametrize("make", [lambda: network("test_vit").eval(), lambda: Changing().eval()])
def test_what_is_no_graph_or_another_stays_as_it_is(make):
    plain = make()
    assert fuse(plain, photos(1)) is plain


def test_a_loaded_backbone_is_fused_and_gives_timms_features(backbone_folder, backbone):
    plain = timm.create_model(
        "test_resnet", features_only=True, out_indices=(2, 3), pretrained=True,
        pretrained_cfg_overlay={"source": "", "file": str(backbone_folder / "model.safetensors")},
    ).eval()  # fmt: skip
    assert calls(backbone.module)[0] == 0 < calls(backbone.module)[1]
    with torch.inference_mode():
        for found, wanted in zip(backbone(photos()), plain(photos()), strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * wanted.abs().max().item())
