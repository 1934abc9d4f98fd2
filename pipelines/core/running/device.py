"""Chooses the device of a run, and says in one sentence why a card that is there is not it, and what to do."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pipelines.core.errors import ConfigError
from pipelines.core.running.cards import Card, CardFacts, look

OLDEST_DRIVER = {11: 450, 12: 525, 13: 580}
"""Major version of CUDA -> that of the oldest driver on which programs built for it start.
https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html"""
HIDDEN_ON_PURPOSE = ("", "-1")
"""What people set CUDA_VISIBLE_DEVICES to where no card is to be used."""
FITTING = "`uv pip install --reinstall --torch-backend=auto torch torchvision`"
"""Installs the torch that suits the driver."""
OLDER = "`uv pip install --reinstall --torch-backend=cu126 torch torchvision`"
"""Installs the torch whose code is for the oldest cards of all builds of today: 5.0 and later."""

_said: set[str] = set()


@dataclass(frozen=True)
class Choice:
    """A device to run on."""

    device: torch.device
    card: Card | None = None
    """Where it is one."""
    native_bf16: bool = True
    """False where it is a card that does not multiply bfloat16 itself."""
    words: tuple[str, ...] = ()
    """What a person should know of it, a sentence each."""


def choose(name: str, precision: str = "auto", facts: CardFacts | None = None) -> Choice:
    """The device called `name`; `auto` is the first card that torch can use, else the CPU.

    `facts` are this machine's where they are left out; no card is asked for anything where `name` is no card. Raises
    ConfigError where this machine has no device of that name.
    """
    device = _device(name)
    if device is not None and device.type != "cuda":
        return Choice(device)
    facts = facts or look()
    if name == "auto":
        number = facts.usable[0] if facts.usable else None
        words = _words_of_auto(facts)
    else:
        number, words = _asked(name, device, facts), ()
    if number is None:
        return Choice(torch.device("cpu"), words=words)
    if device is None:
        device = torch.device("cuda", number) if number else torch.device("cuda")
    card = facts.found[number]
    native = facts.native_bf16(card)
    if precision == "bf16" and not native:
        words += (
            f"{_named(card)} has no bfloat16 of its own, so that precision bf16 is emulated and slow; `auto` takes "
            "fp16, or fp32 where the model does not allow that",
        )
    return Choice(device, card, native, words)


def explain(facts: CardFacts) -> str | None:
    """Why torch uses no NVIDIA card though one is there, and what to do; None where there is none or one is used."""
    there = facts.driver is not None or facts.on_bus
    if facts.usable or facts.hip or not (there or facts.found):
        return None
    if facts.found:
        return _no_code(facts.found[0], facts)
    if facts.cuda is None:
        return (
            f"torch {facts.version} was built without CUDA, which the NVIDIA card here needs; `make clean setup` "
            "installs the build that has it"
        )
    if facts.driver is None:
        return f"no driver is loaded for the NVIDIA card here; install NVIDIA's, {_oldest(facts)}"
    return _too_old(facts) or _not_started(facts)


def say(words: Sequence[str]) -> None:
    """Prints on standard error what this process has not said yet, a line each."""
    for word in words:
        if word not in _said:
            print(f"warning: {word}", file=sys.stderr)
    note_said(words)


def note_said(words: Sequence[str]) -> None:
    """Takes in what is said in another place, as the doctor does: it is not said again."""
    _said.update(words)


def _device(name: str) -> torch.device | None:
    """None for `auto`, and for what torch knows no such kind of device."""
    try:
        return None if name == "auto" else torch.device(name)
    except RuntimeError:
        return None


def _asked(name: str, device: torch.device | None, facts: CardFacts) -> int:
    """The number of the card that was asked for."""
    number = None if device is None else device.index or 0
    if number in facts.usable:
        return number
    there = ", ".join(["auto", "cpu", *(f"cuda:{card}" for card in facts.usable)])
    why = None
    if number is not None:
        why = _no_code(facts.found[number], facts) if number < len(facts.found) else explain(facts)
    raise ConfigError(
        f"expected a device that this machine has ({there}), found {name!r}{f': {why}' if why else ''}; set --device"
    )


def _words_of_auto(facts: CardFacts) -> tuple[str, ...]:
    if facts.usable and facts.usable[0] > 0:
        return (f"this runs on cuda:{facts.usable[0]}: {_no_code(facts.found[0], facts)}",)
    if not facts.found and facts.visible in HIDDEN_ON_PURPOSE:
        return ()
    why = explain(facts)
    return (f"this runs on the CPU: {why}",) if why else ()


def _no_code(card: Card, facts: CardFacts) -> str:
    numbers = [int(found) for found in re.findall(r"_(\d+)", " ".join(facts.archs))]
    older = 10 * card.capability[0] + card.capability[1] < min(numbers)
    remedy = f"an older torch or its build for an older CUDA, such as {OLDER}" if older else "a newer torch"
    return f"torch {facts.version} has no code for {_named(card)}, only for {', '.join(facts.archs)}; install {remedy}"


def _too_old(facts: CardFacts) -> str | None:
    """Said where torch says so, and where the versions do, whatever torch says."""
    major = int((facts.driver or "0").partition(".")[0] or 0)
    needed = OLDEST_DRIVER.get(_major(facts), 0)
    if "too old" not in facts.failure and not 0 < major < needed:
        return None
    found = re.search(r"found version (\d+)", facts.failure)  # such as 12020
    of_cuda = f" (for CUDA {int(found[1]) // 1000}.{int(found[1]) % 1000 // 10})" if found else ""
    return (
        f"{_driver(facts)}{of_cuda} is too old for torch {facts.version}, which was built for CUDA {facts.cuda}; "
        f"update it to {_oldest(facts)}, or install the torch that suits it: {FITTING}"
    )


def _not_started(facts: CardFacts) -> str:
    """Of a card whose driver would do."""
    said = facts.failure
    if "no NVIDIA driver" in said:
        return (
            f"{_driver(facts)} is loaded, but its libcuda.so.1 is not here; start a container with `--gpus all`, or "
            "install what of the driver is for computing"
        )
    if facts.visible is not None and (not said or "No CUDA GPUs" in said):
        return f"CUDA_VISIBLE_DEVICES={facts.visible!r} names no card of this machine; unset it, or name one such as 0"
    code = re.search(r"Error (\d+): .*", said)
    if code and code[1] in ("803", "804"):
        return (
            f"CUDA does not start ({code[0]}), for the driver's libraries and its kernel module are of two versions; "
            "restart the machine, as after an update of the driver"
        )
    if "unknown error" in said:
        return (
            "CUDA does not start (unknown error), as happens once a machine has slept; restart it, or reload the "
            "module: `sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm`"
        )
    said = said.removeprefix("CUDA call failed lazily at initialization with error: ")
    first = code[0] if code else re.split(r"\n|(?<=\w)[.;] | - ", said)[0]
    return f"CUDA does not start{f' ({first})' if first else ''}; see what `nvidia-smi` says, or restart the machine"


def _driver(facts: CardFacts) -> str:
    return f"the NVIDIA driver {facts.driver}" if facts.driver else "the NVIDIA driver"


def _oldest(facts: CardFacts) -> str:
    needed = OLDEST_DRIVER.get(_major(facts))
    return f"version {needed} or newer" if needed else "the newest"


def _major(facts: CardFacts) -> int:
    return int((facts.cuda or "0").partition(".")[0])


def _named(card: Card) -> str:
    return f"{card.name} (sm_{card.capability[0]}{card.capability[1]})"
