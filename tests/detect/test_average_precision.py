import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipelines.core.errors import InputError
from pipelines.detect.average_precision import average_precision, read_results

SAMPLES = Path("samples/detect/truth_boxes.json")
ASKED = {"강아지": "dog", "개": "dog", "새": "bird", "나무": "tree"}


def written(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture
def ground() -> dict:
    return json.loads(SAMPLES.read_text())


@pytest.fixture
def ids(ground) -> list[str]:
    return [image["file_name"] for image in ground["images"]]


@pytest.fixture
def results(ground) -> list[dict]:
    """The truth shifted a little, some of it left out, and some of a wrong class; every class of the samples."""
    random = np.random.default_rng(0)
    names = {each["id"]: each["name"] for each in ground["categories"]}
    files = {each["id"]: each["file_name"] for each in ground["images"]}
    found = []
    for box in ground["annotations"]:
        if random.random() < 0.8:
            wrong = random.random() < 0.15
            found.append(
                {
                    "image_id": files[box["image_id"]],
                    "category_id": 1,
                    "category": "dog" if wrong else names[box["category_id"]],
                    "bbox": (np.array(box["bbox"]) + random.normal(0, 1.5, 4)).round(2).tolist(),
                    "score": round(float(random.random()), 4),
                }
            )
    return found


def by_pycocotools(ground: dict, results: list[dict], asked: list[str], images: list[str]) -> tuple[float, float]:
    """pycocotools itself, its own loader and its own choice of images and categories."""
    numbers = {each["file_name"]: each["id"] for each in ground["images"]}
    categories = {each["name"]: each["id"] for each in ground["categories"]}
    truth = COCO()
    truth.dataset = ground
    truth.createIndex()
    own = [box | {"image_id": numbers[box["image_id"]], "category_id": categories[box["category"]]} for box in results]
    evaluation = COCOeval(truth, truth.loadRes(own), "bbox")
    evaluation.params.catIds = [categories[name] for name in asked]
    evaluation.params.imgIds = [numbers[name] for name in images]
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats[0], evaluation.stats[1]


@pytest.mark.parametrize("images", [60, 25])
def test_the_figures_are_those_of_pycocotools(capsys, ground, ids, results, images):
    ids = ids[:images]
    results = [box for box in results if box["image_id"] in ids]
    found, by_class = average_precision(results, SAMPLES, ASKED, ids)
    assert capsys.readouterr().out == ""
    assert (found.ap, found.ap50) == pytest.approx(by_pycocotools(ground, results, ["dog", "bird", "tree"], ids))
    assert 0 < found.ap < found.ap50 < 1
    for name in ("dog", "bird", "tree"):
        expected = by_pycocotools(ground, results, [name], ids)
        assert (by_class[name].ap, by_class[name].ap50) == pytest.approx(expected)


def test_no_boxes_have_no_precision(ids):
    found, by_class = average_precision([], SAMPLES, ASKED, ids)
    assert (found.ap, found.ap50) == (0, 0)
    assert by_class.keys() == {"dog", "bird", "tree"}


def test_ids_without_ending_and_names_in_korean(tmp_path, ground, ids, results):
    expected, _ = average_precision(results, SAMPLES, ASKED, ids)
    short = [box | {"image_id": Path(box["image_id"]).stem} for box in results]
    for image in ground["images"]:
        image["file_name"] = f"val/{image['file_name']}"
    for category in ground["categories"]:
        category["name"] = {"dog": "강아지", "tree": " Tree"}.get(category["name"], category["name"])
    truth = written(tmp_path / "truth.json", ground)
    found, _ = average_precision(short, truth, ASKED, [Path(name).stem for name in ids])
    assert found == expected


def test_a_crowd_is_no_miss(tmp_path, ground, ids):
    ground["annotations"] = [box | {"iscrowd": int(number > 0)} for number, box in enumerate(ground["annotations"])]
    first = ground["annotations"][0]
    name = {each["id"]: each["name"] for each in ground["categories"]}[first["category_id"]]
    box = {"image_id": ids[0], "category": name, "bbox": first["bbox"], "score": 1.0}
    truth = written(tmp_path / "truth.json", ground)
    found, _ = average_precision([box], truth, {name: name}, ids)
    assert found.ap == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"boxes": {}}, r"list of results .*boxes\.json"),
        ({"boxes": [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}]}, "category.*--boxes"),
        ({"boxes": [{"image_id": "x.jpg", "category": "dog", "bbox": [0, 0, 1, 1], "score": 1}]}, r"found some of 'x"),
        ({"truth": []}, r"ground truth .*truth\.json"),
        ({"asked": {"용": "dragon"}}, "categories named dragon in .*dog, cat, rabbit"),
        ({"ids": ["scene_000.jpg", "y.jpg"]}, r"none for 'y\.jpg'; it has 'scene_000\.jpg'"),
        ({"ids": ["scene_000.jpg"], "asked": {"cow": "cow"}}, "boxes of cow in .*found none"),
    ],
)
def test_files_that_do_not_fit(tmp_path, ground, ids, change, reason):
    boxes = written(tmp_path / "boxes.json", change.get("boxes", []))
    truth = written(tmp_path / "truth.json", change.get("truth", ground))
    with pytest.raises(InputError, match=reason):
        average_precision(read_results(boxes), truth, change.get("asked", ASKED), change.get("ids", ids))


def test_no_file_at_all(tmp_path, ids):
    with pytest.raises(InputError, match=r"COCO's JSON at .*none\.json"):
        read_results(tmp_path / "none.json")
    with pytest.raises(InputError, match=r"COCO's JSON at .*none\.json"):
        average_precision([], tmp_path / "none.json", ASKED, ids)
