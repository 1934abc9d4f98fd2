import numpy as np
import pytest
import torch
from PIL import Image, ImageFont

from pipelines.core.images.samples import Sample
from pipelines.detect.boxes.detections import Detections, Query
from pipelines.detect.boxes.drawing import colour, draw, draw_boxes, file_name, label_font, speaks_hangul

NOTHING = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))


@pytest.fixture
def grey(tmp_path) -> Sample:
    path = tmp_path / "grey.png"
    Image.new("RGB", (120, 80), (128, 128, 128)).save(path)
    return Sample("sub/grey.png", path)


def test_nothing_found_leaves_the_picture(grey, tmp_path):
    path = tmp_path / "drawn" / file_name(grey.id)
    draw(Query(grey, ("dog",)), NOTHING, {}, path)
    assert path == tmp_path / "drawn" / "sub_grey.png.jpg"
    pixels = np.asarray(Image.open(path))
    assert pixels.shape == (80, 120, 3)
    assert np.abs(pixels.astype(int) - 128).max() <= 2


@pytest.mark.parametrize("box", [[20.0, 30.0, 100.0, 70.0], [0.0, 0.0, 120.0, 80.0], [119.5, 79.5, 120.0, 80.0]])
def test_a_box_has_a_frame_of_its_classs_colour(grey, tmp_path, box):
    found = Detections(torch.tensor([box]), torch.tensor([0.8]), torch.tensor([1]))
    path = tmp_path / file_name(grey.id)
    draw(Query(grey, ("dog", "cat")), found, {"cat": "고양이"}, path)
    pixels = np.asarray(Image.open(path)).astype(int)
    right, bottom = min(119, int(box[2]) - 1), min(79, int(box[3]) - 1)
    assert np.abs(pixels[bottom, right] - colour(1)).max() < 60


def test_boxes_are_drawn_onto_a_picture_without_a_file():
    picture = Image.new("RGB", (400, 200))
    draw_boxes(picture, ("dog", "cat"), NOTHING, {}, font_px=12)
    assert picture.getbbox() is None
    found = Detections(torch.tensor([[50.0, 80.0, 300.0, 180.0]]), torch.tensor([0.8]), torch.tensor([1]))
    draw_boxes(picture, ("dog", "cat"), found, {}, font_px=12)
    assert picture.getpixel((299, 179)) == picture.getpixel((299, 100)) == colour(1)
    assert picture.getpixel((200, 150)) == (0, 0, 0)
    left, top, right, bottom = picture.getbbox()
    assert (left, right, bottom) == (50, 300, 180)
    larger = Image.new("RGB", (400, 200))
    draw_boxes(larger, ("dog", "cat"), found, {}, font_px=36)
    assert larger.getbbox()[1] < top < 80  # the label stands above the box


def test_labels_need_no_hangul(grey, tmp_path):
    """A word that the font lacks would be drawn as empty squares."""
    assert not speaks_hangul(ImageFont.load_default(12))
    font = label_font(20)
    if speaks_hangul(font):
        assert bytes(font.getmask("강")) != bytes(font.getmask("\U0010fffe"))


@pytest.mark.parametrize(
    ("sample_id", "name"),
    [
        ("", "_.jpg"),
        ("a.jpg", "a.jpg"),
        ("a.JPEG", "a.JPEG"),
        ("test/0001", "test_0001.jpg"),
        ("../../etc/passwd", "_.._etc_passwd.jpg"),
        ("강아지 1.png", "강아지 1.png.jpg"),
        ("a\\b\0c", "a_b_c.jpg"),
    ],
)
def test_file_names(sample_id, name):
    assert file_name(sample_id) == name


def test_classes_have_colours_of_their_own():
    assert len({colour(number) for number in range(40)}) == 40
