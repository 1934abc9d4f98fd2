"""What a run writes for two images is two files, and is called as ever where no two would share a name."""

import unicodedata

import pytest

from pipelines.anomaly.maps.files import map_name, map_path
from pipelines.anomaly.maps.heatmap import heatmap_name
from pipelines.core.images.names import file_names, own_name
from pipelines.detect.boxes.drawing import file_name


@pytest.mark.parametrize("short", [file_name, map_name, heatmap_name])
def test_names_are_as_ever_where_none_is_shared(short):
    images = ["scene_000.jpg", "test/0001.png", "강아지.jpg", "a b.jpeg", "x/y/z.webp"]
    assert file_names(images, short) == {image: short(image) for image in images}


@pytest.mark.parametrize("short", [file_name, map_name, heatmap_name])
@pytest.mark.parametrize(
    "images",
    [
        ["a%.jpg", "a#.jpg"],
        ["x/a.jpg", "x_a.jpg"],
        ["a.jpg", "a.png", "a"],
        ["a.png", "a.png.jpg"],
        ["a/b/c.jpg", "a_b/c.jpg", "a/b_c.jpg", "a_b_c.jpg"],
        ["..jpg", ".", "", "_"],
        ["가" * 82 + "1.jpg", "가" * 82 + "2.jpg", "나" * 82 + "/" + "가" * 82 + "1.png"],
    ],
)
def test_no_two_images_share_a_name(short, images):
    names = file_names(images, short)
    assert list(names) == images and len(set(names.values())) == len(images)
    assert all(len(part.encode()) <= 255 for name in names.values() for part in name.split("/"))
    assert names == {**file_names(images[::-1], short)}  # whatever their order


def test_the_one_that_is_called_so_keeps_its_name():
    names = file_names(["x/a.jpg", "x_a.jpg"], file_name)
    assert names["x_a.jpg"] == "x_a.jpg"
    assert names["x/a.jpg"].startswith("x_a-") and names["x/a.jpg"].endswith(".jpg")


def test_a_maps_name_of_its_own_is_found(tmp_path):
    names = file_names(["b/a.jpg", "b/a.png", "b/c.jpg"], map_name)
    for name in names.values():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert {image: map_path(tmp_path, image) for image in names} == {
        image: tmp_path / name for image, name in names.items()
    }


def test_a_name_is_the_same_in_nfc_and_nfd():
    composed = "강아지.jpg"
    decomposed = unicodedata.normalize("NFD", composed)
    assert own_name(composed, map_name) == own_name(decomposed, map_name)
