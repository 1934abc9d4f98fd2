"""Grounding DINO's attention between picture and words, with the wide projections taken over to the few words."""

from torch import Tensor, nn
from transformers.models.grounding_dino.modeling_grounding_dino import GroundingDinoBiMultiHeadAttention


class Fusion(nn.Module):
    """What GroundingDinoBiMultiHeadAttention does, with its weights and under its names.

    Theirs projects each of some 18,000 cells of the picture to four times its width, three times, to compare and mix
    it with a dozen tokens. Matrix products may be done in any order: (V Wq) K^T = V (Wq K^T), A (T Wo) = (A T) Wo.
    Here the weights meet the words first, and the cells are multiplied with as many columns as there are tokens (times
    heads). Without their clamp at 50,000 below the highest logit of the batch: such a share is 0 anyway.
    """

    def __init__(self, original: GroundingDinoBiMultiHeadAttention) -> None:
        super().__init__()
        self.heads, self.scale = original.num_heads, original.scale
        self.vision_proj, self.text_proj = original.vision_proj, original.text_proj
        self.values_vision_proj, self.values_text_proj = original.values_vision_proj, original.values_text_proj
        self.out_vision_proj, self.out_text_proj = original.out_vision_proj, original.out_text_proj

    def forward(
        self,
        vision_features: Tensor,
        text_features: Tensor,
        vision_attention_mask: Tensor | None = None,
        text_attention_mask: Tensor | None = None,
    ) -> tuple[tuple[Tensor, None], tuple[Tensor, None]]:
        """What (B, N, D) cells take of (B, L, D) tokens, and the other way round; no attention weights.

        The bool masks (B, N) and (B, L) are True where there is padding.
        """
        logits = self._logits(vision_features, text_features)  # (B, N, heads, L)
        of_cells = logits
        if vision_attention_mask is not None:
            of_cells = logits.masked_fill(vision_attention_mask[:, :, None, None], float("-inf"))
        if text_attention_mask is not None:
            logits = logits.masked_fill(text_attention_mask[:, None, None], float("-inf"))
        vision = self._vision(logits.softmax(-1), text_features)
        return (vision, None), (self._text(of_cells.softmax(1), vision_features), None)

    def _logits(self, vision: Tensor, text: Tensor) -> Tensor:
        """(B, N, heads, L): how near each cell is to each token."""
        keys = self._of_heads(self.text_proj(text)) * self.scale
        columns = keys @ self.vision_proj.weight.view(self.heads, -1, vision.shape[2])  # (B, heads, L, D)
        bias = keys @ self.vision_proj.bias.view(self.heads, -1, 1)
        logits: Tensor = bias.view(len(text), 1, -1).baddbmm(vision, columns.flatten(1, 2).transpose(1, 2))
        return logits.view(*vision.shape[:2], self.heads, -1)

    def _vision(self, shares: Tensor, text: Tensor) -> Tensor:
        """(B, N, D): the tokens' values by each cell's shares (B, N, heads, L)."""
        values = self._of_heads(self.values_text_proj(text))
        values = values @ self._of_heads(self.out_vision_proj.weight).transpose(1, 2)  # (B, heads, L, D)
        mixed: Tensor = self.out_vision_proj.bias.baddbmm(shares.flatten(2), values.flatten(1, 2))
        return mixed

    def _text(self, shares: Tensor, vision: Tensor) -> Tensor:
        """(B, L, D): the cells' values by each token's shares (B, N, heads, L), which add up to 1 over the cells."""
        mixed = (shares.flatten(2).transpose(1, 2) @ vision).view(len(vision), self.heads, -1, vision.shape[2])
        values = mixed @ self.values_vision_proj.weight.view(self.heads, -1, vision.shape[2]).transpose(1, 2)
        text: Tensor = self.out_text_proj(values.transpose(1, 2).flatten(2) + self.values_vision_proj.bias)
        return text

    def _of_heads(self, values: Tensor) -> Tensor:
        """(..., rows, width) -> (..., heads, rows, width of a head)."""
        return values.view(*values.shape[:-1], self.heads, -1).transpose(-2, -3)
