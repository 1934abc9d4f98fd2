"""Ultralytics YOLO: a detector of the classes that it was trained on, and no others.

A checkpoint folder holds config.json and model.safetensors, as `python -m pipelines.detect.convert` makes them. The
architecture is named, not described, and comes from the ultralytics package: a description can run code.
"""

import functools
import importlib
import json
import os
import re
import tempfile
from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_model

from pipelines.core.errors import CheckpointError, InputError
from pipelines.core.images.decode import image_size
from pipelines.core.images.preprocess import (
    PreprocessSpec,
    ShortestEdge,
    bucket,
    normalise,
    pad,
    resize,
)
from pipelines.core.running.batch_model import Batch
from pipelines.core.words.lexicon import tidy
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.models.detector import above, in_source, read_queries

MODEL_TYPE = "ultralytics"
STRIDE = 32  # pixels: the largest of the named architectures
HEADS = ("Detect", "v10Detect")  # those that give boxes and nothing else
GREY = 114 / 255  # what YOLO's training pads with


class Yolo:
    """Boxes of the classes that a YOLO checkpoint was trained on; a box is of the class that scores highest of all."""

    dtypes = frozenset({torch.float32, torch.float16})

    def __init__(self, folder: Path, threshold: float) -> None:
        """Loads a checkpoint folder; `threshold` (0 to 1) is the score that a box has to exceed.

        Raises CheckpointError for a folder that does not fit.
        """
        architecture, names, side = _settings(folder)
        self.names = [tidy(name) for name in names]
        self.threshold = threshold
        self.module = _network(architecture, len(names), folder)
        self.spec = PreprocessSpec(
            resize=ShortestEdge(side, side),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            interpolation="bilinear",
            pad_multiple=STRIDE,
        )

    def check(self, classes: Sequence[str]) -> None:
        """Raises InputError, listing the classes that there are, for any other."""
        others = [name for name in classes if tidy(name) not in self.names]
        if others:
            raise InputError(
                f"expected classes that this YOLO was trained on ({', '.join(self.names)}), found {', '.join(others)}; "
                "the model grounding-dino takes any words"
            )

    def shape_key(self, query: Query) -> Hashable:
        """The padded size and the classes."""
        return bucket(image_size(query.sample.path), self.spec), query.classes

    def prepare(self, queries: Sequence[Query]) -> Batch:
        """`pixels` uint8 (B, 3, H, W) with `mask` (B, H, W), `size_hw` and `resized_hw` (B, 2), and `classes`."""
        resized, batch = read_queries(queries, partial(resize, spec=self.spec))
        pixels, mask = pad(resized, self.spec)
        resized_hw = torch.tensor([image.shape[-2:] for image in resized])
        return {"pixels": pixels, "mask": mask, "resized_hw": resized_hw, **batch}

    def predict(self, batch: Batch) -> list[Detections]:
        """The boxes above the threshold, one Detections a picture."""
        self.check(batch["classes"])
        dtype = next(self.module.parameters()).dtype
        values = normalise(batch["pixels"], self.spec, dtype).masked_fill(~batch["mask"].unsqueeze(1), GREY)
        predictions = self.module(values)[0].float().transpose(1, 2)  # (B, anchors, 4 + classes): cxcywh px, scores
        height, width = batch["resized_hw"].to(torch.float32).unbind(-1)
        cxcywh = predictions[..., :4] / torch.stack([width, height, width, height], dim=-1).unsqueeze(1)
        scores, ids = predictions[..., 4:].max(dim=-1)
        rows = in_source(torch.cat([cxcywh, torch.stack([scores, ids], dim=-1)], dim=-1), batch["size_hw"])
        places = torch.full((len(self.names),), -1.0)  # of the classes that nobody asked for
        for place, name in enumerate(batch["classes"]):
            places[self.names.index(tidy(name))] = place
        rows[..., 5] = places[rows[..., 5].long()]
        return [above(of_picture, self.threshold) for of_picture in rows]


def ultralytics_module(name: str) -> Any:  # noqa: ANN401 - a module without types
    """Imports `name` of ultralytics, which left alone would ask the network, write to HOME and install packages."""
    os.environ.setdefault("YOLO_CONFIG_DIR", _settings_folder().name)
    for variable, value in (("YOLO_OFFLINE", "true"), ("YOLO_AUTOINSTALL", "false"), ("YOLO_VERBOSE", "false")):
        os.environ.setdefault(variable, value)
    return importlib.import_module(name)


@functools.cache
def _settings_folder() -> "tempfile.TemporaryDirectory[str]":
    """Where ultralytics may write its settings; it goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="yolo-")


def architecture_of(name: str) -> dict[str, Any]:
    """The description of `name`, such as yolo11n, that ships with ultralytics. Raises CheckpointError where it is none.

    Sizes share a file: yolo11n is size n of yolo11.yaml.
    """
    utils = ultralytics_module("ultralytics.utils")
    files = {path.stem: path for path in (utils.ROOT / "cfg" / "models").rglob("*.yaml")}
    parts = re.fullmatch(r"(yolov?\d+)([a-z]?)((?:-\w+)?)", name)
    file = parts and (files.get(name) or files.get(parts[1] + parts[3]))
    if not parts or not file:
        raise CheckpointError(f"expected an architecture that ultralytics ships, such as yolo11n, found {name!r}")
    description: dict[str, Any] = utils.YAML.load(file)
    scale, scales = parts[2], description.get("scales")
    if description["head"][-1][2] not in HEADS or (scale not in scales if scales else file.stem != name):
        raise CheckpointError(f"expected a YOLO that detects, in a size that there is, found {name!r}")
    return description | {"scale": scale}


def _settings(folder: Path) -> tuple[str, list[str], int]:
    """Architecture, class names and input side (px) from config.json."""
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    names = settings.get("names")
    architecture, side = settings.get("architecture"), settings.get("image_size", 640)
    if settings.get("model_type") != MODEL_TYPE or not isinstance(architecture, str) or not isinstance(side, int):
        raise CheckpointError(
            f"expected {folder / 'config.json'} of a YOLO (model_type {MODEL_TYPE}, architecture, names, image_size), "
            f"found model_type {settings.get('model_type')}; `python -m pipelines.detect.convert` makes it from a .pt"
        )
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"expected a list of class names in {folder / 'config.json'}, found {names!r}")
    return architecture, names, side


def _network(architecture: str, classes: int, folder: Path) -> Any:  # noqa: ANN401 - a module without types
    """The network with its weights. Of two heads the one that leaves duplicates to NMS answers, as in all others."""
    tasks = ultralytics_module("ultralytics.nn.tasks")
    module = tasks.DetectionModel(architecture_of(architecture), nc=classes, verbose=False).eval()
    module.end2end = False
    weights = sorted(folder.glob("*.safetensors"))
    try:
        load_model(module, weights[0])
    except Exception as error:
        raise CheckpointError(
            f"expected the weights of {architecture} with {classes} classes in {weights[0]}, but they do not fit: "
            f"{' '.join(str(error).split())[:300]}"
        ) from None
    return module
