"""Grounding DINO's plain attention, by torch's own kernels."""

from torch import Tensor, nn
from transformers.models.grounding_dino.modeling_grounding_dino import GroundingDinoMultiheadAttention

from pipelines.core.networks.attention import attend, in_heads


class Attention(nn.Module):
    """What GroundingDinoMultiheadAttention does, with its weights and under its names; no matrix of scores is kept."""

    def __init__(self, original: GroundingDinoMultiheadAttention) -> None:
        super().__init__()
        self.heads = original.num_attention_heads
        self.query, self.key, self.value = original.query, original.key, original.value
        self.out_proj = original.out_proj

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, attention_mask: Tensor | None = None, **_: object
    ) -> tuple[Tensor, None]:
        """(B, Q, D) of `queries` (B, Q, D) to `keys` and `values` (B, K, D), and no attention weights.

        `attention_mask` float (B, heads, Q, K) is added to the scores.
        """
        query, key, value = (
            in_heads(layer(given), self.heads)
            for layer, given in ((self.query, queries), (self.key, keys), (self.value, values))
        )
        mixed = attend(query, key, value, attention_mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), None
