import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BlipForConditionalGeneration

from pipelines.core.errors import CheckpointError
from pipelines.core.networks.pretrained import load_network, load_processor
from tests import tiny


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return tiny.blip(tmp_path_factory.mktemp("blip"))


@pytest.fixture
def folder(whole, tmp_path):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    return tmp_path


def load(folder, model_types=("blip",)):
    return load_network(BlipForConditionalGeneration, folder, model_types)


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_whole_checkpoint_loads_for_evaluation(folder):
    assert not load(folder).training


def test_weights_keep_the_dtype_they_are_stored_in(folder):
    BlipForConditionalGeneration.from_pretrained(folder).half().save_pretrained(folder)
    assert load(folder).dtype == torch.float16


def test_missing_weights_are_named(folder):
    change_weights(folder, lambda weights: weights.pop("vision_model.embeddings.class_embedding"))
    with pytest.raises(CheckpointError, match=r"1 missing, such as vision_model\.embeddings\.class_embedding"):
        load(folder)


def test_weights_of_another_shape_are_refused(folder):
    change_weights(folder, lambda weights: weights.update({"vision_model.post_layernorm.weight": torch.zeros(3)}))
    with pytest.raises(CheckpointError, match=f"BlipForConditionalGeneration needs in the checkpoint folder {folder}"):
        load(folder)


def test_damaged_weights_are_refused(folder):
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="does not load"):
        load(folder)


@pytest.mark.parametrize(("model_type", "found"), [("git", "found git"), (None, "found none named in its config.json")])
def test_another_architecture_is_refused(folder, model_type, found):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": model_type}))
    with pytest.raises(CheckpointError, match=f"architecture blip in {folder}, {found}"):
        load(folder)


def test_a_missing_tokenizer_is_refused(folder):
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"vocabulary .* in {folder}, found none"):
        load_processor(AutoTokenizer, folder)


def test_a_tokenizer_that_does_not_load_is_refused(folder):
    (folder / "tokenizer.json").write_text("no JSON")
    with pytest.raises(CheckpointError, match="AutoTokenizer needs"):
        load_processor(AutoTokenizer, folder)
