"""Which checkpoint is taken on which device: a table of cards as their makers sell them."""

import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from pipelines.caption.models import CAPTIONERS
from pipelines.caption.pipeline import CaptionPipeline
from pipelines.caption.settings import CaptionConfig
from pipelines.core.config import DataConfig
from pipelines.core.networks.fitting import Device, Weights, choose, device_of, dtype_on, taken, weights_of
from pipelines.core.networks.models import SHARED, TRANSLATORS
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.detect.models import DETECTORS
from tests import contract

# A T4 (Turing) has 16 GB, an L4 (Ada) 24, an A100 (Ampere) 40, of which the driver keeps some; by CUDA's programming
# guide bfloat16 is multiplied from compute capability 8.0 (Ampere) on.
T4 = Device("Tesla T4", cuda=True, memory=15_600_000_000, bf16=False)
L4 = Device("NVIDIA L4", cuda=True, memory=23_500_000_000, bf16=True)
A100 = Device("NVIDIA A100", cuda=True, memory=42_300_000_000, bf16=True)
LAPTOP = Device("RTX 4060 Laptop", cuda=True, memory=8_300_000_000, bf16=True)
V100 = Device("Tesla V100", cuda=True, memory=34_000_000_000, bf16=False)
CPU_24 = Device("cpu, 8 threads", cuda=False, memory=25_000_000_000, bf16=False)
CPU_24_BF16 = Device("cpu, 8 threads", cuda=False, memory=25_000_000_000, bf16=True)
CPU_8 = Device("cpu, 4 threads", cuda=False, memory=8_000_000_000, bf16=False)

CHAT = CAPTIONERS["chat"]
FOUR, TWO = "Qwen/Qwen3-VL-4B-Instruct", "Qwen/Qwen3-VL-2B-Instruct"


@pytest.mark.parametrize(
    ("device", "checkpoint", "said"),
    [
        (T4, TWO, f"{FOUR} takes about 21.3 GB in fp32; {TWO} is taken (about 10.2 GB in fp32, of 15.6 GB on Tesla "),
        (L4, FOUR, f"{FOUR} is taken (about 10.7 GB in bf16, of 23.5 GB on NVIDIA L4)"),
        (A100, FOUR, "in bf16"),
        (V100, FOUR, "about 21.3 GB in fp32"),
        (LAPTOP, TWO, f"{TWO} is taken (about 5.1 GB in bf16, of 8.3 GB"),
        (CPU_24, FOUR, "about 21.3 GB in fp32, of 25.0 GB"),
        (CPU_24_BF16, FOUR, "about 10.7 GB in bf16"),
        (CPU_8, TWO, "cpu, 4 threads has 8.0 GB, so that Qwen/Qwen3-VL-2B-Instruct may not fit either"),
    ],
    ids=lambda value: value.name if isinstance(value, Device) else "",
)  # fmt: skip
def test_the_captioner_that_fits_is_taken(device, checkpoint, said):
    choice = taken(FOUR, [TWO], device, CAPTIONERS, "chat")
    assert taken(FOUR, [TWO], device, CAPTIONERS, "auto") == choice  # the catalogue knows that they are chat models
    assert choice.checkpoint == checkpoint
    assert said in choice.reason and "\n" not in choice.reason


def test_without_smaller_ones_nothing_is_chosen_or_said():
    assert taken(FOUR, [], CPU_8, CAPTIONERS, "chat").checkpoint == FOUR
    assert taken(FOUR, [], CPU_8, CAPTIONERS, "chat").reason is None


def test_what_nobody_knows_the_size_of_is_taken():
    choice = choose(
        [("a/large", Weights(10**10, "bf16"), CHAT), ("b/new", None, CHAT), ("c/small", Weights(1, "bf16"), CHAT)], T4
    )
    assert choice.checkpoint == "b/new" and "its size is not known" in choice.reason


def test_a_precision_that_is_asked_for_counts():
    assert taken(FOUR, [TWO], L4, CAPTIONERS, "chat", "fp32").checkpoint == FOUR  # 21.3 of 23.5 GB
    assert "in fp32" in taken(FOUR, [TWO], L4, CAPTIONERS, "chat", "fp32").reason
    assert taken(FOUR, [TWO], CPU_24_BF16, CAPTIONERS, "chat", "fp16").reason.count("fp32") == 1  # CPUs run no float16


@pytest.mark.parametrize(
    ("model", "stored", "on_t4", "on_l4", "on_cpu"),
    [
        (CHAT, "bf16", "fp32", "bf16", "fp32"),
        (CHAT, "fp16", "fp16", "fp16", "fp32"),
        (CHAT, "fp32", "fp32", "bf16", "fp32"),
        (CAPTIONERS["blip"], "fp32", "fp16", "fp16", "fp32"),
        (TRANSLATORS["m2m_100"], "fp32", "fp16", "fp16", "fp32"),
        (TRANSLATORS["marian"], "fp32", "fp32", "bf16", "fp32"),
        (DETECTORS["grounding-dino"], "fp32", "fp16", "fp16", "fp32"),
        (None, "fp32", "fp32", "fp32", "fp32"),
    ],
)
def test_the_dtype_is_what_a_device_multiplies_and_a_model_allows(model, stored, on_t4, on_l4, on_cpu):
    assert [dtype_on(device, model, stored) for device in (T4, L4, CPU_24)] == [on_t4, on_l4, on_cpu]


@pytest.mark.parametrize("name", SHARED)
def test_what_several_tasks_share_runs_in_what_its_entry_says(name, tmp_path):
    folder = contract.made(SHARED[name], tmp_path)
    if name == "clip":
        networks = SHARED[name].load()(folder)
    else:
        source, target = ("eng_Latn", "kor_Hang") if name == "m2m_100" else ("en", "ko")
        networks = (SHARED[name].load()(folder, source, target),)
    for network in networks:
        contract.check_entry(SHARED, name, folder, network)


class Like:
    """A network with the dtypes of an entry whose weights are float32."""

    def __init__(self, model):
        self.dtypes = {contract.DTYPES[name] for name in model.dtypes}
        self.near_dtypes = {contract.DTYPES[name] for name in model.near_dtypes}


@pytest.mark.parametrize("precision", ["auto", "fp32", "fp16", "bf16"])
@pytest.mark.parametrize("model", [*CAPTIONERS.values(), *SHARED.values()], ids=lambda model: model.help)
def test_the_dtype_is_the_runners(model, precision):
    runner = Runner(RunnerConfig(device="cpu", precision=precision))
    found = dtype_on(device_of(runner), model, "fp32", precision)
    assert contract.DTYPES[found] == runner.dtype(Like(model))


def test_the_device_of_a_runner():
    device = device_of(Runner(RunnerConfig(device="cpu", precision="fp32")))
    assert not device.cuda and device.name.startswith("cpu")
    assert device.memory == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_a_folders_weights_are_counted_without_loading_them():
    folder = Path("mini/weights/blip")
    with safe_open(folder / "model.safetensors", "pt") as file:
        tensors = [file.get_tensor(name) for name in file.keys()]  # noqa: SIM118 - it is no dict
    numbers = [tensor.numel() for tensor in tensors if tensor.is_floating_point()]
    most = "fp16" if tensors[0].dtype == torch.float16 else "fp32"
    assert weights_of(str(folder)) == Weights(sum(numbers), most)


@pytest.mark.parametrize("content", [b"", b"\x05\0\0\0\0\0\0\0[1,2]", b"\xff" * 16, b'\x07\0\0\0\0\0\0\0{"a":1}'])
def test_a_folder_with_damaged_weights_is_not_known(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    assert weights_of(str(tmp_path)) is None


def test_a_folder_without_weights_and_an_unknown_id_are_not_known(tmp_path):
    assert weights_of(str(tmp_path)) is None
    assert weights_of("who/knows") is None
    assert weights_of("Qwen/Qwen3.5-4B") is None  # of the catalogue, but its parameters are not


@pytest.mark.parametrize(("memory", "taken_one"), [(10**9, "large"), (10**7, "small")])
def test_a_pipeline_takes_the_captioner_that_fits_and_its_record_says_so(tmp_path, capsys, memory, taken_one):
    folders = {name: tmp_path / name for name in ("large", "small")}
    for folder in folders.values():
        folder.symlink_to(Path("mini/weights/blip").resolve())
    config = CaptionConfig(
        DataConfig(tmp_path), str(folders["large"]), [str(folders["small"])], translate=False,
        runner=RunnerConfig(device="cpu", progress=False),
    )  # fmt: skip
    device = Device("cpu", cuda=False, memory=memory, bf16=False)
    pipeline = CaptionPipeline(config, Runner(config.runner), device)
    assert pipeline.record()["models"]["captioner"]["checkpoint"] == str(folders[taken_one])
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(folders[taken_one]) in said
