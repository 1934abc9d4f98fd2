"""Grounding DINO and its relatives, MM-Grounding-DINO and LLMDet: how they are loaded, and which pass runs them."""

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import GroundingDinoForObjectDetection, MMGroundingDinoForObjectDetection

from pipelines.core.errors import CheckpointError
from pipelines.core.networks.pretrained import load_network, weight_names
from pipelines.detect.models.grounding_dino.forward import Dino, Found

KINDS: dict[str, Any] = {
    "grounding-dino": GroundingDinoForObjectDetection,
    "mm-grounding-dino": MMGroundingDinoForObjectDetection,
}
"""The transformers class by a config.json's model_type; LLMDet's is the second."""
PROVEN = {"backbone": "swin", "text encoder": "bert", "position embedding": "sine"}
"""What the fast pass is held against transformers' with, and what all published networks have."""


def load_relative(folder: Path) -> Dino:
    """The network of a checkpoint folder. Raises CheckpointError where transformers cannot run it, or it is another."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    lacking = [name for name in ("two_stage", "embedding_init_target") if not config.get(name, True)]
    if lacking and config.get("model_type") in KINDS:
        raise CheckpointError(
            f"expected a network of two stages with learned queries, as all published ones are, found "
            f"{' and '.join(lacking)} false in {folder / 'config.json'}, which transformers itself cannot run; "
            "name another checkpoint"
        )
    names = weight_names(folder)
    # Only MM-Grounding-DINO's class heads have weights. LLMDet's first repositories named it Grounding DINO, which
    # leaves the weights out without an error, and scores without sense.
    if config.get("model_type") == "mm-grounding-dino" or _layers(names, "class_embed"):
        return load_network(KINDS["mm-grounding-dino"], folder, KINDS, heads_shared(names) if names else {})  # type: ignore[no-any-return]
    return load_network(KINDS["grounding-dino"], folder, KINDS)  # type: ignore[no-any-return]


def heads_shared(names: Collection[str]) -> dict[str, object]:
    """MM-Grounding-DINO's settings of whether the decoder's layers share their heads, from the weights' names.

    A config.json of transformers 5.0 does not tell, and without a word transformers 5.23 then puts the first layer's
    head in place of the others, which places all boxes wrong.
    """
    shared = {"decoder_bbox_embed_share": "bbox_embed", "decoder_cls_embed_share": "class_embed"}
    return {setting: not _layers(names, head) - {"0"} for setting, head in shared.items()}


def why_slow(config: Any) -> str:  # noqa: ANN401 - of either class
    """Why a network needs transformers' own pass, as "its backbone is resnet"; empty where the fast pass runs it."""
    found = {
        "backbone": config.backbone_config.model_type,
        "text encoder": config.text_config.model_type,
        "position embedding": config.position_embedding_type,
    }
    return " and ".join(f"its {part} is {found[part]}" for part in PROVEN if found[part] != PROVEN[part])


def find_by_library(module: Dino, values: Tensor, mask: Tensor, input_ids: Tensor) -> Found:
    """What `see`, `read` and `find` give, by transformers' own pass, which does all of it for each text.

    Pixels (B, 3, H, W), of which bool `mask` (B, H, W) is True where there is picture; tokens int64 (1, L).
    """
    tokens = input_ids.expand(len(values), -1)
    found = module(
        pixel_values=values,
        pixel_mask=mask,
        input_ids=tokens,
        attention_mask=torch.ones_like(tokens),
        token_type_ids=torch.zeros_like(tokens),
    )
    return Found(found.logits[..., : tokens.shape[1]], found.pred_boxes)


def _layers(names: Collection[str], head: str) -> set[str]:
    """The decoder layers ("0", "1" ...) of which a head's weights are there, under either of its two names."""
    pattern = re.compile(rf"(?:^|\.){head}\.(\d+)\.")
    return {match[1] for match in map(pattern.search, names) if match}
