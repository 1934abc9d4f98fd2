"""Writes the boxes that were counted, as a CSV or as COCO's results JSON."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.core.submission.writing import write_whole
from pipelines.detect.boxes.detections import Detections, Query

HEADER = ("image", "class", "score", "x0", "y0", "x1", "y1")


@dataclass(frozen=True)
class Box:
    """One counted object: the image's id, its English class, its score and its xyxy in source pixels."""

    image: str
    name: str
    score: float
    xyxy: tuple[float, float, float, float]


@dataclass
class BoxFile:
    """Collects boxes, and writes them whole or not at all."""

    path: Path
    boxes: list[Box] = field(default_factory=list)

    def add(self, query: Query, found: Detections) -> None:
        """Takes in one picture's objects."""
        rows = zip(found.class_ids.tolist(), found.scores.tolist(), found.xyxy.tolist(), strict=True)
        for class_id, score, (left, top, right, bottom) in rows:
            box = Box(query.sample.id, query.classes[class_id], score, (left, top, right, bottom))
            self.boxes.append(box)

    def write(self) -> None:
        """A CSV (HEADER) or, for a path that ends in .json, COCO's results."""
        write_whole(self.path, _coco(self.boxes) if self.path.suffix.lower() == ".json" else _csv(self.boxes))


def _csv(boxes: Sequence[Box]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for box in boxes:
        corners = [f"{corner:.2f}" for corner in box.xyxy]
        writer.writerow([box.image, box.name, f"{box.score:.4f}", *corners])
    return text.getvalue()


def _coco(boxes: Sequence[Box]) -> str:
    """A list of results: `image_id` is the image's id as text; `category_id` counts the classes from 1 as they come.

    COCO's `bbox` is left, top, width, height. `category` is the class by its name.
    """
    categories = {name: number for number, name in enumerate(dict.fromkeys(box.name for box in boxes), start=1)}
    results = []
    for box in boxes:
        left, top, right, bottom = box.xyxy
        results.append(
            {
                "image_id": box.image,
                "category_id": categories[box.name],
                "category": box.name,
                "bbox": [round(number, 2) for number in (left, top, right - left, bottom - top)],
                "score": round(box.score, 4),
            }
        )
    return json.dumps(results, ensure_ascii=False) + "\n"
