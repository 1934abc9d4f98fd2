from pathlib import Path

import pytest
import torch
from transformers import AutoModelForZeroShotObjectDetection, AutoTokenizer

from pipelines.detect.models.grounding_dino.forward import FASTER, Dino, Found, find, make_faster, read, see

MINI = Path(__file__).parents[4] / "mini/weights/grounding-dino"
PROMPTS = ["dog.", "dog. cat. red car."]


@pytest.fixture(scope="module")
def folders(dino_folder, mm_folder) -> dict[str, Path]:
    return {"random": dino_folder, "mm": mm_folder, "trained": MINI}


def loaded(folder: Path) -> Dino:
    return AutoModelForZeroShotObjectDetection.from_pretrained(folder, dtype=torch.float32).eval()


def pictures(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two pictures, the second with padding right and below."""
    values = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, height, width, dtype=torch.bool)
    mask[1, -13:] = mask[1, :, -24:] = False
    return values * mask[:, None], mask


@pytest.mark.parametrize("checkpoint", ["random", "mm", "trained"])
@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("size_hw", [(160, 160), (128, 192)])
@torch.inference_mode()
def test_boxes_and_scores_are_those_of_transformers(folders, checkpoint, prompt, size_hw):
    folder = folders[checkpoint]
    values, mask = pictures(*size_hw)
    input_ids = AutoTokenizer.from_pretrained(folder)(prompt, return_tensors="pt")["input_ids"]
    expected = loaded(folder)(pixel_values=values, pixel_mask=mask, input_ids=input_ids.expand(2, -1))
    module = loaded(folder)
    make_faster(module)
    found = find(module, see(module, values, mask), read(module, input_ids))
    assert isinstance(found, Found)
    logits = expected.logits[..., : input_ids.shape[1]]
    torch.testing.assert_close(found.logits.sigmoid(), logits.sigmoid(), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.cxcywh * max(size_hw), expected.pred_boxes * max(size_hw), atol=0.05, rtol=0)
    assert logits.std() > 0.1  # they say something, and about each picture something else
    assert (expected.pred_boxes[0] - expected.pred_boxes[1]).abs().max() > 0.01


@torch.inference_mode()
def test_a_picture_is_found_the_same_beside_others(dino_folder):
    module = loaded(dino_folder)
    make_faster(module)
    words = read(module, torch.tensor([[101, 200, 1012, 102]]))
    values, mask = pictures(128, 128)
    together = find(module, see(module, values, mask), words)
    for place in range(2):
        alone = find(module, see(module, values[place : place + 1], mask[place : place + 1]), words)
        torch.testing.assert_close(alone.logits[0], together.logits[place], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(alone.cxcywh[0], together.cxcywh[place], atol=1e-5, rtol=0)


def test_weights_and_their_names_stay(dino_folder):
    module, before = loaded(dino_folder), loaded(dino_folder).state_dict()
    make_faster(module)
    make_faster(module)  # a shared network is given to every model that wants it
    after = module.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    kinds = [type(child) for child in module.modules()]
    assert not set(kinds) & set(FASTER)
    assert kinds.count(FASTER[next(iter(FASTER))]) == module.config.encoder_layers
