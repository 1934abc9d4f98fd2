import json
from pathlib import Path

import pytest
import torch

from pipelines.core.errors import InputError
from pipelines.core.images.samples import Sample
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.boxes.files import BoxFile, category_numbers

QUERY = Query(Sample("a,1.jpg", Path("a,1.jpg")), ("dog", "cat"))
NUMBERS = {"dog": 1, "cat": 2}
FOUND = Detections(
    torch.tensor([[1.0, 2.0, 11.0, 22.004], [0.0, 0.0, 3.0, 3.0]]), torch.tensor([0.9, 0.25]), torch.tensor([1, 0])
)


@pytest.mark.parametrize(("name", "text"), [("b.csv", "image,class,score,x0,y0,x1,y1\n"), ("b.JSON", "[]\n")])
def test_no_boxes(tmp_path, name, text):
    BoxFile(tmp_path / name, {}).write()
    assert (tmp_path / name).read_text() == text


def test_csv(tmp_path):
    file = BoxFile(tmp_path / "new" / "b.csv", NUMBERS)
    file.add(QUERY, FOUND)
    assert list((tmp_path).iterdir()) == []
    file.write()
    assert (tmp_path / "new" / "b.csv").read_text().splitlines()[1:] == [
        '"a,1.jpg",cat,0.9000,1.00,2.00,11.00,22.00',
        '"a,1.jpg",dog,0.2500,0.00,0.00,3.00,3.00',
    ]


def test_coco(tmp_path):
    file = BoxFile(tmp_path / "b.json", NUMBERS)
    file.add(QUERY, FOUND)
    file.add(Query(Sample("b", Path("b")), ("dog",)), FOUND[torch.tensor([False, True])])
    file.write()
    results = json.loads((tmp_path / "b.json").read_text())
    assert results[0] == {
        "image_id": "a,1.jpg",
        "category_id": 2,
        "category": "cat",
        "bbox": [1.0, 2.0, 10.0, 20.0],
        "score": 0.9,
    }
    assert [(each["image_id"], each["category_id"], each["category"]) for each in results[1:]] == [
        ("a,1.jpg", 1, "dog"),
        ("b", 1, "dog"),
    ]


COCO = [{"id": 18, "name": "Dog"}, {"id": 17, "name": "고양이"}, {"id": 1, "name": "사람들"}]
PROMPTS = {"사람": "person", "고양이": "cat", "개": "dog"}


@pytest.mark.parametrize("content", [COCO, {"images": [], "categories": COCO}], ids=["alone", "annotations"])
def test_categories_of_a_file(tmp_path, content):
    path = tmp_path / "categories.json"
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    numbers = category_numbers(("person", "cat", "dog"), PROMPTS, path, {"고양이": "cat", "사람들": "person"})
    assert numbers == {"person": 1, "cat": 17, "dog": 18}


def test_without_a_file_the_prompts_are_counted():
    assert category_numbers(("person", "cat", "dog", "cat"), PROMPTS, None, {}) == {"person": 1, "cat": 2, "dog": 3}


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("[]", "found 0"),
        ("{}", "found others"),
        ("[1]", "found others"),
        ("torn", "found others"),
        (json.dumps([COCO[0], COCO[0]]), "names that differ"),
        (json.dumps(COCO[1:]), "none called dog or 개; it has 고양이, 사람들"),
        (None, "No such file"),
    ],
)
def test_files_that_number_nothing(tmp_path, content, part):
    path = tmp_path / "categories.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=part):
        category_numbers(("dog",), {"개": "dog"}, path, {})
