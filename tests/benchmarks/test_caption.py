import json
from pathlib import Path

import pytest
import torch

from benchmarks import caption
from benchmarks.rows import this_device
from pipelines.core.images import Sample, list_images
from pipelines.core.runner import Runner, RunnerConfig

BUNDLED = Path("mini/weights/blip")
PHOTOS = list_images(Path("samples/caption/images"))[:4]

pytestmark = pytest.mark.skipif(not (BUNDLED / "model.safetensors").exists(), reason=f"{BUNDLED} is not there")


def test_both_sides_write_the_same_captions_of_the_same_length():
    captioner = caption.BlipCaptioner(BUNDLED, min_tokens=caption.TOKENS, max_tokens=caption.TOKENS)
    runner = Runner(RunnerConfig(device="cpu", progress=False))
    ours = [outcome.result for outcome in runner.run(captioner, [Sample(path.name, path) for path in PHOTOS])]
    plain = caption.Plain(BUNDLED, "cpu", torch.float32)
    assert ours == [text.strip() for text in plain.captions(PHOTOS, 1, 3)] == plain.captions(PHOTOS, 4, 3)
    tokens = captioner.tokens(captioner.prepare([Sample(path.name, path) for path in PHOTOS])["pixels"])
    assert tokens.shape == (len(PHOTOS), caption.TOKENS)


def test_every_peer_has_a_row_with_a_goal():
    found = list(caption.compare(BUNDLED, PHOTOS, beams=3, repeats=1, batch=2))
    assert len(found) == 1 + len(caption.DTYPES[this_device()])
    assert all(row.ratio == row.ours / row.peer_value and row.goal and row.ceiling_share for row in found)
    assert ["bfloat16" in row.note for row in found] == ["bfloat16" in row.peer for row in found]
    json.dumps([row.__dict__ for row in found])
