"""The benchmark of detection, on the bundled model."""

import shutil
from pathlib import Path

import pytest
from transformers import BertTokenizerFast

from benchmarks import detect
from pipelines.core.images.folders import list_images
from tests import full_size

ROOT = Path(__file__).parents[2]
CASE = detect.Case(("dog", "cat", "car"), 96, 2, 2, {detect.PIPELINE: 2.0, detect.JOINED: 1.0}, (1, 2))


def test_every_peer_has_its_row(tmp_path):
    checkpoint = shutil.copytree(ROOT / "mini/weights/grounding-dino", tmp_path / "grounding-dino")
    photos = list_images(ROOT / "samples/detect/images")
    found = list(detect.compare(checkpoint, photos, CASE, 1))
    assert [row.peer for row in found] == [detect.PIPELINE, detect.JOINED]
    assert all(row.ratio == pytest.approx(row.ours / row.peer_value) for row in found)
    assert [row.note for row in found] == ["timed for 2 of the 3 labels, on 1 photo, and scaled", ""]
    assert all("in the network" in row.rest and row.lever for row in found)
    assert all(row.work == "Grounding DINO-tiny, 3 classes, 96 px" for row in found)


def test_eighty_names_are_as_long_as_those_of_coco(tmp_path):
    full_size.save_bert_tokenizer(tmp_path)
    tokenizer = BertTokenizerFast.from_pretrained(tmp_path)
    tokens = tokenizer(" ".join(f"{name}." for name in detect.NAMES))["input_ids"]
    assert len(set(detect.NAMES)) == 80
    assert len(tokens) == 211
    assert tokenizer.unk_token_id not in tokens
