"""Grounding DINO's deformable layers: attention as one weighted sum of rows, and the rest where memory is near."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.models.grounding_dino.modeling_grounding_dino import (
    GroundingDinoDeformableLayer,
    GroundingDinoMultiscaleDeformableAttention,
)

CELLS_AT_ONCE = {"cpu": 1024, "cuda": 2**20}
"""Of all pictures together. On the CPU what is computed of them stays near its cores; a GPU works on some 60 pictures
of 800 px at once, and numbers stay below 2**31."""
BORDER = 3
"""Zeros around a level: a cell before its first, and two after its last for the four cells of a point far outside."""


class DeformableAttention(nn.Module):
    """What GroundingDinoMultiscaleDeformableAttention does, with its weights and under its names.

    A query looks at a few points of each level (Deformable DETR, arXiv 2010.04159, equation 3), each point between
    four cells of the feature map. Theirs samples each level by `grid_sample`, stacks all samples, weights and adds
    them. Here the four cells of all points are rows of one table, and `embedding_bag` adds rows by weights: nothing of
    the samples is ever stored, and a row is contiguous. Levels have a border of zeros in the table, so that a point
    outside needs no mask. Nothing waits for the device, where theirs checks the shapes.
    """

    def __init__(self, original: GroundingDinoMultiscaleDeformableAttention) -> None:
        super().__init__()
        self.heads, self.points = original.n_heads, original.n_points
        self.sampling_offsets, self.attention_weights = original.sampling_offsets, original.attention_weights
        self.value_proj, self.output_proj = original.value_proj, original.output_proj

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None,
        encoder_hidden_states: Tensor,
        position_embeddings: Tensor,
        reference_points: Tensor,
        spatial_shapes: Tensor,
        spatial_shapes_list: Sequence[tuple[int, int]],
        **_: object,
    ) -> tuple[Tensor, None]:
        """(B, Q, D) of the queries `hidden_states` (B, Q, D), and no attention weights.

        They look at `encoder_hidden_states` (B, N, D), the cells of all levels, where bool `attention_mask` (B, N) is
        True. `spatial_shapes` (levels, 2), and the same as a list, is each level's height and width in cells,
        `reference_points` float (B, Q, levels, 2 or 4) x, y (width, height) from 0 to 1.
        """
        value = self.value_proj(encoder_hidden_states)
        if attention_mask is not None:
            value = value.masked_fill(~attention_mask.unsqueeze(-1), 0)
        table = _bordered(value, spatial_shapes_list)
        queries = hidden_states + position_embeddings
        offsets = self.sampling_offsets(queries).view(*queries.shape[:2], self.heads, -1, 2)
        logits = self.attention_weights(queries).view(*queries.shape[:2], self.heads, -1)
        chunks = zip(*map(_chunks, (offsets, logits, reference_points)), strict=True)
        seen = [self._sums(table, spatial_shapes, *chunk) for chunk in chunks]
        return self.output_proj(torch.cat(seen, dim=1)), None

    def _sums(self, table: Tensor, sizes_hw: Tensor, offsets: Tensor, logits: Tensor, places: Tensor) -> Tensor:
        """(B, Q, D): the weighted sums of the cells of `table` (B, M, D) that some of the queries look at.

        `offsets` are (B, Q, heads, S, x and y), `logits` (B, Q, heads, S); S is levels * points in all shapes here.
        """
        height, width = sizes_hw.repeat_interleave(self.points, dim=0).unbind(-1)  # (S,) each
        places = places.float().repeat_interleave(self.points, dim=2).unsqueeze(2)  # (B, Q, 1, S, 2 or 4)
        x, right = _cells(self._coordinate(offsets[..., 0], places[..., 0::2], width), width)
        y, low = _cells(self._coordinate(offsets[..., 1], places[..., 1::2], height), height)
        weights = logits.float().softmax(-1)
        across = torch.stack([1 - right, right], dim=3)
        down = torch.stack([weights - weights * low, weights * low], dim=3)
        shares = down.unsqueeze(4) * across.unsqueeze(3)  # (B, Q, heads, 2 down, 2 across, S)

        row = width + BORDER  # cells in a row of the table
        first = (y * row + x).nan_to_num_(0).to(torch.int32)  # numbers that overflowed stay in the shares
        first = first * self.heads + self._starts(table, sizes_hw)
        corners = torch.stack([torch.zeros_like(row), torch.ones_like(row), row, row + 1]) * self.heads
        cells = first.unsqueeze(3) + corners.to(torch.int32)  # (B, Q, heads, 4, S)
        return F.embedding_bag(
            cells.flatten(0, 2).flatten(1),
            table.view(-1, table.shape[-1] // self.heads),
            per_sample_weights=shares.to(table.dtype).flatten(0, 2).flatten(1),
            mode="sum",
        ).view(*offsets.shape[:2], -1)

    def _starts(self, table: Tensor, sizes_hw: Tensor) -> Tensor:
        """int32 (B, 1, heads, S): where each level begins among the parts, one a head, of the rows of `table`."""
        rows = (sizes_hw + BORDER).prod(-1)
        levels = (rows.cumsum(0) - rows).repeat_interleave(self.points)
        images = torch.arange(len(table), device=table.device).view(-1, 1, 1, 1) * table.shape[1]
        heads = torch.arange(self.heads, device=table.device).view(-1, 1)
        return ((images + levels) * self.heads + heads).to(torch.int32)

    def _coordinate(self, offsets: Tensor, places: Tensor, sides: Tensor) -> Tensor:
        """float32 (B, Q, heads, S): x or y in cells of a level, 0 in the first one's middle.

        `offsets` (B, Q, heads, S) are in cells where a place (B, Q, 1, S, 1 or 2) is a point, in parts of the box's
        side where it is a box. `sides` (S,) are the levels', in cells.
        """
        moved = offsets.float()
        if places.shape[-1] == 2:
            moved = moved * (places[..., 1] * sides * (0.5 / self.points))
        return moved + (places[..., 0] * sides - 0.5)


class DeformableLayer(nn.Module):
    """What GroundingDinoDeformableLayer does, with its weights and under its names, outside of training.

    All but the attention is of each cell alone, so that on the CPU some cells at a time go through it to the end.
    """

    def __init__(self, original: GroundingDinoDeformableLayer) -> None:
        super().__init__()
        self.self_attn = DeformableAttention(original.self_attn)
        self.self_attn_layer_norm, self.final_layer_norm = original.self_attn_layer_norm, original.final_layer_norm
        self.activation_fn = original.activation_fn
        self.fc1, self.fc2 = original.fc1, original.fc2

    def forward(self, hidden_states: Tensor, **others: Any) -> tuple[Tensor, None]:  # noqa: ANN401 - the attention's
        """(B, N, D) of the cells `hidden_states` (B, N, D), and no attention weights."""
        mixed, _ = self.self_attn(hidden_states=hidden_states, encoder_hidden_states=hidden_states, **others)
        chunks = zip(_chunks(hidden_states), _chunks(mixed), strict=True)
        return torch.cat([self._alone(*chunk) for chunk in chunks], dim=1), None

    def _alone(self, cells: Tensor, mixed: Tensor) -> Tensor:
        cells = self.self_attn_layer_norm(cells + mixed)
        changed: Tensor = self.final_layer_norm(cells + self.fc2(self.activation_fn(self.fc1(cells))))
        return changed


def _chunks(values: Tensor) -> tuple[Tensor, ...]:
    """Of (B, Q, ...) as many of Q as are worked on at a time."""
    most = CELLS_AT_ONCE["cuda" if values.is_cuda else "cpu"]
    return torch.split(values, max(1, most // len(values)), dim=1)


def _bordered(value: Tensor, sizes_hw: Sequence[tuple[int, int]]) -> Tensor:
    """(B, N, D) of all levels -> (B, M, D), each level with zeros around it."""
    levels = torch.split(value, [height * width for height, width in sizes_hw], dim=1)
    padded = [
        F.pad(level.view(len(value), *size, -1), (0, 0, 1, BORDER - 1, 1, BORDER - 1)).flatten(1, 2)
        for level, size in zip(levels, sizes_hw, strict=True)
    ]
    return torch.cat(padded, dim=1)


def _cells(coordinate: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
    """The last cell in the table that is not beyond a coordinate, and how far beyond it that is (0 to 1)."""
    coordinate = coordinate.clamp(torch.full_like(side, -1), side) + 1
    cell = coordinate.floor()
    return cell, coordinate - cell
