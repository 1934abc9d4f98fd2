"""Trains the bundled Grounding DINO from nothing on scenes of the mini world.

What makes it learn in half an hour on one core:
1. A loss for the encoder's proposals (`detection_loss`): transformers' own gives their heads no gradient at all.
2. The backbone first, on a target for each cell: after 800 steps it names the kind in nearly all covered cells.
3. A start at which nothing is found and all words differ (`mini.detector.start`), so that the first loss is small.
4. One prompt for all the scenes of a batch (`draw_batch`).
With all four, a trial counted as well after a fifth of the steps that one without the first needed, though the latter
also had fewer queries and a milder start; what each is worth alone was not measured.

Scores come out low, so the threshold is to be taken from training.json.
"""

import argparse
import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import box_convert
from transformers import (
    BertTokenizer,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
    ResNetBackbone,
)
from transformers.loss.loss_grounding_dino import GroundingDinoHungarianMatcher, GroundingDinoImageLoss
from transformers.models.grounding_dino.modeling_grounding_dino import GroundingDinoObjectDetectionOutput

from mini.detector import (
    SIZE_PX,
    UNKNOWN,
    Asked,
    as_pixels,
    backbone_config,
    best_threshold,
    class_scores,
    make_model,
    make_tokenizer,
    prompt_ids,
    word_places,
)
from mini.training import Training, write_record
from mini.world import KINDS, TRAINING_SEEDS, VALIDATION_SEEDS, Scene, scene
from pipelines.core.terminal import settle

WEIGHTS = Path("mini/weights/grounding-dino")
RUNS = Path("mini/runs")
BACKBONE_STEPS, BACKBONE_BATCH, BACKBONE_RATE = 800, 24, 2e-3
STEPS, BATCH, RATE = 1500, 16, 5e-4
STRIDE_PX = 8  # of the finest feature level
PROMPT_KINDS = (3, 10)


# --- what it is shown


@dataclass(frozen=True)
class Batch:
    """Scenes that one prompt is asked about: the prompt's kinds (UNKNOWN may be among them) and the scenes."""

    prompt: list[str]
    scenes: list[Scene]

    def pixels(self) -> Tensor:
        """The pictures as the processor gives them to the model: float32, (batch, 3, SIZE_PX, SIZE_PX)."""
        return as_pixels(self.scenes)

    def labels(self) -> list[dict[str, Tensor]]:
        """For each scene the asked objects' places in the prompt and boxes (cxcywh, shares of the picture)."""
        labels = []
        for drawn in self.scenes:
            asked = [index for index, kind in enumerate(drawn.kinds) if kind in self.prompt]
            boxes = torch.tensor([drawn.boxes[index] for index in asked], dtype=torch.float32).view(-1, 4) / SIZE_PX
            classes = torch.tensor([self.prompt.index(drawn.kinds[index]) for index in asked], dtype=torch.int64)
            labels.append({"class_labels": classes, "boxes": box_convert(boxes, "xyxy", "cxcywh")})
        return labels


def draw_batch(rng: random.Random, size: int = BATCH) -> Batch:
    """A prompt of 3 to 10 kinds and scenes of one to three of them; half of the scenes hold a kind that is not asked.

    All scenes share the prompt. With a prompt a scene, transformers' loss takes the wrong words for the boxes' classes.
    """
    asked = rng.sample(list(KINDS), rng.randint(*PROMPT_KINDS))
    others = [kind for kind in KINDS if kind not in asked]
    scenes = []
    for _ in range(size):
        kinds = rng.sample(asked, rng.randint(1, 3)) + rng.sample(others, rng.randint(0, 1))
        scenes.append(scene(rng, SIZE_PX, kinds=kinds))
    prompt = asked + [UNKNOWN] * rng.randint(0, 1)
    rng.shuffle(prompt)
    return Batch(prompt, scenes)


# --- the backbone, first


def kind_map(scenes: Sequence[Scene]) -> Tensor:
    """Which kinds' middle halves cover the centre of each cell of STRIDE_PX: (batch, kinds, h, w), 0 or 1."""
    centres = (torch.arange(SIZE_PX // STRIDE_PX) + 0.5) * STRIDE_PX
    target = torch.zeros(len(scenes), len(KINDS), len(centres), len(centres))
    places = {kind: index for index, kind in enumerate(KINDS)}
    for drawn, cells in zip(scenes, target, strict=True):
        for (left, top, right, bottom), kind in zip(drawn.boxes, drawn.kinds, strict=True):
            near_x = (centres - (left + right) / 2).abs() <= max((right - left) / 4, STRIDE_PX / 2)
            near_y = (centres - (top + bottom) / 2).abs() <= max((bottom - top) / 4, STRIDE_PX / 2)
            cells[places[kind]][near_y[:, None] & near_x] = 1
    return target


class KindHead(nn.Module):
    """Says for each cell of the finest of the backbone's levels (B, C, h, w) which kind is there, from all levels."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.projections = nn.ModuleList(nn.Conv2d(width, 96, 1) for width in channels)
        self.kinds = nn.Conv2d(96, len(KINDS), 1)
        nn.init.constant_(self.kinds.bias, -4.0)  # few cells hold a kind

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        projected = [project(level) for project, level in zip(self.projections, levels, strict=True)]
        finest_hw = projected[0].shape[-2:]
        return self.kinds(F.relu(sum(F.interpolate(each, finest_hw) for each in projected)))


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary focal loss (gamma 2, alpha 0.25), summed, for each positive."""
    probability = logits.sigmoid()
    wrong = torch.where(target > 0, 1 - probability, probability)
    weight = torch.where(target > 0, 0.25, 0.75) * wrong**2
    return (weight * F.binary_cross_entropy_with_logits(logits, target, reduction="none")).sum() / target.sum()


def train_backbone(steps: int, run: Path) -> tuple[ResNetBackbone, float]:
    """Train the ResNet to say which kind is where, up to `steps`; the network and the seconds that all steps took."""
    backbone = ResNetBackbone(backbone_config())
    trained = nn.ModuleDict({"backbone": backbone, "head": KindHead(backbone.channels)})
    training = Training(trained, [torch.optim.AdamW(trained.parameters(), lr=BACKBONE_RATE)], steps, run)
    for step in training.steps_left():
        rng = random.Random(TRAINING_SEEDS[-1 - step])
        scenes = [scene(rng, SIZE_PX) for _ in range(BACKBONE_BATCH)]
        logits = trained["head"](backbone(as_pixels(scenes)).feature_maps)
        target = kind_map(scenes)
        right = (logits.argmax(1) == target.argmax(1))[target.amax(1) > 0].float().mean()
        training.learn({"focal": focal_loss(logits, target)}, clip=1.0, figures={"right cells": right.item()})
    return backbone, training.seconds


# --- the detector


def detection_loss(model: GroundingDinoForObjectDetection, ids: Tensor, batch: Batch) -> Tensor:
    """The loss of each decoder layer's boxes and of the encoder's proposals.

    Transformers' own loss leaves the proposals out: it takes their boxes detached and their classes from the queries'
    embeddings, so that nothing ever teaches the encoder which places to hand to the decoder. Here they are learned.
    """
    output = model(pixel_values=batch.pixels(), input_ids=ids)
    words = F.one_hot(word_places(batch.prompt), ids.shape[1])
    matcher = GroundingDinoHungarianMatcher(class_cost=2.0, bbox_cost=5.0, giou_cost=2.0)
    criterion = GroundingDinoImageLoss(matcher, focal_alpha=0.25, losses=["labels", "boxes"])
    loss = torch.zeros(())
    for logits, boxes in predictions(model, ids, output):
        said = {"logits": logits, "pred_boxes": boxes, "text_mask": torch.ones_like(logits, dtype=torch.bool)}
        parts = criterion(said | {"label_maps": (words,) * len(ids)}, batch.labels())
        loss = loss + 2 * parts["loss_ce"] + 5 * parts["loss_bbox"] + 2 * parts["loss_giou"]
    return loss


def predictions(
    model: GroundingDinoForObjectDetection, ids: Tensor, output: GroundingDinoObjectDetectionOutput
) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits (batch, boxes, tokens) and boxes (batch, boxes, 4: cxcywh) of the proposals and each decoder layer."""
    tokens = ids.shape[1]  # the logits come padded to the longest text there may be
    yield output.enc_outputs_class[..., :tokens], output.enc_outputs_coord_logits.sigmoid()
    references = [output.init_reference_points, *output.intermediate_reference_points.unbind(1)]
    for layer, hidden in enumerate(output.intermediate_hidden_states.unbind(1)):
        text = output.encoder_last_hidden_state_text
        logits = model.class_embed[layer](hidden, text, torch.ones_like(ids, dtype=torch.bool))
        shift = model.bbox_embed[layer](hidden)
        yield logits[..., :tokens], (shift + torch.special.logit(references[layer], eps=1e-5)).sigmoid()


def train_detector(
    steps: int, backbone: ResNetBackbone, tokenizer: BertTokenizer, run: Path
) -> tuple[GroundingDinoForObjectDetection, Training]:
    """Train the detector from that backbone, up to `steps`."""
    model = make_model()
    inner = model.model.backbone.conv_encoder.model
    inner.load_state_dict({name: value for name, value in backbone.state_dict().items() if "num_batches" not in name})
    others = [parameter for name, parameter in model.named_parameters() if ".conv_encoder." not in name]
    groups = [{"params": inner.parameters(), "lr": 0.1 * RATE}, {"params": others, "lr": RATE}]
    training = Training(model, [torch.optim.AdamW(groups)], steps, run)
    for step in training.steps_left():
        batch = draw_batch(random.Random(TRAINING_SEEDS[step]))
        loss = detection_loss(model, prompt_ids(tokenizer, batch.prompt, len(batch.scenes)), batch)
        training.learn({"detection": loss}, clip=0.1)
    return model, training


# --- the result


def ask(model: GroundingDinoForObjectDetection, tokenizer: BertTokenizer, seeds: Sequence[int]) -> list[Asked]:
    """Ask about one fresh batch for each seed."""
    model.eval()
    asked = []
    for seed in seeds:
        batch = draw_batch(random.Random(seed))
        for drawn, by_kind in zip(
            batch.scenes, class_scores(model, tokenizer, batch.scenes, batch.prompt), strict=True
        ):
            asked += [
                Asked(drawn.kinds.count(kind), scores) for kind, scores in zip(batch.prompt, by_kind, strict=True)
            ]
    return asked


def save(model: GroundingDinoForObjectDetection, tokenizer: BertTokenizer) -> None:
    """Write the files of a real Grounding DINO checkpoint, its weights in fp16."""
    model.half().save_pretrained(WEIGHTS)
    # Loaded as stored, in fp16, its boxes are NaN on a CPU: what is loaded without naming a dtype shall be fp32.
    config = json.loads((WEIGHTS / "config.json").read_text(encoding="utf-8")) | {"dtype": "float32"}
    (WEIGHTS / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    images = GroundingDinoImageProcessor(size={"shortest_edge": SIZE_PX, "longest_edge": SIZE_PX})
    GroundingDinoProcessor(images, tokenizer).save_pretrained(WEIGHTS)
    images.save_pretrained(WEIGHTS)  # preprocessor_config.json, which older checkpoints have


def main() -> None:
    """Train, save to the weights folder, and record the score threshold that counts best on fresh scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone-steps", type=int, default=BACKBONE_STEPS, help="the backbone's (%(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS, help="the detector's (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights (%(default)s)")
    parser.add_argument(
        "--batches", type=int, default=60, help=f"of {BATCH} fresh scenes for the threshold (%(default)s)"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads (%(default)s)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    tokenizer = make_tokenizer()
    backbone, backbone_seconds = train_backbone(options.backbone_steps, RUNS / "detector_backbone.pt")
    model, training = train_detector(options.steps, backbone, tokenizer, RUNS / "detector.pt")
    save(model, tokenizer)
    saved = GroundingDinoForObjectDetection.from_pretrained(WEIGHTS, dtype=torch.float32)
    threshold = best_threshold(ask(saved, tokenizer, VALIDATION_SEEDS[: options.batches]))
    record = {
        "batch": BATCH,
        "backbone_steps": options.backbone_steps,
        "backbone_batch": BACKBONE_BATCH,
        "backbone_seconds": round(backbone_seconds),
        "seed": options.seed,
        "score_threshold": threshold,
        "threshold_scenes": options.batches * BATCH,
    }
    write_record(WEIGHTS, training, record)


if __name__ == "__main__":
    settle()
    main()
