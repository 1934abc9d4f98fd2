"""Makes a network's convolutions do what follows them, batch norm, the sum with a shortcut and ReLU, in one pass."""

import operator
from collections import Counter

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, fx, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

_built_in: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
_convolved = getattr(torch.ops.mkldnn, "_convolution_pointwise", None) if _built_in else None
"""What torch.compile puts in place of a convolution on the CPU (torch/_inductor/fx_passes/mkldnn_fusion.py)."""
SUMS = (operator.add, operator.iadd, torch.add)
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


def fuse(network: nn.Module, images: Tensor) -> nn.Module:
    """The same network in evaluation with fewer passes over its maps; it gives the same on `images` but for rounding.

    Where its code cannot be read as a graph, or the graph gives something else, it is the network as it was.
    """
    try:
        fused = fx.GraphModule(network, _Tracer().trace(network))
        _fold_norms(fused)
        _drop_identities(fused)
        _join_activations(fused)
        fused.recompile()
        with torch.inference_mode():
            pairs = list(zip(network(images), fused(images), strict=True))
    except Exception:  # code that depends on values, hooks, or whatever else a network may do
        return network
    if not all((level - own).abs().amax() <= ROUNDING * level.abs().amax() for level, own in pairs):
        return network
    for name in ("feature_info", "output_fmt"):
        if hasattr(network, name):
            setattr(fused, name, getattr(network, name))
    return fused


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, BatchNormAct2d) or super().is_leaf_module(m, module_qualified_name)


def _fold_norms(fused: fx.GraphModule) -> None:
    """Takes each batch norm into the convolution before it; an activation that it has stays in its place."""
    for node, norm in _calls(fused):
        conv = _conv(fused, node.args[0])
        if isinstance(norm, nn.BatchNorm2d) and conv is not None:
            _replace(fused, node.args[0], fuse_conv_bn_eval(conv, norm))
            _replace(fused, node, norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity())


def _drop_identities(fused: fx.GraphModule) -> None:
    for node, module in _calls(fused):
        if isinstance(module, nn.Identity):
            node.replace_all_uses_with(node.all_input_nodes[0])
            fused.graph.erase_node(node)


def _join_activations(fused: fx.GraphModule) -> None:
    """Lets each convolution that ReLU follows, or a sum and then ReLU, do all of it."""
    for node, module in _calls(fused):
        if not isinstance(module, nn.ReLU):
            continue
        before = node.all_input_nodes[0]
        summed = before.target in SUMS and len(before.users) == 1 and len(before.all_input_nodes) == 2
        for source in reversed(before.all_input_nodes if summed else [before]):
            conv = _conv(fused, source)
            if conv is not None:
                _replace(fused, source, FusedConv(conv))
                shortcuts = [other for other in before.all_input_nodes if other is not source] if summed else []
                with fused.graph.inserting_before(node):
                    joined = fused.graph.call_module(str(source.target), (*source.args, *shortcuts))
                node.replace_all_uses_with(joined)
                for done in [node, before, source] if summed else [node, source]:
                    fused.graph.erase_node(done)
                break


def _calls(fused: fx.GraphModule) -> list[tuple[fx.Node, nn.Module]]:
    """The calls of modules that are called once, in their order."""
    calls = [node for node in fused.graph.nodes if node.op == "call_module"]
    times = Counter(node.target for node in calls)
    return [(node, fused.get_submodule(node.target)) for node in calls if times[node.target] == 1]


def _conv(fused: fx.GraphModule, node: object) -> nn.Conv2d | None:
    """The convolution, called once, whose result `node` is, where only one other node takes it."""
    if not isinstance(node, fx.Node) or len(node.users) != 1:
        return None
    module = dict(_calls(fused)).get(node)
    # What derives from it, as those with padding as TensorFlow's, does something else.
    return module if type(module) is nn.Conv2d and module.padding_mode == "zeros" else None


def _replace(fused: fx.GraphModule, node: object, module: nn.Module) -> None:
    assert isinstance(node, fx.Node)
    fused.set_submodule(str(node.target), module)
