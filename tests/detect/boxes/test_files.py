import json
from pathlib import Path

import pytest
import torch

from pipelines.core.images.samples import Sample
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.boxes.files import BoxFile

QUERY = Query(Sample("a,1.jpg", Path("a,1.jpg")), ("dog", "cat"))
FOUND = Detections(
    torch.tensor([[1.0, 2.0, 11.0, 22.004], [0.0, 0.0, 3.0, 3.0]]), torch.tensor([0.9, 0.25]), torch.tensor([1, 0])
)


@pytest.mark.parametrize(("name", "text"), [("b.csv", "image,class,score,x0,y0,x1,y1\n"), ("b.JSON", "[]\n")])
def test_no_boxes(tmp_path, name, text):
    BoxFile(tmp_path / name).write()
    assert (tmp_path / name).read_text() == text


def test_csv(tmp_path):
    file = BoxFile(tmp_path / "new" / "b.csv")
    file.add(QUERY, FOUND)
    assert list((tmp_path).iterdir()) == []
    file.write()
    assert (tmp_path / "new" / "b.csv").read_text().splitlines()[1:] == [
        '"a,1.jpg",cat,0.9000,1.00,2.00,11.00,22.00',
        '"a,1.jpg",dog,0.2500,0.00,0.00,3.00,3.00',
    ]


def test_coco(tmp_path):
    file = BoxFile(tmp_path / "b.json")
    file.add(QUERY, FOUND)
    file.add(Query(Sample("b", Path("b")), ("dog",)), FOUND[torch.tensor([False, True])])
    file.write()
    results = json.loads((tmp_path / "b.json").read_text())
    assert results[0] == {
        "image_id": "a,1.jpg",
        "category_id": 1,
        "category": "cat",
        "bbox": [1.0, 2.0, 10.0, 20.0],
        "score": 0.9,
    }
    assert [(each["image_id"], each["category_id"], each["category"]) for each in results[1:]] == [
        ("a,1.jpg", 2, "dog"),
        ("b", 2, "dog"),
    ]
