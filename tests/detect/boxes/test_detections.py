import pytest
import torch

from pipelines.detect.boxes.detections import Detections

BOXES, SCORES, CLASSES = torch.zeros(2, 4), torch.tensor([0.2, 0.8]), torch.tensor([1, 0])


def test_no_objects():
    found = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    assert len(found) == 0
    assert found.full_above == 0


@pytest.mark.parametrize(
    "parts",
    [
        (BOXES[:, :3], SCORES, CLASSES),
        (BOXES, SCORES[:1], CLASSES),
        (BOXES, SCORES, CLASSES[:, None]),
        (BOXES.double(), SCORES, CLASSES),
        (BOXES, SCORES, CLASSES.int()),
    ],
)
def test_shapes_and_dtypes_are_checked(parts):
    with pytest.raises(ValueError, match="expected"):
        Detections(*parts)


def test_a_part_of_them():
    found = Detections(BOXES, SCORES, CLASSES, full_above=0.1)[SCORES > 0.5]
    assert (found.scores.tolist(), found.class_ids.tolist(), found.full_above) == (pytest.approx([0.8]), [0], 0.1)
