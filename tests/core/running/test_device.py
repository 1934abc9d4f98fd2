"""Which device a run gets, what is said of a card that it does not get, and the dtype on each card."""

import pytest
import torch
from torch import nn

from pipelines.core.errors import ConfigError
from pipelines.core.running.cards import Card, CardFacts
from pipelines.core.running.device import choose, note_said, say
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from tests.core.running.card_situations import ARCHS, GB, GTX_1080, L4, NO_GPU, ON_THE_CPU, T4, TOO_OLD, TORCH, V100


@pytest.mark.parametrize("situation", ON_THE_CPU)
def test_a_card_that_cannot_be_used(situation):
    facts, message = ON_THE_CPU[situation]
    choice = choose("auto", facts=facts)
    assert (choice.device, choice.card) == (torch.device("cpu"), None)
    assert choice.words == (() if message is None else (f"this runs on the CPU: {message}",))
    with pytest.raises(ConfigError) as refused:
        choose("cuda", facts=facts)
    expected = "expected a device that this machine has (auto, cpu), found 'cuda'"
    if message is not None:
        assert str(refused.value) == f"{expected}: {message}; set --device"
    assert str(refused.value).startswith(expected)
    assert choose("cpu", facts=facts).words == ()


@pytest.mark.parametrize("visible", ["", "-1"])
def test_a_card_that_is_hidden_cannot_be_asked_for(visible):
    facts = CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", failure=NO_GPU, visible=visible)
    with pytest.raises(ConfigError, match=rf"found 'cuda': CUDA_VISIBLE_DEVICES='{visible}' names no card"):
        choose("cuda", facts=facts)


def with_cards(*cards: Card) -> CardFacts:
    return CardFacts(*TORCH, archs=ARCHS, driver="580.95.05", found=cards)


@pytest.mark.parametrize(
    ("cards", "name", "device", "card"),
    [
        ([T4], "auto", "cuda", T4),
        ([T4, L4], "auto", "cuda", T4),
        ([T4, GTX_1080], "auto", "cuda", T4),
        ([GTX_1080, V100, L4], "auto", "cuda:2", L4),
        ([T4, L4], "cuda", "cuda", T4),
        ([T4, L4], "cuda:1", "cuda:1", L4),
        ([T4], "cpu", "cpu", None),
        ([T4], "mps", "mps", None),
    ],
)
def test_the_card_that_is_taken(cards, name, device, card):
    choice = choose(name, facts=with_cards(*cards))
    assert (choice.device, choice.card) == (torch.device(device), card)


def test_another_card_is_taken_with_a_word():
    (word,) = choose("auto", facts=with_cards(GTX_1080, L4)).words
    assert word.startswith("this runs on cuda:1: torch 2.15.0+cu132 has no code for NVIDIA GeForce GTX 1080 (sm_61)")
    assert choose("auto", facts=with_cards(L4, GTX_1080)).words == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuda:0", r"\(auto, cpu, cuda:1\), found 'cuda:0': torch .* has no code for NVIDIA GeForce GTX 1080"),
        ("cuda", r"\(auto, cpu, cuda:1\), found 'cuda': torch .* has no code for NVIDIA GeForce GTX 1080"),
        ("cuda:2", r"\(auto, cpu, cuda:1\), found 'cuda:2'; set --device$"),
        ("gpu", r"\(auto, cpu, cuda:1\), found 'gpu'; set --device$"),
    ],
)
def test_a_card_that_was_asked_for_and_is_not_to_be_had(name, message):
    with pytest.raises(ConfigError, match=message):
        choose(name, facts=with_cards(GTX_1080, L4))


@pytest.mark.parametrize(
    ("card", "precision", "message"),
    [
        (T4, "bf16", "Tesla T4 (sm_75) has no bfloat16 of its own, so that precision bf16 is emulated and slow; `auto` "
                     "takes fp16, or fp32 where the model does not allow that"),
        (T4, "auto", None),
        (T4, "fp16", None),
        (L4, "bf16", None),
    ],
)  # fmt: skip
def test_bfloat16_is_not_emulated_without_a_word(card, precision, message):
    assert choose("auto", precision, with_cards(card)).words == ((message,) if message else ())


class Loud:
    """A network as bfloat16 trains them: what is between its layers is beyond float16, what it gives is not."""

    def __init__(self, dtypes):
        self.module = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 1, bias=False))
        self.module[0].weight.data.fill_(1000.0)
        self.module[1].weight.data.fill_(1e-3)
        self.dtypes = frozenset(dtypes)


FP32, FP16, BF16 = torch.float32, torch.float16, torch.bfloat16


@pytest.mark.parametrize(
    ("card", "precision", "allowed", "expected"),
    [
        (T4, "auto", {FP32, BF16}, FP32),
        (V100, "auto", {FP32, BF16}, FP32),
        (L4, "auto", {FP32, BF16}, BF16),
        (T4, "auto", {FP32, FP16, BF16}, FP16),
        (L4, "auto", {FP32, FP16, BF16}, FP16),
        (T4, "auto", {FP32}, FP32),
        (T4, "bf16", {FP32, BF16}, BF16),  # as it was asked for, with a word
        (T4, "bf16", {FP32}, FP32),
        (T4, "fp32", {FP32, FP16}, FP32),
    ],
)
def test_the_dtype_on_a_card(card, precision, allowed, expected):
    archs = ("sm_70", *ARCHS)
    facts = CardFacts(*TORCH, archs=archs, driver="580.95.05", found=(card,))
    runner = Runner(RunnerConfig(device="auto", precision=precision, progress=False), cards=facts)
    assert runner.device.type == "cuda"
    assert runner.dtype(Loud(allowed)) == expected


def test_what_overflows_in_float16_is_finite_in_the_dtype_on_a_t4():
    model = Loud({FP32, BF16})
    runner = Runner(RunnerConfig(progress=False), cards=with_cards(T4))
    given = torch.full((1, 4), 100.0)

    def result(dtype: torch.dtype) -> torch.Tensor:
        """In float32 of numbers that are rounded as the dtype does after each layer, on any CPU."""
        first, second = (layer.weight.to(dtype).float() for layer in model.module)
        return ((given @ first.T).to(dtype).float() @ second.T).to(dtype)

    assert not result(FP16).isfinite().all()
    assert result(runner.dtype(model)).item() == pytest.approx(1600.0)
    assert result(BF16).isfinite().all()


def test_a_runner_knows_its_card():
    runner = Runner(RunnerConfig(progress=False), cards=with_cards(T4))
    assert (runner.device_name, runner.memory_bytes) == ("Tesla T4", 16 * GB)
    assert Runner(RunnerConfig(device="cpu")).memory_bytes > GB


def test_a_runner_says_it_once_a_process(capsys):
    """Each test that asks for this has a driver of its own."""
    facts = CardFacts(*TORCH, archs=ARCHS, driver="111.22.3", failure=TOO_OLD)
    for _ in range(2):
        Runner(RunnerConfig(progress=False), cards=facts)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: this runs on the CPU: the NVIDIA driver 111.22.3 (for CUDA 12.2) is too old")
    Runner(RunnerConfig(device="cpu", progress=False), cards=facts)
    assert capsys.readouterr().err == ""


def test_what_the_doctor_has_said_is_not_said_again(capsys):
    note_said(["a word of the doctor"])
    say(["a word of the doctor", "a word of a test"])
    assert capsys.readouterr().err == "warning: a word of a test\n"
