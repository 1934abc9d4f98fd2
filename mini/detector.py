"""The bundled Grounding DINO: how it is built, what it is asked, and how its boxes become counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms, box_convert
from transformers import (
    BertConfig,
    BertTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoModel,
    ResNetConfig,
)

from mini.world import KINDS, Scene

SIZE_PX = 160
QUERIES = 40
UNKNOWN = "[UNK]"  # what any word outside of the mini world becomes; nothing in a scene is one
NMS_IOU = 0.5


def make_tokenizer() -> BertTokenizer:
    """A tokenizer of single words, with the special tokens and marks where Grounding DINO's code expects them."""
    tokens = [f"[unused{number}]" for number in range(1030)]
    tokens[0], tokens[1012], tokens[1029] = "[PAD]", ".", "?"
    tokens[100:104] = [UNKNOWN, "[CLS]", "[SEP]", "[MASK]"]
    tokens[200 : 200 + len(KINDS)] = KINDS
    return BertTokenizer(vocab={token: index for index, token in enumerate(tokens)}, model_max_length=256)


def backbone_config() -> ResNetConfig:
    """A ResNet of four basic blocks, 0.5 M parameters; strides 8, 16 and 32 come out."""
    return ResNetConfig(
        embedding_size=32,
        hidden_sizes=[32, 64, 96, 128],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )


def make_model() -> GroundingDinoForObjectDetection:
    """A small Grounding DINO with random weights, ready to learn."""
    text = BertConfig(
        vocab_size=1030,
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        intermediate_size=128,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    config = GroundingDinoConfig(
        backbone_config=backbone_config(),
        text_config=text,
        d_model=96,
        num_queries=QUERIES,
        num_feature_levels=3,
        encoder_layers=2,
        decoder_layers=2,
        encoder_n_points=2,
        encoder_attention_heads=6,
        decoder_attention_heads=6,
        encoder_ffn_dim=192,
        decoder_ffn_dim=256,
        dropout=0.0,
        fusion_droppath=0.0,
        auxiliary_loss=True,
    )
    model = GroundingDinoForObjectDetection(config)
    start(model.model)
    # Transformers freezes a ResNet inside Grounding DINO, which is meant for one that ImageNet trained.
    model.model.backbone.requires_grad_(True)
    return model


@torch.no_grad()
def start(model: GroundingDinoModel) -> None:
    """Set the weights so that words differ, and that a box is of no kind until it is learned to be of one.

    Logits are plain dot products of unscaled features, without a bias of their own. Untouched, the text features of all
    words are nearly parallel and half of all logits are above zero: the first loss is in the thousands.
    """
    nn.init.normal_(model.text_backbone.embeddings.word_embeddings.weight, std=1.0)
    direction = torch.randn(model.config.d_model).sign()
    text_norm = model.encoder.layers[-1].text_enhancer_layer.layer_norm_after
    text_norm.weight.fill_(0.15)
    text_norm.bias.copy_(0.15 * direction)
    for vision_norm in (model.enc_output_norm, model.decoder.layer_norm):
        vision_norm.bias.copy_(-0.3 * direction)  # a logit of about -4


def prompt_ids(tokenizer: BertTokenizer, prompt: Sequence[str], count: int) -> Tensor:
    """The token ids (count, tokens) of "dog. cat. tree.", the same in each row; a kind's word is one token."""
    ids = tokenizer(" ".join(f"{kind}." for kind in prompt), return_tensors="pt").input_ids
    return ids.expand(count, -1)


def word_places(prompt: Sequence[str]) -> Tensor:
    """Where each kind's word stands among the tokens: after [CLS], and with a dot after each."""
    return 1 + 2 * torch.arange(len(prompt))


def as_pixels(scenes: Sequence[Scene]) -> Tensor:
    """The pictures as float32 (batch, 3, SIZE_PX, SIZE_PX), normalised as the image processor does it."""
    images = GroundingDinoImageProcessor()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (images.image_mean, images.image_std))
    pixels = torch.from_numpy(np.stack([np.array(drawn.image) for drawn in scenes])).permute(0, 3, 1, 2)
    return (pixels.float() / 255 - mean) / std


# --- its counts


@torch.inference_mode()
def class_scores(
    model: GroundingDinoForObjectDetection, tokenizer: BertTokenizer, scenes: Sequence[Scene], prompt: Sequence[str]
) -> list[list[list[float]]]:
    """For each scene and each kind of the prompt, the scores of the boxes that would be counted, at any threshold.

    A box's score for a kind is the sigmoid of the logit of that kind's own word, and a box is of the kind that scores
    highest; of two boxes of a kind that overlap by more than NMS_IOU, the better one stays.
    """
    ids = prompt_ids(tokenizer, prompt, len(scenes))
    output = model(pixel_values=as_pixels(scenes), input_ids=ids)
    by_kind = output.logits[..., word_places(prompt)].sigmoid()
    boxes = box_convert(output.pred_boxes, "cxcywh", "xyxy")
    found = []
    for scores, kinds, places in zip(*by_kind.max(-1), boxes, strict=True):
        kept = batched_nms(places, scores, kinds, NMS_IOU)
        found.append([scores[kept][kinds[kept] == kind].tolist() for kind in range(len(prompt))])
    return found


@dataclass(frozen=True)
class Asked:
    """One kind asked of one scene: how many there are, and the scores of the boxes found."""

    truth: int
    scores: list[float]

    def count(self, threshold: float) -> int:
        return sum(score > threshold for score in self.scores)


def figures(asked: Sequence[Asked], threshold: float) -> dict[str, float]:
    """How good the counts are: shares of exact counts where the kind is present and absent, and the mean error."""
    errors = [(each.truth > 0, abs(each.count(threshold) - each.truth)) for each in asked]
    exact = {there: [error == 0 for present, error in errors if present == there] for there in (True, False)}
    return {
        "present_exact": round(float(np.mean(exact[True])), 4),
        "absent_zero": round(float(np.mean(exact[False])), 4),
        "mean_absolute_error": round(float(np.mean([error for _, error in errors])), 4),
        "present_exact_if_always_one": round(float(np.mean([each.truth == 1 for each in asked if each.truth])), 4),
    }


def best_threshold(asked: Sequence[Asked]) -> float:
    """The score threshold, of 0.05 to 0.90 in steps of 0.01, with the best mean of the two shares of exact counts."""

    def goodness(threshold: float) -> float:
        found = figures(asked, threshold)
        return found["present_exact"] + found["absent_zero"]

    return max((step / 100 for step in range(5, 91)), key=goodness)
