"""Which checkpoints fit into a device's memory, decided from numbers, before anything is downloaded."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import torch

from pipelines.core.model import Dtype, Model, Models
from pipelines.core.networks.catalogue import BYTES, catalogue, gb, memory, model_of
from pipelines.core.running.cards import memory_bytes
from pipelines.core.running.runner import Runner

Precision: TypeAlias = Literal["auto", "fp32", "fp16", "bf16"]

STORED_AS: Mapping[str, Dtype] = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}
"""Dtypes as safetensors call them."""
MAX_HEADER_BYTES = 100_000_000  # what the safetensors library allows


@dataclass(frozen=True)
class Device:
    """What of a device decides what fits."""

    name: str
    """As run records name it."""
    cuda: bool
    memory: int
    """Bytes that a network may take."""
    bf16: bool
    """Whether it multiplies bfloat16 itself."""


@dataclass(frozen=True)
class Weights:
    """What is known of a network before it is loaded."""

    parameters: int
    dtype: Dtype
    """What they are stored in: of several, what most are."""


@dataclass(frozen=True)
class Choice:
    """The checkpoint to take."""

    checkpoint: str
    reason: str | None
    """One line on why; None where there was nothing to choose."""


def dtype_on(device: Device, model: Model[Any] | None, stored: Dtype, precision: Precision = "auto") -> Dtype:
    """The dtype that a model runs in, as the Runner decides it: on CUDA fp16, or bf16 where only that is safe and the
    card has it; on the CPU bf16 where both allow it; else fp32, as what nothing is known of."""
    runs = set() if model is None else set(model.dtypes) | ({stored} if model.as_stored else set())
    wanted: Dtype
    if precision != "auto":
        wanted, runs = precision, runs | (model.near_dtypes if model else set())
    elif device.cuda and "fp16" in runs:
        wanted = "fp16"
    else:
        wanted = "bf16" if device.bf16 else "fp32"
    return wanted if wanted in runs and (device.cuda or wanted != "fp16") else "fp32"


def device_of(runner: Runner) -> Device:
    """The device of a Runner, with the memory that it has left (a CPU: all that it has)."""
    cuda = runner.device.type == "cuda"
    left = torch.cuda.mem_get_info(runner.device)[0] if cuda else memory_bytes(runner.device)
    automatic = Runner(replace(runner.config, device=str(runner.device), precision="auto"))
    bf16 = automatic.dtype(cast(Any, _Either())) == torch.bfloat16
    return Device(runner.device_name, cuda, left, bf16)


def choose(candidates: Sequence[tuple[str, Weights | None, Model[Any] | None]], device: Device,
           precision: Precision = "auto") -> Choice:  # fmt: skip
    """The first of the candidates (checkpoint, what is known of it) that fits into the device's memory, else the last.

    A candidate of which nothing is known is taken to fit.
    """
    passed: list[str] = []
    for checkpoint, weights, model in candidates:
        if weights is None:
            return Choice(checkpoint, _because(checkpoint, passed, "its size is not known"))
        dtype = dtype_on(device, model, weights.dtype, precision)
        needed = memory(weights.parameters, dtype)
        said = f"about {gb(needed)} in {dtype}"
        if needed <= device.memory:
            return Choice(checkpoint, _because(checkpoint, passed, f"{said}, of {gb(device.memory)} on {device.name}"))
        passed.append(f"{checkpoint} takes {said}")
    last = candidates[-1][0]
    return Choice(
        last, f"{'; '.join(passed)}; {device.name} has {gb(device.memory)}, so that {last} may not fit either"
    )


def taken(
    checkpoint: str, smaller: Sequence[str], device: Device, models: Models, name: str, precision: Precision = "auto"
) -> Choice:
    """The checkpoint that a run takes: `checkpoint`, or of those that are `smaller` the first that fits.

    `name`: the model of `models` that runs them, or `auto`.
    """
    if not smaller:
        return Choice(checkpoint, None)
    of_each = ((each, models.get(model_of(each, models, name) or "")) for each in (checkpoint, *smaller))
    return choose([(each, weights_of(each), model) for each, model in of_each], device, precision)


def weights_of(checkpoint: str) -> Weights | None:
    """What is known of a checkpoint: of a folder by the heads of its files, of a hub id by the catalogue."""
    folder = Path(checkpoint).expanduser()
    if folder.is_dir():
        return _counted(folder)
    entry = catalogue().find(checkpoint)
    if entry is None or entry.parameters is None:
        return None
    return Weights(entry.parameters, entry.dtype)


@dataclass(frozen=True)
class _Either:
    """Stands for a model that leaves it to the Runner whether it runs in bfloat16."""

    dtypes: frozenset[torch.dtype] = frozenset({torch.float32, torch.bfloat16})


def _because(checkpoint: str, passed: Sequence[str], why: str) -> str:
    return "; ".join([*passed, f"{checkpoint} is taken ({why})"])


def _counted(folder: Path) -> Weights | None:
    """The numbers in the safetensors files of a folder; None where there are none, or they cannot be read."""
    counts: dict[Dtype, int] = {}
    try:
        for path in folder.glob("*.safetensors"):
            for tensor in _header(path).values():
                dtype = STORED_AS.get(tensor.get("dtype", ""))
                if dtype is not None:
                    first, last = tensor["data_offsets"]
                    counts[dtype] = counts.get(dtype, 0) + (last - first) // BYTES[dtype]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error):
        return None
    if not counts:
        return None
    return Weights(sum(counts.values()), max(counts, key=lambda dtype: counts[dtype]))


def _header(path: Path) -> dict[str, dict[str, Any]]:
    """What a safetensors file says of its tensors, by name."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"a head of {length} bytes")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    return dict(header)
