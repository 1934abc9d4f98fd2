"""The real architectures at full size, with random weights and real processors, through the three commands."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoModelForZeroShotObjectDetection,
    AutoTokenizer,
    BlipForConditionalGeneration,
    BlipProcessor,
    GroundingDinoProcessor,
    M2M100ForConditionalGeneration,
)

from pipelines.__main__ import main
from tests import full_size

pytestmark = pytest.mark.slow

RUN = ["--device", "cpu", "--precision", "fp32", "--batch", "2", "--progress", "false"]
SIZES_WH = [(640, 480), (480, 640), (640, 427)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Three pictures of a photo's size with something to see in them."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for number, size in enumerate(SIZES_WH):
        coarse = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number}.jpg", quality=95)
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_caption_gives_the_tokens_of_generate(photos, tmp_path):
    """BLIP-base with 3 beams and NLLB-200-600M with 4, against `generate` on each photo alone."""
    blip, nllb = (full_size.made(name, tmp_path) for name in ("blip", "nllb"))
    output = tmp_path / "caption.csv"
    words = ["--images", str(photos), "--output", str(output), "--checkpoint", str(blip)]
    assert main(["caption", *words, "--translation.checkpoint", str(nllb), "--translation.max-tokens", "8", *RUN]) == 0
    said = json.loads(output.with_suffix(".json").read_text())["run"]["captions"]
    assert len({caption["english"] for caption in said.values()}) == len(SIZES_WH)
    processor = BlipProcessor.from_pretrained(blip)
    captioner = BlipForConditionalGeneration.from_pretrained(blip, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(nllb, src_lang="eng_Latn")
    translator = M2M100ForConditionalGeneration.from_pretrained(nllb, dtype=torch.float32).eval()
    for row in rows(output):
        inputs = processor(images=Image.open(photos / row["image"]), return_tensors="pt")
        tokens = captioner.generate(**inputs, num_beams=3, min_length=5, max_length=20)
        english = " ".join(processor.decode(tokens[0], skip_special_tokens=True).split())
        assert said[row["image"]]["english"] == english
        assert len(tokens[0]) <= 20
        korean = translator.generate(
            **tokenizer(english, return_tensors="pt"),
            forced_bos_token_id=tokenizer.convert_tokens_to_ids("kor_Hang"), num_beams=4, max_new_tokens=8,
        )  # fmt: skip
        assert row["caption"] == tokenizer.decode(korean[0], skip_special_tokens=True).strip()


@pytest.mark.parametrize(("name", "share"), [("grounding-dino", 1.0), ("mm-grounding-dino", 0.99)])
def test_detect_gives_the_boxes_of_the_processor(photos, tmp_path, name, share):
    """Grounding DINO-tiny and LLMDet-tiny at 800 px, against the processor's own post-processing of one class."""
    folder, output, boxes = full_size.made(name, tmp_path), tmp_path / "detect.csv", tmp_path / "boxes.csv"
    threshold = 0.0
    images = tmp_path / "images"
    images.mkdir()
    for of_one_width in ("0.jpg", "2.jpg"):
        shutil.copy(photos / of_one_width, images)
    words = ["--images", str(images), "--output", str(output), "--checkpoint", str(folder), "--boxes", str(boxes)]
    thresholds = ["--box-threshold", str(threshold), "--nms-iou", "1.0", "--drop-groups", "false"]
    assert main(["detect", *words, *thresholds, "--prompts", "강아지", *RUN]) == 0
    processor = GroundingDinoProcessor.from_pretrained(folder)
    detector = AutoModelForZeroShotObjectDetection.from_pretrained(folder, dtype=torch.float32).eval()
    photo = Image.open(photos / "0.jpg")
    inputs = processor(images=photo, text="dog.", return_tensors="pt")
    height, width = (-(-side // 32) * 32 for side in inputs["pixel_values"].shape[-2:])
    padding = (0, width - inputs["pixel_values"].shape[-1], 0, height - inputs["pixel_values"].shape[-2])
    for name in ("pixel_values", "pixel_mask"):  # to the bucket, as ours
        inputs[name] = torch.nn.functional.pad(inputs[name], padding)
    with torch.no_grad():
        outputs = detector(**inputs)
    ours = [row for row in rows(boxes) if row["image"] == "0.jpg"]
    # The processor takes the highest logit of all tokens; for one class the class's own token is at place 1.
    outputs.logits[..., [0, 2, 3]] = -torch.inf
    (theirs,) = processor.post_process_grounded_object_detection(
        outputs, inputs["input_ids"], threshold=threshold, target_sizes=[(480, 640)]
    )
    assert len(ours) == len(theirs["boxes"]) == 900
    mine = torch.tensor([[float(row[name]) for name in ("x0", "y0", "x1", "y1", "score")] for row in ours])
    limits = torch.tensor([640.0, 480.0, 640.0, 480.0])
    their_boxes = theirs["boxes"].clamp(min=0).minimum(limits)
    # With random weights many candidates score nearly alike, so that their order may differ: each of theirs is there.
    apart_px = (mine[:, None, :4] - their_boxes).abs().amax(-1)
    apart_score = (mine[:, None, 4] - theirs["scores"]).abs()
    matching = (apart_px <= 0.5) & (apart_score <= 1e-3)
    # Where heads are drawn that matters: a candidate starts from what was learned of its place in the order.
    assert min(matching.any(dim=side).float().mean() for side in (0, 1)) >= share


def test_anomaly_runs_at_full_size(photos, tmp_path):
    """PatchCore on wide_resnet50_2; its scores are held against anomalib's in the task's own tests."""
    output = tmp_path / "anomaly.csv"
    normal = tmp_path / "normal"
    normal.mkdir()
    for number in range(4):
        Image.open(photos / "0.jpg").rotate(number).save(normal / f"{number}.jpg")
    checkpoint = full_size.made("wide_resnet50_2", tmp_path)
    words = ["--images", str(photos), "--normal", str(normal), "--checkpoint", str(checkpoint), "--output", str(output)]
    assert main(["anomaly", *words, "--folds", "2", *RUN]) == 0
    scores = {row["image"]: float(row["score"]) for row in rows(output)}
    assert len(scores) == 3
    assert scores["0.jpg"] == min(scores.values())  # it is one of the normal ones
    record = json.loads(output.with_suffix(".json").read_text())
    assert record["run"]["models"][0]["backbone"] == "wide_resnet50_2"
