"""Makes small checkpoint folders of the detectors' architectures with random weights, in a second each."""

import json
import zlib
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_model
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    ResNetConfig,
    SwinConfig,
)

from pipelines.detect.models.yolo import architecture_of, ultralytics_module

WORDS = ["dog", "cat", "bird", "car", "bi", "##cycle", "traffic", "light", "red", "##s"]
YOLO_NAMES = ["Dog", "cat", "traffic light"]


def grounding_dino(folder: Path) -> Path:
    """A Grounding DINO of a Swin and a BERT of a few layers, and a text limit of 16 tokens."""
    return save_dino(folder)


def mm_grounding_dino(folder: Path) -> Path:
    """The same of MM-Grounding-DINO, as LLMDet-large has it: five levels, and heads of its own for each layer."""
    stages = ["stage1", "stage2", "stage3", "stage4"]
    return save_dino(
        folder,
        MMGroundingDinoForObjectDetection,
        MMGroundingDinoConfig,
        backbone_config=swin(window_size=12, image_size=384, out_features=stages),
        num_feature_levels=5,
        decoder_layers=3,
        decoder_bbox_embed_share=False,
        decoder_cls_embed_share=False,
    )


def resnet_dino(folder: Path) -> Path:
    """A Grounding DINO whose backbone is a ResNet: the fast pass is proven on Swins."""
    backbone = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], layer_type="basic", out_indices=[2, 3, 4]
    )  # fmt: skip
    return save_dino(folder, backbone_config=backbone)


def yolo(folder: Path) -> Path:
    """A YOLO11n of three classes and 64 px."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"model_type": "ultralytics", "architecture": "yolo11n", "image_size": 64, "names": YOLO_NAMES}
    (folder / "config.json").write_text(json.dumps(settings))
    save_model(random_yolo("yolo11n", len(YOLO_NAMES)), folder / "model.safetensors")
    return folder


def swin(**settings: Any) -> SwinConfig:
    """A Swin of four layers, of levels at 8, 16 and 32 px where nothing else is said."""
    small = {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 2, 2, 4], "window_size": 7}
    return SwinConfig(**(small | (settings or {"out_indices": [2, 3, 4]})))


def save_dino(
    folder: Path, kind: Any = GroundingDinoForObjectDetection, config: Any = GroundingDinoConfig, **settings: Any
) -> Path:
    """Saves a small network of `kind`, with other `settings` than those below, and its processor, in `folder`."""
    tokens = [f"[unused{number}]" for number in range(1030)]
    tokens[0], tokens[1012], tokens[1029] = "[PAD]", ".", "?"
    tokens[100:104] = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens[200 : 200 + len(WORDS)] = WORDS
    BertTokenizer(vocab={token: number for number, token in enumerate(tokens)}).save_pretrained(folder)
    text = BertConfig(vocab_size=1030, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48)
    small = {
        "backbone_config": swin(), "text_config": text, "d_model": 32, "num_queries": 20, "encoder_layers": 2,
        "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48, "max_text_len": 16,
    }  # fmt: skip
    network = kind(config(**(small | settings)))
    with torch.no_grad():  # drawn wide, so that boxes and scores vary with the picture and the words
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:  # each from its own name: the same numbers in every version of transformers
                parameter.normal_(0, 0.2, generator=torch.Generator().manual_seed(zlib.crc32(name.encode())))
        widen_scores(network)
    network.save_pretrained(folder)
    GroundingDinoImageProcessor(size={"shortest_edge": 96, "longest_edge": 192}).save_pretrained(folder)
    return folder


def widen_scores(network: Any) -> None:
    """Brings the scores into 0 to 1: MM-Grounding-DINO's class heads, a bias each, divide by the root of the width."""
    if isinstance(network, MMGroundingDinoForObjectDetection):
        for number, head in enumerate([*network.class_embed, network.model.encoder_output_class_embed]):
            head.bias.fill_(0.25 * number - 1)
    else:
        network.model.encoder.layers[-1].text_enhancer_layer.layer_norm_after.weight.mul_(0.1)


def random_yolo(architecture: str, classes: int) -> torch.nn.Module:
    tasks = ultralytics_module("ultralytics.nn.tasks")
    torch.manual_seed(0)
    network = tasks.DetectionModel(architecture_of(architecture), nc=classes, verbose=False)
    for head in network.model[-1].cv3:  # without this no random network is ever sure enough of a class
        torch.nn.init.normal_(head[-1].weight, std=2.0)
        torch.nn.init.zeros_(head[-1].bias)
    return network
