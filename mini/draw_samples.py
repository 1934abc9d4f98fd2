"""Draws the caption, detect, search and classify samples, with their truth, from seeds that training never saw."""

import argparse
import csv
import itertools
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from mini.world import (
    CAPTION_SAMPLE_SEED,
    CLASSIFY_SAMPLE_SEED,
    DETECT_SAMPLE_SEED,
    KINDS,
    SEARCH_SAMPLE_SEED,
    Scene,
    korean_sentence,
    scene,
    sentence,
)
from pipelines.core.terminal import settle

SAMPLES = Path("samples")
IMAGES_A_TASK, SEARCHED_IMAGES = 60, 200
SIZE_PX = 160

ASKED_KINDS = ("dog", "cat", "bird", "car", "bicycle", "apple", "tree", "umbrella")
"""The kinds that the detect samples count, a column each."""


def draw_caption_samples(folder: Path) -> None:
    """Write images/, truth.csv (image, caption in Korean, english) and sample_submission.csv to `folder`."""
    rows, blanks = [], []
    for index in range(IMAGES_A_TASK):
        drawn = scene(random.Random(CAPTION_SAMPLE_SEED + index), SIZE_PX)
        name = save_image(drawn, folder, index)
        counts = Counter(drawn.kinds)
        rows.append([name, korean_sentence(counts), sentence(counts)])
        blanks.append([name, ""])
    write_csv(folder / "truth.csv", ["image", "caption", "english"], rows)
    write_csv(folder / "sample_submission.csv", ["image", "caption"], blanks)


def draw_detect_samples(folder: Path) -> None:
    """Write images/, truth.csv, sample_submission.csv (image and a count a kind) and truth_boxes.json to `folder`."""
    rows, blanks, scenes = [], [], {}
    for index in range(IMAGES_A_TASK):
        drawn = detect_scene(random.Random(DETECT_SAMPLE_SEED + index))
        name = save_image(drawn, folder, index)
        rows.append([name, *(drawn.kinds.count(kind) for kind in ASKED_KINDS)])
        blanks.append([name, *(0 for _ in ASKED_KINDS)])
        scenes[name] = drawn
    header = ["image", *(KINDS[kind].korean for kind in ASKED_KINDS)]
    write_csv(folder / "truth.csv", header, rows)
    write_csv(folder / "sample_submission.csv", header, blanks)
    boxes = json.dumps(coco(scenes), ensure_ascii=False)
    (folder / "truth_boxes.json").write_text(boxes + "\n", encoding="utf-8")


def detect_scene(rng: random.Random, asked: Sequence[str] = ASKED_KINDS) -> Scene:
    """Draw 1 to 6 objects of two to four asked kinds and, in half of the scenes, of one kind that nobody asks for."""
    shown = rng.sample(asked, rng.randint(2, 4))
    distractors = rng.sample([kind for kind in KINDS if kind not in asked], rng.randint(0, 1))
    return scene(rng, SIZE_PX, kinds=[*shown, *distractors])


def draw_search_samples(folder: Path) -> None:
    """Write images/ of scenes that all differ in what they show, and truth.csv (image, caption in Korean, english)."""
    scenes = (scene(random.Random(SEARCH_SAMPLE_SEED + index), SIZE_PX) for index in itertools.count())
    rows = []
    for index, drawn in enumerate(distinct(scenes, SEARCHED_IMAGES)):
        counts = Counter(drawn.kinds)
        rows.append([save_image(drawn, folder, index), korean_sentence(counts), sentence(counts)])
    write_csv(folder / "truth.csv", ["image", "caption", "english"], rows)


def draw_classify_samples(folder: Path) -> None:
    """Write images/ of one to three things of a kind, labels.txt (the kinds in Korean), truth.csv and a sample."""
    labels = [kind.korean for kind in KINDS.values()]
    rows = []
    for index in range(IMAGES_A_TASK):
        name, label = list(KINDS)[index % len(KINDS)], labels[index % len(KINDS)]
        drawn = scene(random.Random(CLASSIFY_SAMPLE_SEED + index), SIZE_PX, most=3, kinds=[name])
        rows.append([save_image(drawn, folder, index), label])
    write_csv(folder / "truth.csv", ["image", "label"], rows)
    write_csv(folder / "sample_submission.csv", ["image", "label"], [[name, labels[0]] for name, _ in rows])
    (folder / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")


def distinct(scenes: Iterable[Scene], count: int) -> list[Scene]:
    """The first `count` scenes that all differ in what they show, so that a sentence means one of them."""
    by_sentence: dict[str, Scene] = {}
    for drawn in scenes:
        by_sentence.setdefault(sentence(Counter(drawn.kinds)), drawn)
        if len(by_sentence) == count:
            break
    return list(by_sentence.values())


def coco(scenes: dict[str, Scene]) -> dict[str, list[dict[str, object]]]:
    """All boxes, of distractors too, in COCO's format: bbox is [x, y, width, height] in pixels, ids count from 1."""
    category_ids = {kind: index for index, kind in enumerate(KINDS, start=1)}
    images: list[dict[str, object]] = []
    annotations: list[dict[str, object]] = []
    for image_id, (name, drawn) in enumerate(scenes.items(), start=1):
        images.append({"id": image_id, "file_name": name, "width": SIZE_PX, "height": SIZE_PX})
        for (left, top, right, bottom), kind in zip(drawn.boxes, drawn.kinds, strict=True):
            width, height = right - left, bottom - top
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": category_ids[kind],
                    "bbox": [left, top, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    categories: list[dict[str, object]] = [{"id": category_ids[kind], "name": kind} for kind in KINDS]
    return {"images": images, "annotations": annotations, "categories": categories}


def save_image(drawn: Scene, folder: Path, index: int) -> str:
    """Save the picture as a JPEG with full colour resolution under `folder`/images; returns its file name."""
    name = f"scene_{index:03d}.jpg"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    drawn.image.save(folder / "images" / name, quality=95, subsampling=0)
    return name


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write UTF-8 with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def main() -> None:
    """Draw the tasks' samples; the files come out the same every time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=SAMPLES, help="where caption/, detect/ ... go (%(default)s)")
    folder = parser.parse_args().folder
    draw_caption_samples(folder / "caption")
    draw_detect_samples(folder / "detect")
    draw_search_samples(folder / "search")
    draw_classify_samples(folder / "classify")
    print(f"{IMAGES_A_TASK} scenes each drawn to caption, detect and classify in {folder}, {SEARCHED_IMAGES} to search")


if __name__ == "__main__":
    settle()
    main()
