"""What the doctor says of the checkpoints of a run: of settings as they ship, on machines that are made up."""

from pathlib import Path

import pytest

from pipelines.core.config import load_config
from pipelines.core.doctor.ahead import Here, cached, checkpoints_of, here, lines, warnings
from pipelines.core.networks.catalogue import Catalogue, Entry
from pipelines.core.networks.fitting import Device
from pipelines.search.settings import SearchConfig
from pipelines.tasks import TASKS

T4 = Device("Tesla T4", cuda=True, memory=15_600_000_000, bf16=False)
CPU = Device("cpu, 2 threads", cuda=False, memory=4_000_000_000, bf16=False)
LARGE = Device("NVIDIA A100", cuda=True, memory=42_000_000_000, bf16=True)


@pytest.fixture
def machine(tmp_path):
    return Here(tmp_path, token=False)


def settings(path, **flags):
    kind = TASKS[Path(path).stem].config
    return load_config(Path(path), kind, {"data.images": "photos", **flags} if kind is not SearchConfig else flags)


def test_captions_by_the_defaults(machine):
    assert lines(settings("configs/caption.yaml"), T4, machine) == [
        "checkpoint Salesforce/blip-image-captioning-large: 1.9 GB to download, BSD-3-Clause, about 1.1 GB of memory "
        "in fp16",
        "translation.checkpoint facebook/nllb-200-distilled-600M: 2.5 GB to download, CC-BY-NC-4.0 (not for commercial "
        "use), about 1.5 GB of memory in fp16",
    ]


def test_captions_by_the_strong_settings_on_a_t4(machine):
    said = lines(settings("configs/gpu/caption.yaml"), T4, machine)
    assert said[0].startswith(
        "Qwen/Qwen3-VL-4B-Instruct takes about 21.3 GB in fp32; Qwen/Qwen3-VL-2B-Instruct is taken"
    )
    assert said[1:] == [
        "checkpoint Qwen/Qwen3-VL-2B-Instruct: 4.3 GB to download, Apache-2.0, about 10.2 GB of memory in fp32"
    ]
    assert warnings(settings("configs/gpu/caption.yaml"), T4, machine) == []


def test_captions_by_the_strong_settings_where_the_large_one_fits(machine):
    said = lines(settings("configs/gpu/caption.yaml"), LARGE, machine)
    assert said[1].startswith("checkpoint Qwen/Qwen3-VL-4B-Instruct: about 8.9 GB to download")
    assert len(said) == 2


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("configs/detect.yaml", ["checkpoint", "translation.checkpoint"]),
        ("configs/anomaly.yaml", ["checkpoint"]),
        ("configs/classify.yaml", ["checkpoint"]),
        ("configs/search.yaml", ["checkpoint"]),
        ("configs/gpu/detect.yaml", ["checkpoint", "translation.checkpoint"]),
        ("configs/gpu/anomaly.yaml", ["checkpoint"]),
        ("configs/gpu/classify.yaml", ["checkpoint"]),
        ("configs/gpu/search.yaml", ["checkpoint"]),
        ("configs/mini/caption.yaml", []),
        ("configs/mini/detect.yaml", []),
    ],
)
def test_each_checkpoint_that_is_used_has_a_line(machine, path, keys):
    assert [line.split()[0] for line in lines(settings(path), T4, machine)] == keys


@pytest.mark.parametrize(
    ("flags", "keys"),
    [
        ({"checkpoint": "openai/clip-vit-base-patch32"}, ["checkpoint", "translation.checkpoint"]),
        ({"checkpoint": "openai/clip-vit-base-patch32", "translate": False}, ["checkpoint"]),
        ({"translate": True}, ["checkpoint", "translation.checkpoint"]),
        ({"checkpoint": "who/knows"}, ["translation.checkpoint"]),
        ({"rerank": "itm", "rerank_checkpoint": "Salesforce/blip-itm-base-coco"}, ["checkpoint", "rerank_checkpoint"]),
    ],
)
def test_a_search_uses_what_it_needs(machine, flags, keys):
    assert [line.split()[0] for line in lines(settings("configs/search.yaml", **flags), T4, machine)] == keys


def test_nothing_is_said_of_a_folder_or_an_unknown_checkpoint(machine):
    config = settings("configs/caption.yaml", checkpoint="who/knows", translate=False)
    assert lines(config, CPU, machine) == warnings(config, CPU, machine) == []


def test_what_does_not_fit_is_a_warning(machine):
    (found,) = warnings(settings("configs/gpu/search.yaml"), CPU, machine)
    assert found.severity == "warning"
    assert found.message == (
        "checkpoint: google/siglip2-so400m-patch16-256 takes about 5.5 GB in fp32, and cpu, 2 threads has 4.0 GB; it "
        "may not fit: name a smaller one (python -m pipelines models)"
    )


@pytest.mark.parametrize(("token", "there", "count"), [(False, False, 1), (True, False, 0), (False, True, 0)])
def test_a_gated_checkpoint_needs_a_token_unless_it_is_there(tmp_path, token, there, count):
    entry = Entry("a/gated", ["caption"], "chat", "Own", "https://x", "bf16", ["en"], gated=True)
    if there:
        fill(tmp_path, "a/gated")
    config = settings("configs/caption.yaml", checkpoint="a/gated", model="chat")
    found = warnings(config, T4, Here(tmp_path, token), Catalogue([entry]))
    assert [finding.severity for finding in found] == ["warning"] * count
    assert all("a/gated is gated; accept its terms at https://huggingface.co/a/gated" in each.message for each in found)


def fill(cache: Path, name: str) -> Path:
    """A checkpoint in the hub's cache, as its client lays it out (huggingface_hub, "Understand caching")."""
    folder = cache / f"models--{name.replace('/', '--')}"
    for part in ("blobs", "refs", "snapshots/0123"):
        (folder / part).mkdir(parents=True)
    (folder / "blobs/abc").write_bytes(b"weights")
    (folder / "refs/main").write_text("0123")
    (folder / "snapshots/0123/model.safetensors").symlink_to("../../blobs/abc")
    return folder


def test_what_is_in_the_cache_is_not_downloaded(machine):
    fill(machine.cache, "Salesforce/blip-image-captioning-large")
    said = lines(settings("configs/caption.yaml"), T4, machine)
    assert "blip-image-captioning-large: in the cache, nothing to download, BSD-3-Clause" in said[0]
    assert "2.5 GB to download" in said[1]


def test_half_a_download_is_not_in_the_cache(tmp_path):
    folder = fill(tmp_path, "a/b")
    assert cached("a/b", tmp_path) and not cached("a/c", tmp_path)
    (folder / "blobs/def.incomplete").touch()
    assert not cached("a/b", tmp_path)
    (folder / "blobs/def.incomplete").unlink()
    (folder / "blobs/abc").unlink()
    assert not cached("a/b", tmp_path)


def test_this_machine():
    assert here({"HF_TOKEN": "x"}).token
    assert here().cache.is_absolute()


def test_checkpoints_are_the_settings_of_that_name():
    config = settings("configs/search.yaml", rerank="itm", rerank_checkpoint="x/y")
    assert dict(checkpoints_of(config)) == {
        "checkpoint": "google/siglip2-base-patch16-224",
        "translation.checkpoint": "facebook/nllb-200-distilled-600M",
        "rerank_checkpoint": "x/y",
    }


def test_the_strong_settings_fit_a_card_of_16_gb(machine):
    """A T4, which has no bfloat16; `about` included."""
    for name in ("caption", "detect", "anomaly", "classify", "search"):
        config = settings(f"configs/gpu/{name}.yaml")
        assert warnings(config, T4, machine) == []
        assert len(lines(config, T4, machine)) >= 1
