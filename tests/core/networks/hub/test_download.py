"""What is fetched from a hub, by its own client: once, what is loaded, and from where."""

import errno
import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.core.errors import CheckpointError
from pipelines.core.networks.checkpoints import identity, resolve
from pipelines.core.networks.hub.download import Hub, _in_units
from tests.published.hub import Pull, State, publish, serving

ROOT = Path(__file__).parents[4]
SMALL = {"config.json": "{}", "tokenizer.json": '{"a": 1}'}
WHOLE = {**SMALL, "model.safetensors": b"w" * 2000}
PICKLED = {**SMALL, "pytorch_model.bin": b"p" * 4000}
SHARDS = {
    **SMALL,
    "model.safetensors.index.json": json.dumps(
        {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    ),
    "model-1.safetensors": b"1" * 1000,
    "model-2.safetensors": b"2" * 1000,
    "other.safetensors": b"o" * 9000,
}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "hub"


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def sizes(files):
    return {name: len(content) for name, content in files.items()}


@pytest.mark.parametrize("name", ["org/name", "gpt2", "org/name@v1.0", "org/name@v1.0/x", "org/name@refs/pr/45"])
def test_a_revision_is_fetched_whole_and_only_once(root, cache, capsys, name):
    repository, _, revision = name.partition("@")
    publish(root, repository, {**WHOLE, "pytorch_model.bin": b"p", "onnx/model.safetensors": b"o"}, revision or "main")
    with serving(root) as served:
        hub = Hub(served.api(), cache)
        folder = resolve(name, hub)
        sha = served.sha(repository, revision or "main")
        assert folder.name == sha and sorted(path.name for path in folder.iterdir()) == sorted(WHOLE)
        assert served.fetched(repository) == sizes(WHOLE)
        assert capsys.readouterr().err == f"downloading {name}: 2.0 kB into {cache}\n"
        served.forget()
        assert resolve(name, hub) == folder
        assert [request.kind for request in served.requests] == ["info"]
        assert capsys.readouterr().err == ""
    assert resolve(name, hub) == folder  # now without a network
    assert resolve(f"{repository}@{sha}", hub) == folder
    said = identity(name, folder)
    assert (said["checkpoint"], said["sha"], said["revision"]) == (name, sha, revision or "main")


def test_the_shards_that_the_index_names(root, cache):
    publish(root, "org/name", SHARDS)
    with serving(root) as served:
        hub = Hub(served.api(), cache)
        folder = resolve("org/name", hub)
        assert served.fetched("org/name") == sizes(
            {name: SHARDS[name] for name in SHARDS if name != "other.safetensors"}
        )
    assert resolve("org/name", hub) == folder


@pytest.mark.parametrize("content", ["[]", "{", '{"weight_map": {"a": "../../x.safetensors"}}'])
def test_an_index_that_names_nothing_is_refused_by_its_file(root, cache, content):
    publish(root, "org/name", {**SMALL, "model.safetensors.index.json": content, "model-1.safetensors": b"1"})
    with serving(root) as served, pytest.raises(CheckpointError, match=r"model\.safetensors\.index\.json"):
        resolve("org/name", Hub(served.api(), cache))


def test_a_moved_main_is_noticed_and_its_unchanged_files_stay(root, cache, capsys):
    publish(root, "org/name", WHOLE)
    with serving(root) as served:
        hub = Hub(served.api(), cache)
        before = resolve("org/name", hub)
        publish(root, "org/name", {"tokenizer.json": '{"new": 1}'})
        served.forget()
        capsys.readouterr()
        after = resolve("org/name", hub)
        assert after.name == served.sha("org/name") != before.name
        assert served.fetched("org/name") == {"tokenizer.json": 10}
        assert capsys.readouterr().err == f"downloading org/name: 10 bytes into {cache}\n"
        publish(root, "org/name", {"README.md": "new"})
        assert resolve("org/name", hub) != after and capsys.readouterr().err == ""
        assert served.fetched("org/name") == {"tokenizer.json": 10}


def test_a_download_that_broke_off_goes_on_and_until_then_the_commit_before_stays(root, cache):
    publish(root, "org/name", WHOLE)
    with serving(root) as served:
        hub = Hub(served.api(), cache)
        before = resolve("org/name", hub)
        publish(root, "org/name", {"config.json": '{"new": 1}', "model.safetensors": b"v" * 3000})
        served.states["org/name"] = State(refused={"model.safetensors"})
        with pytest.raises(CheckpointError, match="403"):
            resolve("org/name", hub)
        served.states["org/name"] = State(status=503)
        assert resolve("org/name", hub) == before
        served.states.clear()
        served.forget()
        assert resolve("org/name", hub).name == served.sha("org/name")
        assert served.fetched("org/name") == {"model.safetensors": 3000}


def test_the_converters_offer_stands_in_for_pickles(root, cache):
    publish(root, "org/name", PICKLED)
    publish(root, "org/name", WHOLE, "refs/pr/7")
    with serving(root) as served:
        hub = Hub(served.api(), cache)
        folder = resolve("org/name", hub)
        assert identity("org/name", folder) == {
            "checkpoint": "org/name",
            "fingerprint": identity("org/name", folder)["fingerprint"],
            "revision": "refs/pr/7",
            "sha": served.sha("org/name", "refs/pr/7"),
        }
        assert served.fetched("org/name") == sizes(WHOLE) and served.asked("discussions") == 1
        served.forget()
        assert resolve("org/name", hub) == folder and [each.kind for each in served.requests] == ["info"]
        publish(root, "org/name", {"model.safetensors": b"m"})
        assert identity("org/name", resolve("org/name", hub))["revision"] == "main"
    assert identity("org/name@refs/pr/7", resolve("org/name@refs/pr/7", hub))["revision"] == "refs/pr/7"


# What the discussions of Salesforce/blip-image-captioning-base held: three of the converter's (7, 38, 44).
OFFERS = {
    "the newest that is open": ([Pull(7), Pull(38), Pull(44)], 44),
    "an open one before a closed one": ([Pull(7), Pull(38, status="closed"), Pull(44, status="merged")], 7),
    "a closed one before none": ([Pull(38, status="closed"), Pull(7, status="closed")], 38),
    "none by somebody else": ([Pull(7), Pull(44, author="somebody")], 7),
    "none of another subject": ([Pull(7), Pull(44, title="Update README")], 7),
    "none without the weights": ([Pull(7), Pull(50)], 7),
}


@pytest.mark.parametrize("name", OFFERS)
def test_which_offer_is_taken(root, cache, name):
    pulls, taken = OFFERS[name]
    publish(root, "org/name", PICKLED)
    for pull in pulls:
        publish(
            root,
            "org/name",
            PICKLED if pull.num == 50 else WHOLE | {"number.json": str(pull.num)},
            f"refs/pr/{pull.num}",
        )
    with serving(root, {"org/name": State(pulls=pulls)}) as served:
        folder = resolve("org/name", Hub(served.api(), cache))
    assert (folder / "number.json").read_text() == str(taken)


def test_an_offer_is_asked_for_again_where_several_lie_in_the_cache(root, cache):
    """Somebody has asked for one of them by its name: it is not what the plain name means."""
    publish(root, "org/name", PICKLED)
    publish(root, "org/name", WHOLE, "refs/pr/7")
    publish(root, "org/name", WHOLE | {"model.safetensors": b"theirs"}, "refs/pr/9")
    with serving(root, {"org/name": State(pulls=[Pull(7), Pull(9, author="somebody")])}) as served:
        hub = Hub(served.api(), cache)
        ours = resolve("org/name", hub)
        assert resolve("org/name@refs/pr/9", hub) != ours
        assert resolve("org/name", hub) == ours


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (SMALL, "expected PyTorch's weights.* in the checkpoint org/name, found none; name a revision"),
        ({**SMALL, "tf_model.h5": b"w", "flax_model.msgpack": b"w"}, r"found only flax_model\.msgpack, tf_model\.h5"),
        ({"model.safetensors": b"w"}, r"expected a model's config\.json in the checkpoint org/name, found none in its"),
        ({**SMALL, "fp16/model.safetensors": b"w", "training_args.bin": b"w"}, r"found only training_args\.bin"),
    ],
)
def test_a_repository_without_weights_is_refused_before_anything_is_fetched(root, cache, files, message):
    publish(root, "org/name", files)
    with serving(root) as served:
        with pytest.raises(CheckpointError, match=message):
            resolve("org/name", Hub(served.api(), cache))
        assert served.fetched("org/name") == {}


def test_a_pickle_is_taken_where_there_is_nothing_else(root, cache):
    publish(root, "org/name", PICKLED | {"tf_model.h5": b"t"})
    with serving(root) as served:
        folder = resolve("org/name", Hub(served.api(), cache))
        assert served.fetched("org/name") == {name: len(content) for name, content in PICKLED.items()}
    assert resolve("org/name", Hub(served.api(), cache)) == folder  # the server is gone


def test_a_gated_repository_says_nothing_of_its_size_and_is_read_with_a_token(root, cache, capsys):
    publish(root, "org/name", WHOLE)
    with serving(root, {"org/name": State(gated=True, granted={"hf_a"})}, tokens={"hf_a"}) as served:
        with pytest.raises(CheckpointError, match="is gated"):
            resolve("org/name", Hub(served.api(), cache))
        assert capsys.readouterr().err == ""
        folder = resolve("org/name", Hub(served.api("hf_a"), cache))
        assert resolve("org/name", Hub(served.api(), cache)) == folder  # what is in the cache needs none


def test_a_full_disk_is_known_before(root, cache):
    publish(root, "org/name", WHOLE)
    with serving(root) as served:
        with pytest.raises(CheckpointError, match=r"expected 2\.0 kB of room .* found 2 bytes"):
            resolve("org/name", Hub(served.api(), cache, free=lambda _: 2))
        assert served.fetched("org/name").keys() == {"config.json"}
        assert resolve("org/name", Hub(served.api(), cache, free=lambda _: 2008))


def test_a_full_disk_does_not_turn_to_an_older_commit(root, cache):
    """What the hub has now was asked for: only where it cannot be asked is an older one right."""
    publish(root, "org/name", WHOLE)
    with serving(root) as served:
        assert resolve("org/name", Hub(served.api(), cache))
        publish(root, "org/name", {"model.safetensors": b"v"})

        class Full:
            model_info = served.api().model_info

            def snapshot_download(self, *_, **__):
                raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(CheckpointError, match="is full"):
            resolve("org/name", Hub(Full(), cache))


def run(served, home, checkpoint, **more):
    """Resolves in a process of its own, as commands do; the folder that it prints."""
    code = f"from pipelines.core.networks.checkpoints import resolve; print(resolve({checkpoint!r}))"
    environment = {**os.environ, **served.environment(home), **more}
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_the_environment_names_hub_and_cache_and_offline_finds_the_offer(root, tmp_path):
    publish(root, "org/name", PICKLED)
    publish(root, "org/name", WHOLE, "refs/pr/7")
    home = tmp_path / "home"
    with serving(root) as served:
        online = run(served, home, "org/name")
        assert online.startswith(str(home / "hub"))
        served.forget()
        assert run(served, home, "org/name", HF_HUB_OFFLINE="1") == online and served.requests == []
    assert run(served, home, "org/name") == online


def test_two_commands_at_once_get_the_same(root, tmp_path):
    publish(root, "org/name", SHARDS)
    with serving(root) as served, ThreadPoolExecutor(2) as both:
        folders = set(both.map(lambda _: run(served, tmp_path / "home", "org/name"), range(2)))
    assert len(folders) == 1
    assert (Path(folders.pop()) / "model-2.safetensors").read_bytes() == SHARDS["model-2.safetensors"]


def test_bars_are_shown_at_a_terminal_for_the_weights_alone(root, tmp_path):
    """Also where transformers has turned the client's bars off with its own, as it does when a network was loaded."""
    publish(root, "org/name", WHOLE)
    code = (
        "from huggingface_hub.utils import disable_progress_bars; disable_progress_bars()\n"
        "from pipelines.core.networks.checkpoints import resolve; resolve('org/name')"
    )
    terminal, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))  # of no width, it would show none
    with serving(root) as served:
        environment = {**os.environ, **served.environment(tmp_path / "home")}
        environment.pop("HF_HUB_DISABLE_PROGRESS_BARS", None)
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=stderr, check=True)
    said = os.read(terminal, 100_000).decode(errors="ignore")
    os.close(stderr)
    os.close(terminal)
    assert said.index("downloading org/name: 2.0 kB") < said.index("Fetching 1 files")
    assert "Fetching 1 files" not in said.partition("downloading")[0] and "Fetching 2" not in said


@pytest.mark.parametrize(
    ("size", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345_678, "12 MB"), (1_540_000_000, "1.5 GB")],
)
def test_sizes_are_written_as_the_hub_writes_them(size, said):
    assert _in_units(size) == said
