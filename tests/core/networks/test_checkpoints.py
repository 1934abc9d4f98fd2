"""Checkpoints: a folder with config.json and safetensors, or a sentence that says what is missing."""

from hashlib import sha256
from pathlib import Path

import pytest

from pipelines.core.errors import CheckpointError
from pipelines.core.networks.checkpoints import fingerprint, identity, origin, resolve
from pipelines.core.networks.hub.download import Hub


def checkpoint(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
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
        ({"config_json": "{}"}, "expected weights .* found none"),
        ({"config_json": "{}", "model_bin": "w"}, "expected weights .*found none"),
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


def test_a_fingerprint_is_the_same_on_every_python(tmp_path):
    folder = checkpoint(tmp_path / "m", config_json="{}", model_safetensors="w")
    parts = [(name, (folder / name).read_bytes()) for name in ("config.json", "model.safetensors")]
    whole = b"".join(name.encode() + sha256(data).digest() for name, data in parts)
    assert fingerprint(folder) == sha256(whole).hexdigest()[:16]


def test_the_identity_of_a_folder_has_no_revision(tmp_path):
    folder = checkpoint(tmp_path / "m", config_json="{}", model_safetensors="w")
    assert identity(str(folder), folder) == {"checkpoint": str(folder), "fingerprint": fingerprint(folder)}
    snapshot = checkpoint(tmp_path / "models--a--b" / "snapshots" / ("a" * 40), config_json="{}", model_safetensors="w")
    assert identity(str(snapshot), snapshot).keys() == {"checkpoint", "fingerprint"}
    assert origin("a/b", snapshot) == {"revision": "main", "sha": "a" * 40}
    assert origin("a/b@v1", snapshot) == {"revision": "v1", "sha": "a" * 40}


class Remembering:
    """A client that remembers what it was asked for, and has nothing."""

    def __init__(self):
        self.asked = []

    def model_info(self, repo_id, *, revision, files_metadata, timeout):
        assert files_metadata and timeout < 60  # else a network that swallows packets would hold a run for ever
        self.asked.append((repo_id, revision))
        raise ConnectionError("no route")


# What is written -> what the hub is asked for, or None for a local path.
NAMES = {
    "org/name": ("org/name", None),
    "gpt2": ("gpt2", None),
    "org/name@main": ("org/name", None),
    "org/name@v1.0": ("org/name", "v1.0"),
    "org/name@v1.0/x": ("org/name", "v1.0/x"),
    "org/name@refs/pr/45": ("org/name", "refs/pr/45"),
    "gpt2@refs/pr/45": ("gpt2", "refs/pr/45"),
    "./name": None,
    "../org/name@v1": None,
    "/org/name": None,
    "/name@refs/pr/45": None,
    "~/name": None,
    "a/b/c": None,
    "a/b/c@v1": None,
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_looked_for_on_the_hub(tmp_path, name):
    client = Remembering()
    with pytest.raises(CheckpointError, match="could not be had" if NAMES[name] else "found nothing"):
        resolve(name, Hub(client, tmp_path))
    assert client.asked == ([NAMES[name]] if NAMES[name] else [])


def test_a_file_is_not_looked_for_on_the_hub(tmp_path, monkeypatch):
    (tmp_path / "org").mkdir()
    (tmp_path / "org" / "name").write_text("")
    monkeypatch.chdir(tmp_path)
    client = Remembering()
    with pytest.raises(CheckpointError, match="expected a checkpoint folder at org/name, found a file"):
        resolve("org/name", Hub(client, tmp_path))
    assert client.asked == []


def test_a_folder_comes_before_the_hub(tmp_path, monkeypatch):
    checkpoint(tmp_path / "org", config_json="{}", model_safetensors="w")
    checkpoint(tmp_path / "org" / "name@v1", config_json="{}", model_safetensors="w")
    monkeypatch.chdir(tmp_path)
    client = Remembering()
    assert resolve("org/name@v1", Hub(client, tmp_path)) == Path("org/name@v1") and client.asked == []
