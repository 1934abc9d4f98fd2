"""Writes the boxes that were counted, as a CSV or as COCO's results JSON."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.core.errors import InputError
from pipelines.core.submission.naming import spelled
from pipelines.core.submission.writing import write_whole
from pipelines.core.words.lexicon import look_up
from pipelines.detect.boxes.detections import Detections, Query

SHOWN = 20
"""Categories of a file that a message lists."""
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
    numbers: Mapping[str, int]
    """English class -> its `category_id`."""
    boxes: list[Box] = field(default_factory=list)

    def add(self, query: Query, found: Detections) -> None:
        """Takes in one picture's objects."""
        rows = zip(found.class_ids.tolist(), found.scores.tolist(), found.xyxy.tolist(), strict=True)
        for class_id, score, (left, top, right, bottom) in rows:
            box = Box(query.sample.id, query.classes[class_id], score, (left, top, right, bottom))
            self.boxes.append(box)

    def write(self) -> None:
        """A CSV (HEADER) or, for a path that ends in .json, COCO's results."""
        write_whole(
            self.path, _coco(self.boxes, self.numbers) if self.path.suffix.lower() == ".json" else _csv(self.boxes)
        )


def _csv(boxes: Sequence[Box]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for box in boxes:
        corners = [f"{corner:.2f}" for corner in box.xyxy]
        writer.writerow([box.image, box.name, f"{box.score:.4f}", *corners])
    return text.getvalue()


def category_numbers(
    classes: Sequence[str], prompts: Mapping[str, str], categories: Path | None, lexicon: Mapping[str, str]
) -> dict[str, int]:
    """English class -> `category_id`: as the file of categories has it, else from 1 in the order of the classes.

    A category bears a class's English, its prompt (`prompts`: prompt -> English), or Korean that the lexicon knows.
    Raises InputError where the file has no such category.
    """
    if categories is None:
        return {name: number for number, name in enumerate(dict.fromkeys(classes), start=1)}
    named = read_categories(categories)
    known = {spelled(look_up(name, lexicon) or name): number for name, number in named.items()}
    known |= {spelled(name): number for name, number in named.items()}
    numbers = {}
    for name in dict.fromkeys(classes):
        words = (name, *(prompt for prompt, english in prompts.items() if english == name))
        number = next((known[spelled(word)] for word in words if spelled(word) in known), None)
        if number is None:
            raise InputError(
                f"expected a category for each of {', '.join(prompts)} in {categories}, found none called "
                f"{' or '.join(words)}; it has {', '.join(list(named)[:SHOWN])}"
            )
        numbers[name] = number
    return numbers


def read_categories(path: Path) -> dict[str, int]:
    """Name -> id of COCO's `categories`, in a file of annotations or by themselves. Raises InputError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        listed = content["categories"] if isinstance(content, dict) else content
        named = {str(each["name"]): int(each["id"]) for each in listed}
    except OSError as error:
        raise InputError(f"expected COCO's categories in {path}, but it cannot be read: {error.strerror}") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise InputError(f"expected COCO's categories (JSON, a list of id and name) in {path}, found others") from None
    if not named or len(named) < len(listed):
        raise InputError(f"expected categories with names that differ in {path}, found {len(listed)}")
    return named


def _coco(boxes: Sequence[Box], numbers: Mapping[str, int]) -> str:
    """A list of results: `image_id` is the image's id as text, `category_id` the class's number.

    COCO's `bbox` is left, top, width, height. `category` is the class by its name.
    """
    results = []
    for box in boxes:
        left, top, right, bottom = box.xyxy
        results.append(
            {
                "image_id": box.image,
                "category_id": numbers[box.name],
                "category": box.name,
                "bbox": [round(number, 2) for number in (left, top, right - left, bottom - top)],
                "score": round(box.score, 4),
            }
        )
    return json.dumps(results, ensure_ascii=False) + "\n"
