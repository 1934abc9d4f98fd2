import pytest
import torch

from pipelines.detect.boxes.counting import count, frames, suppress
from pipelines.detect.boxes.detections import Detections


def detections(rows: list[tuple[list[float], float, int]], full_above: float = 0.0) -> Detections:
    boxes, scores, classes = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections(
        torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores), torch.tensor(classes, dtype=torch.int64), full_above
    )


ONE, NEAR, FAR = [0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0], [50.0, 50.0, 60.0, 60.0]


@pytest.mark.parametrize("across_classes", [False, True])
def test_nothing_found_counts_as_zero(across_classes):
    found = suppress(detections([], full_above=0.25), 0.5, across_classes)
    assert len(found) == 0
    assert found.full_above == 0.25
    assert count(found, 3) == [0, 0, 0]


@pytest.mark.parametrize(
    ("rows", "iou", "across_classes", "counts", "scores"),
    [
        ([(ONE, 0.5, 0), (NEAR, 0.9, 0), (FAR, 0.7, 0)], 0.5, False, [2, 0], [0.9, 0.7]),
        ([(ONE, 0.5, 0), (NEAR, 0.9, 0)], 0.95, False, [2, 0], [0.9, 0.5]),
        ([(ONE, 0.5, 0), (NEAR, 0.9, 1)], 0.5, False, [1, 1], [0.9, 0.5]),
        ([(ONE, 0.5, 0), (NEAR, 0.9, 1)], 0.5, True, [0, 1], [0.9]),
    ],
)
def test_the_best_of_overlapping_boxes_stays(rows, iou, across_classes, counts, scores):
    found = suppress(detections(rows), iou, across_classes)
    assert count(found, 2) == counts
    assert found.scores.tolist() == pytest.approx(scores)


LEFT, RIGHT, BOTH = [0.0, 0.0, 10.0, 20.0], [12.0, 0.0, 22.0, 20.0], [0.0, 0.0, 22.0, 20.0]
TRUCK, FAR_LEFT = [0.0, 0.0, 60.0, 40.0], [1.0, 1.0, 8.0, 8.0]


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ([(LEFT, 0.5, 0), (RIGHT, 0.4, 0), (BOTH, 0.9, 0)], [2, 0]),
        ([(LEFT, 0.5, 0), (RIGHT, 0.4, 0), (BOTH, 0.9, 1)], [2, 1]),  # of another class: a pair of shoes
        ([(LEFT, 0.5, 0), (BOTH, 0.9, 0)], [2, 0]),  # of one part
        ([(LEFT, 0.5, 0), (FAR_LEFT, 0.4, 0), (TRUCK, 0.9, 0)], [3, 0]),  # small ones in front of a large one
        ([(LEFT, 0.5, 0), (RIGHT, 0.4, 1), (BOTH, 0.9, 0)], [2, 1]),
    ],
)
def test_a_frame_around_others_is_no_object(rows, counts):
    assert count(suppress(detections(rows), 0.7), 2) == counts
    assert sum(count(suppress(detections(rows), 0.7, drop_groups=False), 2)) == len(rows)


def test_what_frames_others_depends_on_which_there_are():
    found = detections([(LEFT, 0.5, 0), (RIGHT, 0.3, 0), (BOTH, 0.9, 0)])
    assert frames(found, torch.tensor([0.2, 0.4])).tolist() == [[False, False, True], [False, False, False]]
    assert frames(detections([]), torch.tensor([0.2])).shape == (1, 0)
