"""What the doctor says of the checkpoints of the run ahead: download, licence, memory; loads none, and fails no run."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from pipelines.core.doctor import Finding
from pipelines.core.model import Dtype, Model, models_of
from pipelines.core.networks.catalogue import Catalogue, Entry, catalogue, gb, model_of
from pipelines.core.networks.fitting import Choice, Device, dtype_on, taken
from pipelines.core.networks.models import SHARED


@dataclass(frozen=True)
class Here:
    """What of the hub is on this machine."""

    cache: Path
    """Where its client keeps what it has downloaded."""
    token: bool
    """Whether there is one for gated checkpoints."""


@dataclass(frozen=True)
class Named:
    """A checkpoint of the catalogue that a run's settings name."""

    key: str
    """The dotted setting."""
    entry: Entry
    dtype: Dtype
    """What it will run in."""


def here(environment: Mapping[str, str] = os.environ) -> Here:
    """This machine, as the hub's own client sees it."""
    from huggingface_hub import constants

    return Here(Path(constants.HF_HUB_CACHE), "HF_TOKEN" in environment or Path(constants.HF_TOKEN_PATH).is_file())


def lines(config: Any, device: Device, machine: Here, known: Catalogue | None = None) -> list[str]:  # noqa: ANN401
    """A line on each checkpoint that the settings of a task name and the catalogue has."""
    said = [_reason(config, device)]
    for each in named(config, device, known or catalogue()):
        entry = each.entry
        parts = [
            _download(entry, machine),
            f"{entry.licence}{'' if entry.commercial else ' (not for commercial use)'}",
            _memory(each),
        ]
        said.append(f"{each.key} {entry.id}: {', '.join(part for part in parts if part)}")
    return [line for line in said if line]


def warnings(config: Any, device: Device, machine: Here, known: Catalogue | None = None) -> list[Finding]:  # noqa: ANN401
    """What a person should look at: a gated checkpoint without a token, or one that is too large for the device."""
    found = []
    for key, entry, dtype in (
        (each.key, each.entry, each.dtype) for each in named(config, device, known or catalogue())
    ):
        if entry.gated and not machine.token and not cached(entry.id, machine.cache):
            message = f"{key}: {entry.id} is gated; accept its terms at {entry.address} and set HF_TOKEN"
            found.append(Finding("warning", message))
        needed = entry.memory(dtype)
        if needed is not None and needed > device.memory:
            message = (
                f"{key}: {entry.id} takes about {gb(needed)} in {dtype}, and {device.name} has {gb(device.memory)}; "
                "it may not fit: name a smaller one (python -m pipelines models)"
            )
            found.append(Finding("warning", message))
    return found


def named(config: Any, device: Device, known: Catalogue) -> list[Named]:  # noqa: ANN401 - a task's settings class
    """The checkpoints of the catalogue that a run with these settings will use, or may use for translation."""
    found = []
    for key, checkpoint in checkpoints_of(config):
        entry = known.find(checkpoint)
        if key == "checkpoint" and getattr(config, "smaller", None):
            entry = known.find(_choice(config, device).checkpoint)
        if entry is None or (key.startswith("translation.") and not _translates(config, known)):
            continue
        model = _known_models(config).get(entry.model)
        found.append(Named(key, entry, dtype_on(device, model, entry.dtype, config.runner.precision)))
    return found


def checkpoints_of(config: Any, prefix: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a settings class
    """(dotted key, checkpoint) of every setting that is called `checkpoint` or `..._checkpoint` and has a value."""
    for entry in fields(config):
        value = getattr(config, entry.name)
        if is_dataclass(value):
            yield from checkpoints_of(value, f"{prefix}{entry.name}.")
        elif isinstance(value, str) and f"_{entry.name}".endswith("_checkpoint"):
            yield f"{prefix}{entry.name}", value


def cached(name: str, cache: Path) -> bool:
    """Whether the hub's cache has the weights of a checkpoint, by a look at its folder."""
    folder = cache / f"models--{name.replace('/', '--')}"
    unfinished = any(folder.glob("blobs/*.incomplete"))
    return not unfinished and any(path.exists() for path in folder.glob("snapshots/*/*.safetensors"))


def _translates(config: Any, known: Catalogue) -> bool:  # noqa: ANN401 - a task's settings class
    """Whether a translator may be needed: not for models that write Korean, nor for those whose languages have it."""
    asked = getattr(config, "translate", "auto")
    if asked != "auto":
        return bool(asked)
    main = known.find(config.checkpoint)
    if main is not None and {"ko", "multilingual"} & set(main.languages):
        return False
    models = models_of(config).get("model", {})
    writer = models.get(model_of(config.checkpoint, models, config.model, known) or "") if models else None
    return writer is None or not writer.writes_korean


def _known_models(config: Any) -> dict[str, Model[Any]]:  # noqa: ANN401 - a task's settings class
    """The models of the catalogue's names, as far as these settings have to do with them."""
    return {name: model for models in (SHARED, *models_of(config).values()) for name, model in models.items()}


def _choice(config: Any, device: Device) -> Choice:  # noqa: ANN401 - the settings of captions
    models, precision = models_of(config)["model"], config.runner.precision
    return taken(config.checkpoint, config.smaller, device, models, config.model, precision)


def _reason(config: Any, device: Device) -> str | None:  # noqa: ANN401 - a task's settings class
    """Why one of several checkpoints is taken; None where there is no choice."""
    return _choice(config, device).reason if getattr(config, "smaller", None) else None


def _download(entry: Entry, machine: Here) -> str:
    if cached(entry.id, machine.cache):
        return "in the cache, nothing to download"
    if entry.download is None:
        return ""
    return f"{'' if entry.download_mb is not None else 'about '}{gb(entry.download)} to download"


def _memory(each: Named) -> str:
    needed = each.entry.memory(each.dtype)
    return "" if needed is None else f"about {gb(needed)} of memory in {each.dtype}"
