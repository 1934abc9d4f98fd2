"""Makes a ResNet's convolutions do what follows them, batch norm, the sum with a shortcut and ReLU, in one pass.

By its blocks, not by a graph of it: while torch.fx traces a network, those of all other threads run through its tracer.
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from timm.models import FeatureListNet
from timm.models.resnet import BasicBlock, Bottleneck
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

_built_in: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
_convolved = getattr(torch.ops.mkldnn, "_convolution_pointwise", None) if _built_in else None
"""What torch.compile puts in place of a convolution on the CPU (torch/_inductor/fx_passes/mkldnn_fusion.py)."""
ROUNDING = 1e-4  # of a map's largest value: far more than float32 rounds off in a hundred layers


class FusedConv(nn.Module):
    """A convolution with ReLU behind it; on the CPU in float32 oneDNN does both before it writes to memory."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, values: Tensor, shortcut: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W'); a shortcut of that shape is added before ReLU, and not changed."""
        conv = self.conv
        fits = values.device.type == "cpu" and values.dtype == conv.weight.dtype == torch.float32
        if _convolved is None or not fits or torch.is_grad_enabled():
            found: Tensor = conv(values)
            return F.relu(found if shortcut is None else found + shortcut)
        how = conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups
        if shortcut is None:
            found = _convolved(values, *how, "relu", [], "")
        else:
            found = _convolved.binary(values, shortcut, *how, "add", 1.0, "relu", [], "")
        return found


class FusedBlock(nn.Module):
    """A residual block of timm's (BasicBlock, Bottleneck) in evaluation, its norms taken into its convolutions."""

    def __init__(self, convs: Sequence[nn.Conv2d], blur: nn.Module, downsample: nn.Module | None) -> None:
        super().__init__()
        *inner, last = map(FusedConv, convs)
        self.inner = nn.Sequential(*inner, blur)
        self.last = last
        self.downsample = nn.Identity() if downsample is None else downsample

    def forward(self, values: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H', W')."""
        found: Tensor = self.last(self.inner(values), self.downsample(values))
        return found


def fuse(network: nn.Module, images: Tensor) -> nn.Module:
    """The same network in evaluation with fewer passes over its maps; it gives the same on `images` but for rounding.

    Blocks that are not residual ones, or have more in them, stay as they were, and so does a network that would give
    something else.
    """
    fused = deepcopy(network)
    for module in list(fused.modules()):
        if isinstance(module, (nn.Sequential, FeatureListNet)):  # they call what they hold one after the other
            for name, child in module.named_children():
                module.set_submodule(name, _fused_block(child))
            _fuse_runs(module)
    if not any(isinstance(module, FusedConv) for module in fused.modules()):
        return network
    try:
        with torch.inference_mode():
            pairs = list(zip(network(images), fused(images), strict=True))
    except RuntimeError:  # such as images that are too small for its levels: what runs it has a sentence for that
        return network
    same = all((level - own).abs().amax() <= ROUNDING * level.abs().amax() for level, own in pairs)
    return fused if same else network


def _fused_block(block: nn.Module) -> nn.Module:
    if type(block) not in (BasicBlock, Bottleneck) or block.se is not None:
        return block
    numbers = (1, 2) if isinstance(block, BasicBlock) else (1, 2, 3)
    convs = [_folded(block.get_submodule(f"conv{k}"), block.get_submodule(f"bn{k}")) for k in numbers]
    if None in convs or not all(type(block.get_submodule(f"act{k}")) is nn.ReLU for k in numbers):
        return block
    return FusedBlock([conv for conv in convs if conv], block.aa, block.downsample)


def _fuse_runs(modules: nn.Sequential | FeatureListNet) -> None:
    """Takes a norm into the convolution before it, and ReLU where that comes next."""
    children = list(modules.named_children())
    for (name, conv), (norm_name, norm), (act_name, act) in zip(
        children, children[1:], [*children[2:], ("", None)], strict=False
    ):
        folded = _folded(conv, norm)
        if folded is None:
            continue
        modules.set_submodule(norm_name, nn.Identity())
        if type(act) is nn.ReLU:
            modules.set_submodule(name, FusedConv(folded))
            modules.set_submodule(act_name, nn.Identity())
        else:
            modules.set_submodule(name, folded)


def _folded(conv: nn.Module, norm: nn.Module) -> nn.Conv2d | None:
    """The convolution with the norm behind it taken into it, where they are such a pair."""
    # What derives from a convolution, as those with padding as TensorFlow's, does something else.
    if type(conv) is nn.Conv2d and conv.padding_mode == "zeros" and type(norm) is nn.BatchNorm2d:
        return fuse_conv_bn_eval(conv, norm)
    return None
