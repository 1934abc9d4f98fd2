from pathlib import Path

import pytest
import torch

from pipelines.core.images.samples import Sample
from pipelines.demo.detect.counting import Found, split_prompts
from pipelines.detect.boxes.detections import Detections
from pipelines.detect.prompts import English

DOG = English("dog", "lexicon")


def boxes(*rows, full_above=0.0):
    """Detections of (left, top, right, bottom, score, class) rows."""
    table = torch.tensor(rows).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4], table[:, 5].long(), full_above)


SCENE = boxes((0, 0, 10, 10, 0.9, 0), (0, 0, 10, 9, 0.3, 0), (0, 0, 10, 10, 0.5, 1), (50, 50, 60, 60, 0.2, 1))


def found(*photos, across_classes=False):
    """Two words for dogs and one for cats, in photos a, b, ..."""
    samples = [Sample(name, Path(name)) for name in "abcdef"]
    prompts = {"강아지": DOG, "고양이": English("cat", "lexicon"), "개": DOG}
    pairs = list(zip(samples, photos, strict=False))
    return Found(prompts, ("dog", "cat"), list(prompts), [0, 1, 0], across_classes, pairs, 0.3)


@pytest.mark.parametrize(
    ("typed", "prompts"),
    [
        ("", []),
        (" , ,", []),
        ("강아지", ["강아지"]),
        (" 강아지 ,고양이,, 강아지, red car ", ["강아지", "고양이", "red car"]),
        ("강아지，고양이、새\n개", ["강아지", "고양이", "새", "개"]),
    ],
)
def test_prompts_stand_between_commas(typed, prompts):
    assert split_prompts(typed) == prompts


def test_no_photos():
    table = found().submission(found().counted(0.1, 0.5))
    assert list(table.columns) == ["image", "강아지", "고양이", "개"]
    assert table.empty


@pytest.mark.parametrize(
    ("threshold", "iou", "across_classes", "row"),
    [
        (0.1, 0.5, False, [1, 2, 1]),
        (0.1, 1.0, False, [2, 2, 2]),
        (0.2, 1.0, False, [2, 1, 2]),  # a score has to exceed the threshold
        (0.4, 0.5, False, [1, 1, 1]),
        (0.1, 0.5, True, [1, 1, 1]),
        (0.95, 0.5, False, [0, 0, 0]),
    ],
)
def test_boxes_are_counted_as_the_sliders_say(threshold, iou, across_classes, row):
    asked = found(SCENE, across_classes=across_classes)
    assert asked.submission(asked.counted(threshold, iou)).values.tolist() == [["a", *row]]


def test_a_photo_that_could_not_be_looked_at_has_its_row():
    asked = found(boxes(), None, SCENE)
    table = asked.submission(asked.counted(0.1, 0.5))
    assert table.values.tolist() == [["a", 0, 0, 0], ["b", 0, 0, 0], ["c", 1, 2, 1]]


def test_photos_with_a_box_in_every_slot():
    asked = found(boxes((0, 0, 1, 1, 0.5, 0), full_above=0.4), None, SCENE)
    assert [asked.full(threshold) for threshold in (0.3, 0.4)] == [1, 0]
