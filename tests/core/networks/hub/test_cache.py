"""What the client's cache holds, read from folders laid out as the client's documents say."""

import pytest

from pipelines.core.networks.hub.cache import commit, kept, kept_pulls, origin

OLD, NEW = "a" * 40, "b" * 40


def cached(cache, revision, sha, *files, name="org/name"):
    """A revision's name and its snapshot. Its folder."""
    folder = cache / f"models--{name.replace('/', '--')}"
    (folder / "refs" / revision).parent.mkdir(parents=True, exist_ok=True)
    (folder / "refs" / revision).write_text(sha)
    snapshot = folder / "snapshots" / sha
    snapshot.mkdir(parents=True, exist_ok=True)
    for file in files:
        (snapshot / file).write_text('{"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}')
    return snapshot


def test_an_empty_cache(tmp_path):
    assert kept(tmp_path, "org/name") is None and list(kept_pulls(tmp_path, "org/name")) == []
    assert commit(tmp_path, "main") == "" and commit(tmp_path, OLD) == OLD


WEIGHTS = "model.safetensors"


@pytest.mark.parametrize(
    ("files", "whole"),
    [
        ([], False),
        (["config.json"], False),
        ([WEIGHTS], False),
        (["config.json", WEIGHTS], True),
        (["config.json", "some.safetensors"], True),
        (["config.json", "training_args.bin"], False),
        (["config.json", "pytorch_model.bin"], True),
        (["config.json", f"{WEIGHTS}.index.json"], False),
        (["config.json", f"{WEIGHTS}.index.json", "a.safetensors"], False),
        (["config.json", f"{WEIGHTS}.index.json", "a.safetensors", "b.safetensors"], True),
    ],
)
@pytest.mark.parametrize("revision", ["main", "v1.0/x", "refs/pr/7"])
def test_a_revision_is_whole_with_its_weights(tmp_path, files, whole, revision):
    snapshot = cached(tmp_path, revision, OLD, *files)
    assert kept(tmp_path, "org/name", revision) == (snapshot if whole else None)
    assert kept(tmp_path, "org/name", OLD) == (snapshot if whole else None)
    assert kept(tmp_path, "org/name", "other") is None and kept(tmp_path, "org/other") is None


def test_a_link_whose_file_is_gone_is_not_there(tmp_path):
    snapshot = cached(tmp_path, "main", OLD, "config.json")
    (snapshot / WEIGHTS).symlink_to(tmp_path / "gone")
    assert kept(tmp_path, "org/name") is None


def test_the_newest_pull_request_stands_in_for_main(tmp_path):
    whole = ["config.json", WEIGHTS]
    for number, sha in (("7", "1" * 40), ("38", "2" * 40), ("9", "3" * 40)):
        cached(tmp_path, f"refs/pr/{number}", sha, *whole)
    cached(tmp_path, "refs/pr/40", "4" * 40, "config.json")
    cached(tmp_path, "main", OLD, "config.json")
    assert [path.name[0] for path in kept_pulls(tmp_path, "org/name")] == ["2", "3", "1"]
    assert kept(tmp_path, "org/name").name == "2" * 40
    main = cached(tmp_path, "main", NEW, *whole)
    assert kept(tmp_path, "org/name") == main


def test_a_name_that_is_no_commit_leads_nowhere(tmp_path):
    cached(tmp_path, "main", OLD, "config.json", WEIGHTS)
    (tmp_path / "models--org--name" / "refs" / "main").write_text("../../elsewhere")
    assert kept(tmp_path, "org/name") is None


def test_the_origin_of_a_snapshot(tmp_path):
    offer, main = cached(tmp_path, "refs/pr/7", OLD), cached(tmp_path, "main", NEW)
    assert origin(main) == {"revision": "main", "sha": NEW}
    assert origin(offer) == {"revision": "refs/pr/7", "sha": OLD}
    assert origin(main, "v1") == {"revision": "v1", "sha": NEW}
    assert origin(tmp_path) == {}
