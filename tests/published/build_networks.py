"""Small networks with random weights, made by the library's own classes from the published settings.

What decides how a network is used stays as published: pixels, patches, tokens, tying, heads' kinds. Widths and numbers
of layers shrink; where the vocabulary's size means nothing, so does it.
"""

import copy
import math
import tempfile
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import timm
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, GenerationConfig

Settings = dict[str, Any]

GAIN = 1.5
"""Of a layer on what it reads: large, so that what comes out depends on what goes in."""
CLASSES = {"siglip": "SiglipModel"}
"""The class where config.json names no architecture."""


def weights(config: Settings, words: Collection[int]) -> dict[str, Tensor]:
    """The tensors as the hub's files have them, of the stored dtype, by their published names.

    Tokens that are no `words` are scored low, so that a network says words.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _timm(config) if "architecture" in config else _transformers(config)
    _draw(network)
    if "architecture" in config:
        return {name: value.contiguous() for name, value in network.state_dict().items()}
    if "grounding-dino" in config["model_type"]:
        _temper(network)
    if network.can_generate():
        _hush(network, words)
        network.generation_config = GenerationConfig()  # as published it may hold what is refused on saving
    with tempfile.TemporaryDirectory() as folder:
        network.to(_dtype(config)).save_pretrained(folder)
        return load_file(Path(folder) / "model.safetensors")


def shrunk(config: Settings, model_type: str, size: int) -> Settings:
    """The settings of a small network; `size` is its tokenizer's."""
    return _merged(config, SHRINKERS[model_type](config, size))


def _blip(config: Settings, size: int) -> Settings:
    seen = 16 if config["vision_config"]["hidden_size"] == config["text_config"]["hidden_size"] else 24
    text, vision = _layers(16), _layers(seen)
    if "encoder_hidden_size" in config["text_config"]:
        text["encoder_hidden_size"] = seen
    return {"text_config": text, "vision_config": vision}


def _clip(config: Settings, size: int) -> Settings:
    small = {"text_config": _layers(8), "vision_config": _layers(24)}
    for side in small.values():
        side["projection_dim"] = 12
    # Where they are no null, they come before text_config and vision_config.
    dicts = {f"{name}_dict": dict(side) for name, side in small.items() if config.get(f"{name}_dict")}
    return {**small, **dicts, "projection_dim": 12}


def _siglip(config: Settings, size: int) -> Settings:
    text = _layers(16) | {"vocab_size": size}
    if "projection_size" in config["text_config"]:
        text["projection_size"] = 16
    return {"text_config": text, "vision_config": _layers(16)}


def _m2m100(config: Settings, size: int) -> Settings:
    return _translator() | {"vocab_size": size}


def _marian(config: Settings, size: int) -> Settings:
    return _translator()


def _translator() -> Settings:
    sides = {f"{side}_{name}": n for side in ("encoder", "decoder") for name, n in (("ffn_dim", 32), ("layers", 2))}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    return {**sides, **heads, "d_model": 16, "num_hidden_layers": 2}


def _grounding_dino(config: Settings, size: int) -> Settings:
    backbone: Settings = {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 4]}
    if "hidden_size" in config["backbone_config"]:
        backbone["hidden_size"] = 128
    sides = {f"{side}_{name}": n for side in ("encoder", "decoder") for name, n in (("ffn_dim", 64), ("layers", 2))}
    heads = {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    return {"backbone_config": backbone, "text_config": _layers(16), **sides, **heads, "d_model": 32}


def _qwen3_vl(config: Settings, size: int) -> Settings:
    seen = config["vision_config"]["deepstack_visual_indexes"]
    text = _layers(16) | {"num_hidden_layers": 4, "num_key_value_heads": 1}
    return {
        "text_config": text,
        "vision_config": _qwen_vision(4) | {"deepstack_visual_indexes": list(range(len(seen)))},
    }


def _qwen3_5(config: Settings, size: int) -> Settings:
    interval = config["text_config"]["full_attention_interval"]
    linear = {"linear_num_key_heads": 2, "linear_num_value_heads": 4}
    linear |= {"linear_key_head_dim": 16, "linear_value_head_dim": 16}
    text = _layers(16) | {"num_key_value_heads": 1, "num_hidden_layers": interval}
    text["layer_types"] = config["text_config"]["layer_types"][:interval]
    return {"text_config": text | linear, "vision_config": _qwen_vision(2)}


def _qwen2_5_vl(config: Settings, size: int) -> Settings:
    text = _layers(16) | {"num_attention_heads": 1, "num_key_value_heads": 1}
    sections = {"mrope_section": [2, 3, 3]}  # half of a head's width, in the published shares
    return {**text, "rope_scaling": sections, "vision_config": _qwen_vision(2) | {"fullatt_block_indexes": [1]}}


def _qwen_vision(depth: int) -> Settings:
    return {"depth": depth, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 16}


def _smolvlm(config: Settings, size: int) -> Settings:
    return {"text_config": _layers(16) | {"num_key_value_heads": 1}, "vision_config": _layers(24)}


def _timm_args(config: Settings, size: int) -> Settings:
    if "resnet" in config["architecture"]:
        return {"model_args": {"layers": [1, 1, 1, 1], "channels": [8, 16, 32, 64]}}
    return {"model_args": {"embed_dim": 48}, "num_features": 48}


SHRINKERS: dict[str, Callable[[Settings, int], Settings]] = {
    "blip": _blip, "clip": _clip, "grounding-dino": _grounding_dino, "m2m_100": _m2m100, "marian": _marian,
    "mm-grounding-dino": _grounding_dino, "qwen2_5_vl": _qwen2_5_vl, "qwen3_5": _qwen3_5, "qwen3_vl": _qwen3_vl,
    "siglip": _siglip, "siglip2": _siglip, "smolvlm": _smolvlm, "timm": _timm_args,
}  # fmt: skip
"""What changes in config.json, by model_type."""


def _layers(width: int) -> Settings:
    return {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": 2}


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> Settings:
    result = copy.deepcopy(dict(old))
    for key, value in new.items():
        nested = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if nested else value
    return result


def _timm(config: Settings) -> nn.Module:
    network: nn.Module = timm.create_model(
        config["architecture"], num_classes=config["num_classes"], **config["model_args"]
    )
    return network


def _transformers(config: Settings) -> Any:
    kind = config.get("architectures", [CLASSES.get(config["model_type"])])[0]
    return getattr(transformers, kind)(CONFIG_MAPPING[config["model_type"]].from_dict(copy.deepcopy(config)))


def _draw(network: nn.Module) -> None:
    """Each parameter from its own name: the same numbers whatever a library's version makes in between."""
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("gamma"):  # DINOv2's layers count for little at first
                value.fill_(0.3)
            elif value.ndim > 1:
                spread = GAIN / math.sqrt(value[0].numel())
                value.normal_(0, spread, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))


def _temper(network: Any) -> None:
    """Makes a detector's scores as those of a trained one: most of them low, some above every usual threshold."""
    text = network.model.encoder.layers[-1].text_enhancer_layer.layer_norm_after
    with torch.no_grad():
        if network.config.model_type == "mm-grounding-dino":
            text.weight.mul_(2.0)
            for name, value in network.named_parameters():
                if value.ndim == 0 and "class_embed" in name:
                    value.fill_(-2.5)
        else:  # has no bias of its own: what all texts and all boxes have in common counts against them
            text.weight.mul_(0.6)
            text.bias.fill_(-0.3)
            network.model.decoder.layer_norm.bias.fill_(0.3)


def _hush(network: Any, words: Collection[int]) -> None:
    """Keeps from being said what is no word, and from being repeated what was just said where words are tied."""
    head = network.get_output_embeddings() or network.text_decoder.get_output_embeddings()
    silent = torch.ones(len(head.weight), dtype=torch.bool)
    silent[list(words)] = False
    with torch.no_grad():
        if network.config.model_type == "m2m_100":  # a common part of the words, which the last norm's bias asks for
            head.weight[~silent] += 0.5
            network.model.decoder.layer_norm.bias += 0.5
        elif hasattr(network, "final_logits_bias"):
            network.final_logits_bias[:, silent] = -20
        elif head.bias is not None:
            head.bias[silent] = -20
        else:
            head.weight *= 0.25  # of little account beside the layers
            head.weight[silent] *= 0.01


def _dtype(config: Settings) -> torch.dtype:
    text = config.get("text_config", {})
    named = config.get("torch_dtype") or config.get("dtype") or text.get("dtype") or "float32"
    dtype: torch.dtype = getattr(torch, named)
    return dtype
