"""What is asked of every entry of every task's dict of models; each task's test_contract.py runs its own over these."""

import importlib
from pathlib import Path
from typing import Any

import torch

from pipelines.core.model import Model, Models, choose
from pipelines.core.running.batch_model import Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
BATCH = 3
COUNTS = (0, 1, BATCH, BATCH + 1)


def made(model: Model[Any], folder: Path) -> Path:
    """The tiny checkpoint of an entry, in a new folder."""
    module, _, function = model.tiny.partition(":")
    maker = getattr(importlib.import_module(module), function)
    folder.mkdir(parents=True, exist_ok=True)
    return Path(maker(folder))


def outcomes(network: Any, items: list[Any], batch: int = BATCH, precision: str = "fp32") -> list[Outcome[Any, Any]]:
    """One for each item, by the Runner on the CPU."""
    config = RunnerConfig(batch=batch, precision=precision, device="cpu", workers=2, progress=False)
    return list(Runner(config).run(network, items))


def results(network: Any, items: list[Any], batch: int = BATCH, precision: str = "fp32") -> list[Any]:
    """The results of items that all have one."""
    found = outcomes(network, items, batch, precision)
    assert [outcome.error for outcome in found] == [""] * len(items)
    return [outcome.result for outcome in found]


def in_half(network: Any, items: list[Any]) -> list[Any]:
    """The results in float16, past the Runner, which never runs that on a CPU."""
    network.module.half().eval()
    with torch.inference_mode():
        return [network.predict(network.prepare([item]))[0] for item in items]


def check_entry(models: Models, name: str, folder: Path, network: Any) -> None:
    """What the entry says of its class is so, and `auto` finds it by the tiny checkpoint's config.json."""
    model = models[name]
    stored = next(iter(network.module.parameters())).dtype
    dtypes = {DTYPES[each] for each in model.dtypes} | ({stored} if model.as_stored else set())
    assert network.dtypes == dtypes >= {torch.float32}
    assert getattr(network, "near_dtypes", frozenset()) == {DTYPES[each] for each in model.near_dtypes}
    assert getattr(network, "writes_korean", False) == model.writes_korean
    assert choose(models, "auto", folder) == (next(iter(models)) if model.method else name)
    assert model.help and "\n" not in model.help and not model.help.endswith(".")


def check_overflow(network: Any, item: Any) -> str:
    """What is said of an item whose numbers overflow, wherever in the network."""
    with torch.no_grad():
        for parameter in network.module.parameters():
            parameter.fill_(float("nan"))
    (outcome,) = outcomes(network, [item])
    assert outcome.result is None
    return outcome.error


def bad_picture(folder: Path) -> Path:
    """A file that is none."""
    path = folder / "bad.jpg"
    path.write_text("no picture")
    return path
