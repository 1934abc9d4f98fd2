"""The detectors by name."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.core.model import Model, choose, read_config
from pipelines.core.words.lexicon import tidy

if TYPE_CHECKING:  # they import torch
    from pipelines.detect.models.detector import Detector
    from pipelines.detect.models.grounding_dino.model import GroundingDino
    from pipelines.detect.models.yolo import Yolo


def _grounding_dino() -> "type[GroundingDino]":
    from pipelines.detect.models.grounding_dino.model import GroundingDino

    return GroundingDino


def _yolo() -> "type[Yolo]":
    from pipelines.detect.models.yolo import Yolo

    return Yolo


DETECTORS: "dict[str, Model[Detector]]" = {
    "grounding-dino": Model(
        _grounding_dino,
        "any words (Grounding DINO, MM-Grounding-DINO, LLMDet)",
        dtypes=frozenset({"fp32", "fp16"}),
        kinds=("grounding-dino", "mm-grounding-dino"),
        defaults={"box_threshold": 0.3},
        tiny="tests.detect.tiny:grounding_dino",
    ),
    "yolo": Model(
        _yolo,
        "fast, and only the classes that it was trained on (ultralytics, AGPL-3.0)",
        dtypes=frozenset({"fp32", "fp16"}),
        kinds=("ultralytics",),
        defaults={"box_threshold": 0.3},
        tiny="tests.detect.tiny:yolo",
    ),
}
"""Each class takes a checkpoint folder and the score (0 to 1) that a box has to exceed."""


def class_names(folder: Path) -> tuple[str, ...]:
    """The classes that a checkpoint's detector was trained on, as its config.json names them; none if it takes any."""
    names = read_config(folder).get("names")
    return tuple(tidy(name) for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def load_detector(name: str, folder: Path, threshold: float | None = None) -> "Detector":
    """The detector `name`, or `auto`, on a checkpoint folder; without a `threshold` with its own.

    Raises ConfigError for an unknown name, CheckpointError for a folder that does not fit.
    """
    model = DETECTORS[choose(DETECTORS, name, folder)]
    return model.load()(folder, model.own("box_threshold", threshold))
