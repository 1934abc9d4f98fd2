"""The average precision of a run's boxes, by pycocotools: images are matched by file name, classes by their names."""

import contextlib
import io
import json
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.core.errors import InputError

TRUTH_KEYS = frozenset({"images", "annotations", "categories"})
RESULT_KEYS = frozenset({"image_id", "category", "bbox", "score"})


@dataclass(frozen=True)
class Precision:
    """Average precision, 0 to 1: over COCO's ten IoUs from 0.5 to 0.95 (`ap`), and at the IoU 0.5 (`ap50`)."""

    ap: float
    ap50: float


def read_results(path: Path) -> list[dict[str, Any]]:
    """COCO's results as `BoxFile` writes them, with `image_id` and `category` as text. Raises InputError."""
    results = _read(path)
    if not isinstance(results, list) or not all(isinstance(box, dict) and box.keys() >= RESULT_KEYS for box in results):
        raise InputError(
            f"expected a list of results ({', '.join(sorted(RESULT_KEYS))}) in {path}, as --boxes writes it"
        )
    return results


def average_precision(
    results: Sequence[Mapping[str, Any]], truth: Path, asked: Mapping[str, str], ids: Sequence[str]
) -> tuple[Precision, dict[str, Precision]]:
    """The mean over the asked classes, and each English class by itself, of those that the truth has boxes of.

    `results` are of `read_results`, `truth` is COCO's ground truth with more images and classes where it likes: only
    the submission's `ids` and the classes in `asked` (prompt -> English) count. A category of the truth bears the
    English or the prompt as its name. Raises InputError where a file is not of its kind, or an id or class is not in
    the truth.
    """
    ground = _read_truth(truth)
    english = list(dict.fromkeys(asked.values()))
    place = {_name(word): english.index(word) for word in english}
    place |= {_name(prompt): english.index(word) for prompt, word in asked.items()}
    named = {each["id"]: _name(each["name"]) for each in ground["categories"]}
    categories = {number: place[name] for number, name in named.items() if name in place}
    lacking = [word for number, word in enumerate(english) if number not in categories.values()]
    if lacking:
        raise InputError(
            f"expected categories named {', '.join(lacking)} in {truth}, found {', '.join(named.values()) or 'none'}"
        )
    images = _images(ground["images"], ids, truth)
    numbers = set(images.values())
    strange = [key for key in dict.fromkeys(each["image_id"] for each in results) if _nfc(key) not in images]
    if strange:
        raise InputError(f"expected boxes of the submission's images in --boxes, found some of {strange[0]!r}")
    wanted = [
        _annotation(each["image_id"], categories[each["category_id"]], each["bbox"])
        | {key: each[key] for key in ("area", "iscrowd") if key in each}
        for each in ground["annotations"]
        if each["image_id"] in numbers and each["category_id"] in categories
    ]
    found = [
        _annotation(images[_nfc(each["image_id"])], place[_name(each["category"])], each["bbox"])
        | {"score": each["score"]}
        for each in results
        if _name(each["category"]) in place
    ]
    if not wanted:
        raise InputError(f"expected boxes of {', '.join(english)} in {truth}, found none in the submission's images")
    return _evaluated(sorted(numbers), english, found, wanted)


def _evaluated(
    images: Sequence[int], classes: Sequence[str], found: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> tuple[Precision, dict[str, Precision]]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    sets = []
    with contextlib.redirect_stdout(io.StringIO()):
        for boxes in (wanted, found):
            coco = COCO()
            coco.dataset = {
                "images": [{"id": number} for number in images],
                "categories": [{"id": number} for number in range(len(classes))],
                # COCOeval takes the id 0 for "no match"
                "annotations": [box | {"id": number} for number, box in enumerate(boxes, start=1)],
            }
            coco.createIndex()
            sets.append(coco)
        evaluation = COCOeval(*sets, iouType="bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]  # (IoUs, recalls, classes) of all sizes; -1: no truth
    by_class = {
        name: Precision(float(precision[:, :, place].mean()), float(precision[0, :, place].mean()))
        for place, name in enumerate(classes)
        if precision[0, 0, place] >= 0
    }
    return Precision(float(evaluation.stats[0]), float(evaluation.stats[1])), by_class


def _annotation(image: int, category: int, bbox: Sequence[float]) -> dict[str, Any]:
    """A box (left, top, width, height in pixels) as COCO has it."""
    return {"image_id": image, "category_id": category, "bbox": bbox, "area": math.prod(bbox[2:]), "iscrowd": 0}


def _images(listed: Iterable[Mapping[str, Any]], ids: Sequence[str], truth: Path) -> dict[str, int]:
    """Each id, in NFC, and the truth's number of its image, which it names with or without folder and ending."""
    whole: dict[str, int] = {}
    short: dict[str, int | None] = {}  # None: several images of that name
    for image in listed:
        path = Path(_nfc(image["file_name"]))
        whole[path.as_posix()] = image["id"]
        for name in {path.with_suffix("").as_posix(), path.name, path.stem}:
            short[name] = None if name in short else image["id"]
    images: dict[str, int] = {}
    for key in ids:
        name = _nfc(key)
        number = whole.get(name, short.get(name))
        if number is None:
            raise InputError(
                f"expected an image (file_name) for each of the submission's ids in {truth}, found none for {key!r}; "
                f"it has {next(iter(whole), 'none at all')!r}"
            )
        images[name] = number
    return images


def _name(text: str) -> str:
    return " ".join(_nfc(text).lower().split())


def _nfc(text: object) -> str:
    return unicodedata.normalize("NFC", str(text))


def _read_truth(path: Path) -> dict[str, Any]:
    ground = _read(path)
    if not isinstance(ground, dict) or not ground.keys() >= TRUTH_KEYS:
        raise InputError(f"expected COCO's ground truth ({', '.join(sorted(TRUTH_KEYS))}) in {path}, found other JSON")
    return ground


def _read(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"expected boxes as COCO's JSON at {path}, but it cannot be read: {error}") from None
