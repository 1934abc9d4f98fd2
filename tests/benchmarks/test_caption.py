import json
from pathlib import Path

import pytest
import torch

from benchmarks import caption
from pipelines.core.images.folders import list_images
from pipelines.core.images.samples import Sample

BUNDLED = Path("mini/weights/blip")
PHOTOS = list_images(Path("samples/caption/images"))[:4]

pytestmark = pytest.mark.skipif(not (BUNDLED / "model.safetensors").exists(), reason=f"{BUNDLED} is not there")


def test_both_sides_write_the_same_captions_of_the_same_length():
    samples = [Sample(path.name, path) for path in PHOTOS]
    settings = {"beams": 3, "min_tokens": caption.TOKENS, "max_tokens": caption.TOKENS}
    captioner = caption.load_captioner("blip", BUNDLED, settings)
    ours = caption.Ours(captioner, 2, "fp32")
    plain = caption.Plain(BUNDLED, "cpu", torch.float32)
    assert ours.captions(samples) == plain.captions(PHOTOS, 1, 3) == plain.captions(PHOTOS, 4, 3)
    tokens = ours.captioner.tokens(ours.captioner.prepare(samples))
    assert tokens.shape == (len(PHOTOS), caption.TOKENS)


def test_every_peer_has_a_row_with_a_goal():
    found = list(caption.compare(BUNDLED, PHOTOS, beams=3, repeats=1, batch=2))
    assert len(found) == sum(len(caption.peers_of(dtype, "cpu")) for dtype in caption.PRECISIONS["cpu"])
    assert all(row.ratio == row.ours / row.peer_value and row.goal and row.ceiling_share for row in found)
    assert all("in the network" in row.rest and row.lever for row in found)
    assert ["bfloat16 changes" in row.note for row in found] == ["bfloat16" in row.peer for row in found]
    json.dumps([row.__dict__ for row in found])


@pytest.mark.parametrize(("precision", "peers"), [("fp32", ["float32", "bfloat16"]), ("bf16", ["bfloat16"])])
def test_peers_have_our_dtype_or_beside_our_usual_one_any(precision, peers):
    assert caption.peers_of(precision, "cpu") == [caption.LOOP, *(f"in batches, {peer}" for peer in peers)]
