import json
from pathlib import Path

import pytest
import torch

from benchmarks import caption
from benchmarks.rows import this_device
from pipelines.core.images import Sample, list_images

BUNDLED = Path("mini/weights/blip")
PHOTOS = list_images(Path("samples/caption/images"))[:4]

pytestmark = pytest.mark.skipif(not (BUNDLED / "model.safetensors").exists(), reason=f"{BUNDLED} is not there")


def test_both_sides_write_the_same_captions_of_the_same_length():
    samples = [Sample(path.name, path) for path in PHOTOS]
    ours = caption.Ours(BUNDLED, 3, 2, "fp32")
    plain = caption.Plain(BUNDLED, "cpu", torch.float32)
    assert ours.captions(samples) == plain.captions(PHOTOS, 1, 3) == plain.captions(PHOTOS, 4, 3)
    tokens = ours.captioner.tokens(ours.captioner.prepare(samples)["pixels"])
    assert tokens.shape == (len(PHOTOS), caption.TOKENS)


def test_every_peer_has_a_row_with_a_goal():
    found = list(caption.compare(BUNDLED, PHOTOS, beams=3, repeats=1, batch=2))
    assert len(found) == 1 + len(caption.PRECISIONS[this_device()])
    assert all(row.ratio == row.ours / row.peer_value and row.goal and row.ceiling_share for row in found)
    assert all("in the network" in row.rest and row.lever for row in found)
    assert ["bfloat16" in row.note for row in found] == ["bfloat16" in row.peer for row in found]
    json.dumps([row.__dict__ for row in found])


@pytest.mark.parametrize(
    ("dtype", "ours", "peers"),
    [
        (torch.float32, [torch.float32], ["float32", "bfloat16"]),
        (torch.float32, [torch.float32, torch.bfloat16], ["float32"]),
        (torch.bfloat16, [torch.float32, torch.bfloat16], ["bfloat16"]),
    ],
)
def test_peers_have_our_dtype_or_one_that_we_do_not_have(dtype, ours, peers):
    assert caption.peers_of(dtype, ours, "cpu") == [caption.LOOP, *(f"in batches, {peer}" for peer in peers)]
