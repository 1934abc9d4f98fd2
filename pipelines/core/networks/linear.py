"""Linear layers that oneDNN multiplies on the CPU, twice as fast as PyTorch's own way on some processors."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_built_in: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
_multiplied = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if _built_in else None
"""What torch.compile puts in place of a linear layer on the CPU (torch/_inductor/fx_passes/mkldnn_fusion.py)."""


def linear(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(..., K) times (M, K) -> (..., M), plus a bias (M); without gradients, float32 on the CPU goes to oneDNN.

    PyTorch gives float32 products to MKL, which does without AVX-512 on AMD's processors and takes about twice as long
    there. Both add in float32, in another order. Sizes M and K that oneDNN meets first cost it milliseconds, the more
    so where M is no multiple of 16.
    """
    fits = values.device.type == "cpu" and values.dtype == weight.dtype == torch.float32
    if _multiplied is None or not fits or not weight.is_contiguous() or torch.is_grad_enabled():
        return F.linear(values, weight, bias)
    product: Tensor = _multiplied(values, weight, bias, "none", [], "")
    return product


class FastLinear(nn.Module):
    """The same layer with the same parameters, multiplied as `linear` does."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, values: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return linear(values, self.weight, self.bias)


def speed_up(module: nn.Module) -> None:
    """Puts a FastLinear in the place of each linear layer within `module`; a second time changes nothing."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Linear:  # what derives from it has a reason
                setattr(parent, name, FastLinear(child))
