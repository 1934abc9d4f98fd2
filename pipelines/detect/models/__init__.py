"""The detectors by name."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.detect.boxes.detections import Detector


def _grounding_dino(folder: Path, threshold: float) -> "Detector":
    from pipelines.detect.models.grounding_dino.model import GroundingDino

    return GroundingDino(folder, threshold)


def _yolo(folder: Path, threshold: float) -> "Detector":
    from pipelines.detect.models.yolo import Yolo

    return Yolo(folder, threshold)


DETECTORS: dict[str, Callable[[Path, float], "Detector"]] = {"grounding-dino": _grounding_dino, "yolo": _yolo}
"""Each takes a checkpoint folder and the score (0 to 1) that a box has to exceed."""


def load_detector(name: str, folder: Path, threshold: float) -> "Detector":
    """The detector `name` on a checkpoint folder.

    Raises ConfigError for an unknown name, CheckpointError for a folder that does not fit.
    """
    if name not in DETECTORS:
        raise ConfigError(f"expected a detector ({', '.join(DETECTORS)}), found `{name}`")
    return DETECTORS[name](folder, threshold)
