"""Scaled dot-product attention (Vaswani et al. 2017, arXiv 1706.03762) by what computes it fastest where it runs."""

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(query: Tensor, key: Tensor, value: Tensor, unseen: Tensor | None = None, causal: bool = False) -> Tensor:
    """From queries (B, heads, W, D) to keys and values (B, heads, N, D): (B, heads, W, D).

    `unseen`, of a shape that fits (B, heads, W, N), is added to the products: 0, or -inf where nothing is to be seen.
    `causal`: the first of as many words sees itself alone, each next one more. On the CPU in bfloat16 the products
    one after the other take less time than PyTorch's fused kernel, and round as transformers' own do.
    """
    if query.device.type != "cpu" or query.dtype != torch.bfloat16 or causal:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=unseen, is_causal=causal)
    weights = torch.matmul(query, key.transpose(-1, -2)).mul_(query.shape[-1] ** -0.5)
    if unseen is not None:
        weights += unseen
    return torch.matmul(weights.softmax(-1), value)


def in_heads(values: Tensor, heads: int) -> Tensor:
    """(B, N, heads * D) -> (B, heads, N, D)."""
    return values.view(*values.shape[:2], heads, -1).transpose(1, 2)
