"""Grounding DINO's forward pass in three parts, so that a picture is looked at, and words are read, once.

GroundingDinoForObjectDetection, and MMGroundingDinoForObjectDetection with class heads of its own, do it all in each
call. Their own modules are called here, in the order of their `forward`; what of them is slow is replaced in the loaded
network by modules that do the same. Dropped is what only training needs: the heads of the layers but the last, and
boxes of cells that are no candidates.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import GroundingDinoForObjectDetection, MMGroundingDinoForObjectDetection
from transformers.models.grounding_dino.modeling_grounding_dino import (
    GroundingDinoBiMultiHeadAttention,
    GroundingDinoDeformableLayer,
    GroundingDinoMultiheadAttention,
    GroundingDinoMultiscaleDeformableAttention,
    generate_masks_with_special_tokens_and_transfer_map,
)
from transformers.models.mm_grounding_dino.modeling_mm_grounding_dino import (
    MMGroundingDinoBiMultiHeadAttention,
    MMGroundingDinoDeformableLayer,
    MMGroundingDinoMultiheadAttention,
    MMGroundingDinoMultiscaleDeformableAttention,
)

from pipelines.detect.models.grounding_dino.attention import Attention
from pipelines.detect.models.grounding_dino.deformable import DeformableAttention, DeformableLayer
from pipelines.detect.models.grounding_dino.fusion import Fusion

Dino = GroundingDinoForObjectDetection | MMGroundingDinoForObjectDetection

FASTER: dict[type[nn.Module], Any] = {
    GroundingDinoDeformableLayer: DeformableLayer,
    GroundingDinoMultiscaleDeformableAttention: DeformableAttention,
    GroundingDinoBiMultiHeadAttention: Fusion,
    GroundingDinoMultiheadAttention: Attention,
    # Copies of the ones above under other names: their source is made from Grounding DINO's.
    MMGroundingDinoDeformableLayer: DeformableLayer,
    MMGroundingDinoMultiscaleDeformableAttention: DeformableAttention,
    MMGroundingDinoBiMultiHeadAttention: Fusion,
    MMGroundingDinoMultiheadAttention: Attention,
}
"""What is replaced, and by what: each takes the module whose place it takes, and has its weights."""


@dataclass(frozen=True)
class Seen:
    """What the network makes of B pictures before it has read any words: N cells, those of all levels."""

    features: Tensor
    """float (B, N, D)"""
    positions: Tensor
    """float (B, N, D)"""
    mask: Tensor
    """bool (B, N): True where there is picture."""
    sizes_hw: list[tuple[int, int]]
    """Of each level, in cells."""
    shares: Tensor
    """float (B, levels, 2): how much of the padded width and height is picture."""


@dataclass(frozen=True)
class Words:
    """What the network makes of L tokens before it has seen any picture."""

    features: Tensor
    """float (1, L, D)"""
    together: Tensor
    """bool (1, L, L): True between tokens of one class."""
    places: Tensor
    """int64 (1, L): each token's place in its class."""


@dataclass(frozen=True)
class Found:
    """What the network found in B pictures."""

    logits: Tensor
    """float (B, queries, L): how well each token fits."""
    cxcywh: Tensor
    """float (B, queries, 4): centre x, centre y, width, height from 0 to 1 of the unpadded picture."""


def make_faster(module: nn.Module) -> None:
    """Replaces the submodules that FASTER names; weights, their names and results stay."""
    for name, child in module.named_children():
        if type(child) in FASTER:
            setattr(module, name, FASTER[type(child)](child))
        else:
            make_faster(child)


def see(module: Dino, values: Tensor, mask: Tensor) -> Seen:
    """The backbone's levels of pixels (B, 3, H, W), of which bool `mask` (B, H, W) is True where there is picture."""
    network = module.model
    levels, positions = network.backbone(values, mask)
    sources = [project(source) for project, (source, _) in zip(network.input_proj_vision, levels, strict=False)]
    masks = [level_mask for _, level_mask in levels]
    coarse = levels[-1][0]
    for project in network.input_proj_vision[len(levels) :]:  # each of the further levels of the one before it
        coarse = project(coarse)
        masks.append(F.interpolate(mask[None].float(), size=coarse.shape[-2:]).to(torch.bool)[0])
        sources.append(coarse)
        positions.append(network.backbone.position_embedding(coarse, masks[-1]).to(coarse.dtype))
    return Seen(
        torch.cat([source.flatten(2).transpose(1, 2) for source in sources], dim=1),
        torch.cat(
            [
                position.flatten(2).transpose(1, 2) + level
                for position, level in zip(positions, network.level_embed, strict=True)
            ],
            dim=1,
        ),
        torch.cat([level_mask.flatten(1) for level_mask in masks], dim=1),
        [(source.shape[-2], source.shape[-1]) for source in sources],
        torch.stack([network.get_valid_ratio(level_mask, dtype=values.dtype) for level_mask in masks], dim=1),
    )


def read(module: Dino, input_ids: Tensor) -> Words:
    """BERT's features of tokens int64 (1, L), none of which is padding; a class sees its own tokens only."""
    network = module.model
    together, places = generate_masks_with_special_tokens_and_transfer_map(
        input_ids,  # type: ignore[arg-type]  # they say LongTensor, which no function returns
        network.special_tokens,
    )
    read = network.text_backbone(input_ids, together[:, None], torch.zeros_like(input_ids), places)
    return Words(network.text_projection(read.last_hidden_state), together, places)


def find(module: Dino, seen: Seen, words: Words) -> Found:
    """Encoder, choice of candidates and decoder: what the words name, in each picture."""
    network, batch = module.model, len(seen.features)
    sizes_hw = torch.tensor(seen.sizes_hw, device=seen.features.device)
    levels = {
        "spatial_shapes": sizes_hw,
        "spatial_shapes_list": seen.sizes_hw,
        "level_start_index": None,
        "valid_ratios": seen.shares,
    }
    encoded = network.encoder(
        vision_features=seen.features,
        vision_attention_mask=~seen.mask,
        vision_position_embedding=seen.positions,
        text_features=words.features.expand(batch, -1, -1),
        text_self_attention_masks=~words.together.expand(batch, -1, -1),  # which it turns round again
        text_position_ids=words.places.expand(batch, -1),
        **levels,
    )
    vision, text = encoded.last_hidden_state_vision, encoded.last_hidden_state_text
    candidates = _candidates(network, vision, text, seen)
    decoded = network.decoder(
        inputs_embeds=network.query_position_embeddings.weight.expand(batch, -1, -1),
        vision_encoder_hidden_states=vision,
        vision_encoder_attention_mask=seen.mask,
        text_encoder_hidden_states=text,
        reference_points=candidates,
        **levels,
    )
    last = decoded.last_hidden_state
    before = [candidates, *decoded.intermediate_reference_points.unbind(1)][-2]  # what the last layer started from
    boxes = module.bbox_embed[-1](last) + torch.special.logit(before, eps=1e-5)
    every = torch.ones(text.shape[:2], dtype=torch.bool, device=text.device)  # none of the tokens is padding
    logits = module.class_embed[-1](last, text, every)  # padded to the text limit
    return Found(logits[..., : text.shape[1]], boxes.sigmoid())


def _candidates(network: Any, vision: Tensor, text: Tensor, seen: Seen) -> Tensor:  # noqa: ANN401 - their model
    """(B, queries, 4) cx, cy, w, h: first boxes from the cells that fit some token best."""
    queries, proposals = network.generate_encoder_output_proposals(vision, ~seen.mask, seen.sizes_hw)
    # MM-Grounding-DINO's class head scales and shifts all of these alike, which changes no order.
    fits = (queries @ text.transpose(1, 2)).amax(-1).float()
    best = fits.topk(network.config.num_queries, dim=1).indices.unsqueeze(-1)
    moved = network.encoder_output_bbox_embed(queries.gather(1, best.expand(-1, -1, queries.shape[-1])))
    boxes: Tensor = (moved + proposals.gather(1, best.expand(-1, -1, 4))).sigmoid()
    return boxes
