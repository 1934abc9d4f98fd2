"""Linear layers that oneDNN multiplies on the CPU, twice as fast as PyTorch's own way on some processors."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_built_in: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
_multiplied = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if _built_in else None
"""What torch.compile puts in place of a linear layer on the CPU (torch/_inductor/fx_passes/mkldnn_fusion.py)."""


class FastLinear(nn.Module):
    """The same layer with the same parameters; float32 on the CPU goes to oneDNN.

    PyTorch gives float32 products to MKL, which does without AVX-512 on AMD's processors and takes about twice as long
    there for a vision transformer's layers. Both add in float32, in another order.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, values: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        fits = values.device.type == "cpu" and values.dtype == self.weight.dtype == torch.float32
        if _multiplied is None or not fits or torch.is_grad_enabled():
            return F.linear(values, self.weight, self.bias)
        product: Tensor = _multiplied(values, self.weight, self.bias, "none", [], "")
        return product


def speed_up(module: nn.Module) -> None:
    """Puts a FastLinear in the place of each linear layer within `module`; a second time changes nothing."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Linear:  # what derives from it has a reason
                setattr(parent, name, FastLinear(child))
