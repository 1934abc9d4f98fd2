"""Checkpoints: a folder with config.json and safetensors, or a sentence that says what is missing."""

from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

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


def test_a_fingerprint_is_the_same_on_every_python(tmp_path):
    folder = checkpoint(tmp_path / "m", config_json="{}", model_safetensors="w")
    parts = [(name, (folder / name).read_bytes()) for name in ("config.json", "model.safetensors")]
    whole = b"".join(name.encode() + sha256(data).digest() for name, data in parts)
    assert fingerprint(folder) == sha256(whole).hexdigest()[:16]


class FakeHub:
    """A hub of `revision -> file names`; `offers` are the converter's pull requests."""

    def __init__(self, folder: Path, revisions: dict, offers=()):
        self.folder, self.revisions, self.offers = folder, revisions, offers

    def snapshot_download(self, repo_id, *, revision, allow_patterns):
        if revision not in self.revisions:
            raise ConnectionError("no route")
        return str(checkpoint(self.folder / str(revision).replace("/", "_"), **self.revisions[revision]))

    def get_repo_discussions(self, repo_id, *, author, discussion_type):
        return self.offers


COMPLETE = {"config_json": "{}", "model_safetensors": "w"}


@pytest.mark.parametrize("name", ["org/name", "org/name@v2"])
def test_a_hub_id_becomes_the_folder_of_its_revision(tmp_path, name):
    revision = "v2" if "@" in name else None
    assert resolve(name, FakeHub(tmp_path, {revision: COMPLETE})) == tmp_path / str(revision)


def test_the_converters_offer_stands_in_for_missing_safetensors(tmp_path):
    offers = [SimpleNamespace(title="Update README", num=3), SimpleNamespace(title="Adding `safetensors`", num=7)]
    hub = FakeHub(tmp_path, {None: {"config_json": "{}"}, "refs/pr/7": COMPLETE}, offers)
    assert resolve("org/name", hub) == tmp_path / "refs_pr_7"
    with pytest.raises(CheckpointError, match="expected safetensors"):
        resolve("org/name", FakeHub(tmp_path, {None: {"config_json": "{}"}}))


def test_a_hub_out_of_reach_is_one_sentence(tmp_path):
    with pytest.raises(CheckpointError, match=r"org/name .* hub \(ConnectionError\); give a local folder"):
        resolve("org/name", FakeHub(tmp_path, {}))
