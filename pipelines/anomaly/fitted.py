"""Keeps fitted models in one folder, safetensors and JSON, and gives back what scores exactly the same."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pipelines.anomaly.methods import Method
from pipelines.anomaly.models import load_method
from pipelines.anomaly.models.detector import Fitted
from pipelines.anomaly.models.features.backbone import Backbone
from pipelines.anomaly.settings import FitConfig
from pipelines.core.errors import CheckpointError
from pipelines.core.submission.writing import check_writable, write_whole

DESCRIPTION, WEIGHTS = "fitted.json", "fitted.safetensors"
FORMAT = 1


def save_fitted(
    folder: Path, model: str, settings: FitConfig, backbone: Backbone, categories: Mapping[str, Fitted]
) -> None:
    """Writes the fitted categories of a method to `folder`. Raises SubmissionError where it cannot be written."""
    check_writable(folder / DESCRIPTION)
    (folder / DESCRIPTION).unlink(missing_ok=True)  # written last: a folder that has it is whole
    names = list(categories)
    tensors = {
        f"{index}.{name}": value.contiguous()
        for index, category in enumerate(names)
        for name, value in categories[category].scorer.tensors().items()
    }
    save_file(tensors, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)  # safetensors writes for its owner only
    description = {
        "format": FORMAT,
        "model": model,
        "fit": asdict(settings),
        "backbone": backbone.identity,
        "categories": [{"name": name} | facts(categories[name]) for name in names],
    }
    write_whole(folder / DESCRIPTION, json.dumps(description, ensure_ascii=False, indent=2) + "\n")


def facts(fitted: Fitted) -> dict[str, Any]:
    """What was fitted, apart from its tensors, as JSON has it."""
    return {"threshold": fitted.threshold, "normals": fitted.normals, "held_out": list(fitted.held_out)}


def load_fitted(folder: Path, model: str, backbone: Backbone, device: torch.device) -> tuple[Method, dict[str, Fitted]]:
    """The method and the categories that `save_fitted` wrote, their scorers on `device`.

    Raises CheckpointError where the folder holds no fitted model, or one of another model or backbone.
    """
    description = _description(folder)
    then = {"model": description["model"], **description["backbone"]}
    _check_same(folder, {"model": model, **backbone.identity}, then)
    method = load_method(model, FitConfig(**description["fit"]), backbone)
    fitted = {}
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            for index, entry in enumerate(description["categories"]):
                prefix = f"{index}."
                keys = [key for key in file.keys() if key.startswith(prefix)]  # noqa: SIM118 - it is no mapping
                tensors = {key.removeprefix(prefix): file.get_tensor(key) for key in keys}
                scorer = method.restore(tensors, device)
                fitted[entry["name"]] = Fitted(scorer, entry["threshold"], entry["normals"], entry["held_out"])
    except (OSError, SafetensorError, KeyError) as error:
        raise CheckpointError(
            f"expected a fitted model's tensors in {folder / WEIGHTS}, but they do not load: {error}"
        ) from None
    return method, fitted


def fitted_backbone(folder: Path) -> Mapping[str, Any]:
    """The identity of the backbone that a model was fitted with. Raises CheckpointError where there is none."""
    identity: Mapping[str, Any] = _description(folder)["backbone"]
    return identity


def fitted_method(folder: Path) -> str:
    """The name of the method that a model was fitted by. Raises CheckpointError where there is none."""
    return str(_description(folder)["model"])


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        description: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"expected a fitted model's {DESCRIPTION} in {folder}, but it cannot be read: {error}; "
            "--save-fitted writes one"
        ) from None
    if description.get("format") != FORMAT:
        raise CheckpointError(f"expected format {FORMAT} in {path}, found {description.get('format')}; fit it again")
    return description


def _check_same(folder: Path, now: Mapping[str, Any], then: Mapping[str, Any]) -> None:
    for key, value in now.items():
        if then.get(key) != value:
            raise CheckpointError(
                f"expected the model and backbone that {folder} was fitted with ({key}: {then.get(key)}), found "
                f"{key}: {value}; give the same settings or fit again"
            )
