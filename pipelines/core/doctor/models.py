"""Whether the models that settings name are there, and fit their checkpoints; nothing is loaded or fetched for it."""

from pathlib import Path
from typing import Any

from pipelines.core.doctor.findings import Finding, wrong
from pipelines.core.errors import CheckpointError, SuiteError
from pipelines.core.model import AUTO, Models, choose, models_of, named
from pipelines.core.networks.catalogue import Catalogue, model_of
from pipelines.core.networks.checkpoints import resolve


def check_models(config: Any, known: Catalogue | None = None) -> list[Finding]:  # noqa: ANN401 - a settings class
    """What is wrong with a task's settings `model`, or whichever its class says in `models`.

    Of a hub id only that is said which the catalogue (`known`, or the one that comes with the project) tells.
    """
    findings = []
    for setting, models in models_of(config).items():
        name = getattr(config, setting)
        checkpoint = config.checkpoint if setting == "model" else getattr(config, f"{setting}_checkpoint")
        try:
            if name is not None:
                _check(setting, models, name, str(checkpoint), known)
        except SuiteError as error:
            findings.append(wrong(str(error)))
    return findings


def _check(setting: str, models: Models, name: str, checkpoint: str, known: Catalogue | None) -> None:
    """Raises ConfigError for an unknown name, CheckpointError for a checkpoint that it does not fit."""
    auto = (setting, name) == ("model", AUTO)
    if not auto:
        named(models, name, setting)
    if auto or not models[name].method:
        if Path(checkpoint).expanduser().is_dir():
            choose(models, name, resolve(checkpoint))
        told = model_of(checkpoint, models, known=known)
        if not auto and told not in (None, name):
            raise CheckpointError(
                f"expected a checkpoint of the `{setting}` {name} ({models[name].fits}), found {checkpoint}, which is "
                f"one of {told}; name another `{setting}` or checkpoint"
            )
