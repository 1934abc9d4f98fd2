"""Sends an evaluation's scores and the settings that they came of to TensorBoard or, offline, to Weights & Biases."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pipelines.core.config import schema
from pipelines.core.errors import ConfigError
from pipelines.core.submission.scores import Score
from pipelines.runs.history import Row, settings_of

FOLDER = "runs"
PROJECT = "vision-challenge-suite"


@schema
class Tracking:
    """The part `tracking` of an evaluation's settings."""

    track: Literal["none", "tensorboard", "wandb"] = "none"
    """Where the scores go besides: `tensorboard` or `wandb` (offline), under `runs/` beside the submission."""


def send(tracking: Tracking, submission: Path, row: Row, scores: Sequence[Score]) -> None:
    """Logs the scores, and the settings that the submission's row of the history has, under `<its folder>/runs/`.

    The run's name is that of the submission and its content, so the same file evaluated again is the same run. Raises
    ConfigError where the tracker is not installed.
    """
    if tracking.track == "none":
        return
    name = f"{submission.stem}-{row['content_hash'].removeprefix('sha256:')}"
    settings = {"task": row["task"], "scored_with": row["scored_with"]} | settings_of(row["settings"])
    TRACKERS[tracking.track](submission.parent / FOLDER, name, settings, {score.name: score.value for score in scores})


def _tensorboard(folder: Path, name: str, settings: Mapping[str, str], scores: Mapping[str, float]) -> None:
    board = _imported("torch.utils.tensorboard", "tensorboard")
    with board.SummaryWriter(str(folder / name)) as writer:
        writer.add_text("settings", "\n".join(f"- {key}: {value}" for key, value in settings.items()))
        writer.add_hparams(dict(settings), dict(scores), run_name=".")  # the scores are its scalars


def _wandb(folder: Path, name: str, settings: Mapping[str, str], scores: Mapping[str, float]) -> None:
    wandb = _imported("wandb", "wandb")
    folder.mkdir(exist_ok=True)
    run = wandb.init(project=PROJECT, name=name, dir=str(folder), mode="offline", config=dict(settings))
    run.log(dict(scores))
    run.finish()


TRACKERS: Mapping[str, Callable[[Path, str, Mapping[str, str], Mapping[str, float]], None]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}


def _imported(module: str, package: str) -> Any:  # noqa: ANN401 - a module
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"expected the package {package} for --track {package}, but it cannot be imported ({error}); "
            f"install it: pip install {package}"
        ) from None
