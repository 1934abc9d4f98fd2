"""Checkpoints: a folder with config.json and safetensors, or a sentence that says what is missing."""

import pytest

from pipelines.core.checkpoints import fingerprint, resolve
from pipelines.core.errors import CheckpointError


def checkpoint(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return folder


def test_a_complete_folder_is_itself(tmp_path):
    folder = checkpoint(tmp_path / "m", config_json="{}", model_safetensors="w")
    assert resolve(str(folder)) == folder


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "expected a model's config.json"),
        ({"model_safetensors": "w"}, "expected a model's config.json"),
        ({"config_json": "{"}, "is not JSON"),
        ({"config_json": "{}"}, "expected safetensors weights .* found none"),
        ({"config_json": "{}", "model_bin": "w"}, "only model.bin, which is not loaded"),
    ],
)
def test_what_a_folder_lacks_is_named(tmp_path, files, message):
    folder = checkpoint(tmp_path / "m", **files)
    with pytest.raises(CheckpointError, match=message) as error:
        resolve(str(folder))
    assert str(folder) in str(error.value)


@pytest.mark.parametrize("name", ["./nowhere", "/nowhere", "a/b/c"])
def test_a_path_that_is_not_there_is_not_looked_for_on_the_hub(name):
    with pytest.raises(CheckpointError, match="found nothing"):
        resolve(name)


def test_the_fingerprint_follows_the_weights(tmp_path):
    folder = checkpoint(tmp_path / "m", config_json="{}", model_safetensors="w")
    before = fingerprint(folder)
    assert before == fingerprint(folder)
    (folder / "model.safetensors").write_text("v")
    assert fingerprint(folder) != before
