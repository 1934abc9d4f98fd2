"""The fake hub answers what the hub's own client asks."""

import pytest
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RevisionNotFoundError
from huggingface_hub.utils import get_session

from tests.published.hub import Pull, State, publish, serving

FILES = {"config.json": "{}", "model.safetensors": b"w" * 1000, "onnx/model.onnx": b"o"}


@pytest.fixture
def hub(tmp_path):
    publish(tmp_path, "org/name", FILES)
    publish(tmp_path, "gpt2", {"config.json": "{}"})
    with serving(tmp_path) as served:
        yield served


def test_the_client_lists_what_is_there(hub):
    info = hub.api().model_info("org/name", files_metadata=True)
    assert info.sha == hub.sha("org/name") and {each.rfilename: each.size for each in info.siblings} == {
        "config.json": 2, "model.safetensors": 1000, "onnx/model.onnx": 1,
    }  # fmt: skip
    tree = {each.path: (each.size, each.lfs and each.lfs.size) for each in hub.api().list_repo_tree("org/name")}
    assert tree["config.json"] == (2, None) and tree["model.safetensors"] == (1000, 1000)
    assert hub.api().model_info("gpt2").id == "gpt2"


def test_the_client_downloads_once(hub, tmp_path):
    plan = hub.api().snapshot_download("org/name", cache_dir=tmp_path / "cache", dry_run=True)
    assert sum(each.file_size for each in plan if each.will_download) == 1003 and hub.fetched("org/name") == {}
    folder = hub.api().snapshot_download("org/name", cache_dir=tmp_path / "cache")
    assert folder.endswith(hub.sha("org/name"))
    assert hub.fetched("org/name") == {"config.json": 2, "model.safetensors": 1000, "onnx/model.onnx": 1}
    hub.forget()
    assert hub.api().snapshot_download("org/name", cache_dir=tmp_path / "cache") == folder
    assert hub.fetched("org/name") == {} and hub.asked("info") == 1


def test_a_change_moves_the_commit_and_a_commit_is_found(hub, tmp_path):
    before = hub.sha("org/name")
    assert hub.api().model_info("org/name", revision=before).sha == before
    publish(tmp_path, "org/name", {"README.md": "new"})
    assert hub.sha("org/name") != before
    with pytest.raises(RevisionNotFoundError):
        hub.api().model_info("org/name", revision=before)


def test_a_file_goes_on_where_it_broke_off(hub):
    rest = get_session().get(f"{hub.url}/cdn/org/name/resolve/main/model.safetensors", headers={"Range": "bytes=990-"})
    assert (rest.status_code, rest.content, rest.headers["Content-Range"]) == (206, b"w" * 10, "bytes 990-999/1000")


def test_pull_requests_are_those_of_an_author(tmp_path):
    publish(tmp_path, "org/name", FILES, "refs/pr/7")
    publish(tmp_path, "org/told", FILES)
    with serving(
        tmp_path, {"org/told": State(pulls=[Pull(3, author="somebody"), Pull(5, "Fix", status="closed")])}
    ) as hub:
        assert [each.num for each in hub.api().get_repo_discussions("org/name", author="SFconvertbot")] == [7]
        told = hub.api().get_repo_discussions("org/told", author="SFconvertbot")
        assert [(each.num, each.title, each.status, each.is_pull_request) for each in told] == [
            (5, "Fix", "closed", True)
        ]


def test_a_gated_repository_is_listed_but_not_read(tmp_path):
    publish(tmp_path, "org/name", FILES)
    with serving(tmp_path, {"org/name": State(gated=True, granted={"hf_a"})}, tokens={"hf_a", "hf_b"}) as hub:
        assert hub.api().model_info("org/name").gated == "manual"
        for token in ("", "hf_b"):
            with pytest.raises(GatedRepoError):
                hub.api(token).hf_hub_download("org/name", "config.json", cache_dir=tmp_path / "cache")
        with pytest.raises(HfHubHTTPError, match="Invalid credentials"):
            hub.api("hf_c").model_info("org/name")
        assert hub.api("hf_a").hf_hub_download("org/name", "config.json", cache_dir=tmp_path / "cache")


def test_it_ends_with_its_block(hub, tmp_path):
    with serving(tmp_path) as other:
        other.api().model_info("org/name")
    with pytest.raises(Exception, match="refused"):
        other.api().model_info("org/name")
