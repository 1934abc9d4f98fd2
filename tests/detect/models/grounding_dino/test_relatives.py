"""MM-Grounding-DINO and LLMDet, which is of the same class, and networks that only transformers' own pass runs.

What the hub's repositories hold is as the script says that made them, convert_mm_grounding_dino_to_hf.py of
huggingface/transformers@0897210c (Swin-T, -B and -L, five levels for the last), and their layout of weights as
`save_pretrained` of transformers 4.55 leaves one that has each head under two names.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    BertConfig,
    GroundingDinoForObjectDetection,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    RobertaConfig,
)

from pipelines.core.errors import CheckpointError
from pipelines.detect.boxes.detections import Query
from pipelines.detect.models.grounding_dino.forward import Found, find, make_faster, read, see
from pipelines.detect.models.grounding_dino.model import GroundingDino
from pipelines.detect.models.grounding_dino.relatives import find_by_library, heads_shared, load_relative, why_slow
from tests.detect.conftest import assert_same
from tests.detect.tiny import save_dino, swin

DOG = torch.tensor([[101, 200, 1012, 102]])
WORDS = torch.tensor([[101, 200, 1012, 206, 207, 1012, 102]])


def pictures(count: int, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Pixels of `count` pictures, each with more padding than the one before it, and the mask."""
    values = torch.randn(count, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(count, 96, 128, dtype=torch.bool)
    for number in range(count):
        mask[number, 96 - 11 * number :] = mask[number, :, 128 - 19 * number :] = False
    return (values * mask[:, None]).to(dtype), mask


def fast(module: Any, values: Tensor, mask: Tensor, words: Tensor) -> Found:
    make_faster(module)
    return find(module, see(module, values, mask), read(module, words))


def assert_equal(found: Found, expected: Found, logit: float = 1e-3, cells: float = 2e-4) -> None:
    """The same boxes in the same order, which say something about the picture."""
    torch.testing.assert_close(found.logits.float(), expected.logits.float(), atol=logit, rtol=0)
    torch.testing.assert_close(found.cxcywh.float(), expected.cxcywh.float(), atol=cells, rtol=0)
    assert expected.cxcywh.std(dim=1).max() > 0.05
    assert expected.logits.std() > 0.1


def copy_of(folder: Path, to: Path, **settings: object) -> Path:
    """A copy of a checkpoint folder with other settings in config.json; None takes one out."""
    shutil.copytree(folder, to)
    config = json.loads((to / "config.json").read_text()) | settings
    (to / "config.json").write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return to


# --- the fast pass


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("words", [DOG, WORDS])
@torch.inference_mode()
def test_the_fast_pass_of_mm_grounding_dino_is_transformers(mm_folder, count, words):
    theirs = MMGroundingDinoForObjectDetection.from_pretrained(mm_folder).eval()
    values, mask = pictures(count)
    assert_equal(fast(load_relative(mm_folder), values, mask, words), find_by_library(theirs, values, mask, words))


@pytest.mark.parametrize("kind", ["dino", "mm"])
@torch.inference_mode()
def test_the_passes_agree_in_half_precision(dino_folder, mm_folder, kind):
    """As near to float32's as transformers' own is: in half precision near ties fall otherwise, one query in many."""
    folder = {"dino": dino_folder, "mm": mm_folder}[kind]
    exact = find_by_library(load_relative(folder), *pictures(2), WORDS)
    values, mask = pictures(2, torch.float16)
    theirs = find_by_library(load_relative(folder).half(), values, mask, WORDS)
    ours = fast(load_relative(folder).half(), values, mask, WORDS)
    gaps = [(each.logits.float() - exact.logits).abs().flatten() for each in (ours, theirs)]
    assert gaps[0].median() <= 2 * gaps[1].median() < 0.1


@pytest.mark.parametrize(
    "settings",
    [
        {"activation_function": "gelu"},
        {"num_feature_levels": 3},
        {"decoder_bbox_embed_share": True, "decoder_cls_embed_share": True},
        {"text_config": BertConfig(vocab_size=1030, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                                   intermediate_size=48, type_vocab_size=1)},
    ],
    ids=["gelu", "three levels", "shared heads", "one kind of text"],
)  # fmt: skip
@torch.inference_mode()
def test_the_fast_pass_of_other_settings(tmp_path, settings):
    apart = {"decoder_bbox_embed_share": False, "decoder_cls_embed_share": False}
    folder = save_dino(tmp_path, MMGroundingDinoForObjectDetection, MMGroundingDinoConfig, **(apart | settings))
    module, theirs = load_relative(folder), MMGroundingDinoForObjectDetection.from_pretrained(folder).eval()
    assert why_slow(module.config) == ""
    assert_equal(fast(module, *pictures(2), WORDS), find_by_library(theirs, *pictures(2), WORDS))


@torch.inference_mode()
def test_each_layer_has_its_own_heads(mm_folder):
    """With the heads of one layer in another's place the boxes are others, so that the tests above would tell."""
    right = find_by_library(load_relative(mm_folder), *pictures(1), DOG)
    module = load_relative(mm_folder)
    module.class_embed[-1].bias.add_(1)
    module.model.decoder.bbox_embed[1] = module.bbox_embed[0]
    wrong = fast(module, *pictures(1), DOG)
    assert (wrong.cxcywh - right.cxcywh).abs().max() > 0.01
    assert (wrong.logits - right.logits).abs().max() > 0.5


def test_a_bias_of_the_first_stage_changes_nothing(mm_folder, photos):
    """It shifts every cell alike, and the fast pass leaves it out."""
    detector = GroundingDino(mm_folder, 0.0)
    batch = detector.prepare([Query(photos[0], ("dog",))])
    with torch.inference_mode():
        before = detector.predict(batch)
        detector.module.model.encoder_output_class_embed.bias.sub_(3)
        after = detector.predict(batch)
    assert_same(before[0], after[0])


# --- loading


def layout(folder: Path, kind: str) -> dict[str, Tensor]:
    """The folder's weights with the heads under the names that `kind` says."""
    weights = load_file(folder / "model.safetensors")
    heads = {name: value for name, value in weights.items() if name.startswith(("bbox_embed.", "class_embed."))}
    others = {name: value for name, value in weights.items() if name not in heads}
    twins = {f"model.decoder.{name}": value.clone() for name, value in heads.items()}
    first = {name for name in heads if "embed.0." in name}
    return others | {
        "outside": heads,
        "in the decoder": twins,
        "both": heads | twins,
        "of 4.55": {name: value for name, value in heads.items() if name in first}
        | {name: value for name, value in twins.items() if name.removeprefix("model.decoder.") not in first},
    }[kind]  # fmt: skip


@pytest.mark.parametrize("kind", ["outside", "in the decoder", "both", "of 4.55"])
@pytest.mark.parametrize("told", [True, False])
@torch.inference_mode()
def test_every_layout_of_the_heads_loads(mm_folder, tmp_path, kind, told):
    """Also where config.json does not tell that layers have heads of their own: transformers 5.23 alone ties them."""
    unsaid = {} if told else {"decoder_bbox_embed_share": None, "decoder_cls_embed_share": None}
    folder = copy_of(mm_folder, tmp_path / "mm", **unsaid)
    save_file(layout(mm_folder, kind), folder / "model.safetensors", metadata={"format": "pt"})
    module, expected = load_relative(folder), load_relative(mm_folder)
    assert_equal(find_by_library(module, *pictures(1), DOG), find_by_library(expected, *pictures(1), DOG), 1e-5, 1e-5)
    for layer, head in enumerate(module.bbox_embed):
        inner = module.model.decoder.bbox_embed[layer]
        assert torch.equal(head.layers[0].weight, inner.layers[0].weight)
        assert torch.equal(head.layers[0].weight, expected.bbox_embed[layer].layers[0].weight)


@pytest.mark.parametrize(
    ("names", "boxes", "classes"),
    [
        (set(), True, True),
        ({"bbox_embed.0.layers.0.weight", "class_embed.0.bias"}, True, True),
        ({"bbox_embed.0.layers.0.weight", "model.decoder.bbox_embed.1.layers.0.weight"}, False, True),
        ({"class_embed.0.bias", "class_embed.5.bias"}, True, False),
        ({"model.encoder_output_bbox_embed.layers.1.weight", "model.encoder_output_class_embed.bias"}, True, True),
    ],
)
def test_what_the_names_say_of_shared_heads(names, boxes, classes):
    assert heads_shared(names) == {"decoder_bbox_embed_share": boxes, "decoder_cls_embed_share": classes}


def test_one_class_bias_for_all_layers_loads(mm_folder, tmp_path):
    """LLMDet's first repositories keep one of them, and call it Grounding DINO (transformers' pull request 37925)."""
    folder = copy_of(mm_folder, tmp_path / "one", model_type="grounding-dino")
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if name.startswith("class_embed.") <= (".0." in name)}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    module = load_relative(folder)
    assert isinstance(module, MMGroundingDinoForObjectDetection)
    assert {head.bias.item() for head in module.class_embed} == {weights["class_embed.0.bias"].item()}


def test_weights_that_are_none(mm_folder, tmp_path):
    folder = copy_of(mm_folder, tmp_path / "broken")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match=r"model\.safetensors is no safetensors file"):
        load_relative(folder)


@pytest.mark.parametrize("setting", ["two_stage", "embedding_init_target"])
@pytest.mark.parametrize("kind", ["dino", "mm"])
def test_what_transformers_cannot_run_is_refused(dino_folder, mm_folder, tmp_path, kind, setting):
    """If transformers learns it, this fails, and so should the refusal."""
    folder = copy_of({"dino": dino_folder, "mm": mm_folder}[kind], tmp_path / "other", **{setting: False})
    with pytest.raises(CheckpointError, match=rf"two stages.*{setting} false.*transformers itself cannot"):
        load_relative(folder)
    theirs = {"dino": GroundingDinoForObjectDetection, "mm": MMGroundingDinoForObjectDetection}[kind]
    with pytest.raises(AttributeError), torch.inference_mode():
        find_by_library(theirs.from_pretrained(folder).eval(), *pictures(1), DOG)


# --- transformers' own pass


def test_a_network_that_the_fast_pass_runs_needs_no_other(dino_folder, mm_folder, capsys):
    for folder in (dino_folder, mm_folder):
        assert not GroundingDino(folder, 0.3).by_library
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"position_embedding_type": "learned"}, "its position embedding is learned"),
        (
            {
                "text_config": RobertaConfig(
                    vocab_size=1030, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48
                )
            },
            "its text encoder is roberta",
        ),
    ],
)
def test_what_was_not_proven_runs_by_transformers(tmp_path, photos, capsys, settings, why):
    detector = GroundingDino(save_dino(tmp_path, backbone_config=swin(), **settings), 0.0)
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"{tmp_path}: {why}, so that it runs by transformers' own pass, which is slower" == line
    batch = detector.prepare([Query(photo, ("dog", "red traffic light")) for photo in photos[:1]])
    with torch.inference_mode():
        (found,) = detector.predict(batch)
    assert len(found) == 20


def test_a_resnet_says_why_it_is_slow(resnet_folder, capsys):
    assert GroundingDino(resnet_folder, 0.0).by_library
    assert "its backbone is resnet" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["dino", "mm"])
@pytest.mark.parametrize("indices", [(1,), (3, 6, 3)])  # the last three share a bucket
def test_both_passes_find_the_same(dino_folder, mm_folder, photos, kind, indices):
    folder = {"dino": dino_folder, "mm": mm_folder}[kind]
    names = ("dog", "red traffic light", "bicycle", "cat", "bird", "car", "cats")  # two passes
    quick, slow = GroundingDino(folder, 0.0), GroundingDino(folder, 0.0)
    slow.module, slow.by_library = load_relative(folder), True
    batch = quick.prepare([Query(photos[index], names) for index in indices])
    with torch.inference_mode():
        for one, other in zip(quick.predict(batch), slow.predict(batch), strict=True):
            assert 20 < len(one) <= 40  # of two passes, less what is one object
            assert_same(one, other)
