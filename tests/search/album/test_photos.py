"""A photo is read as `decode` sees it, sooner, and with what its file says of it."""

import io
from datetime import datetime

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational
from torchvision.transforms.v2 import functional as tv

from pipelines.core.errors import ImageError
from pipelines.core.images.decode import decode
from pipelines.core.images.preprocess import PreprocessSpec, ShortestEdge, Squash
from pipelines.core.notes import noticing
from pipelines.search.album.photos import COLOURS, THUMBNAIL, dominant_colour, least_side, read_photo
from tests.search.conftest import draw


def exif(orientation=1, **tags):
    made = Image.Exif()
    made[ExifTags.Base.Orientation] = orientation
    for name, value in tags.items():
        made[ExifTags.Base[name]] = value
    return made


def seoul(south=False, degrees=(37.0, 33.0, 59.4)):
    made = exif()
    made.get_ifd(ExifTags.IFD.GPSInfo).update({1: "S" if south else "N", 2: degrees, 3: "E", 4: (126.0, 58.0, 40.8)})
    return made


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_is_the_same_picture_upright(tmp_path, orientation):
    path = draw(tmp_path / "a.jpg", 0, (1200, 800), exif=exif(orientation), quality=95)
    photo, whole = read_photo(path, 64), decode(path)
    assert min(photo.pixels.shape[1:]) == 400 and photo.pixels.is_contiguous()
    assert (photo.details.height, photo.details.width) == whole.shape[1:]
    small = [tv.resize(pixels, [32, 32], antialias=True).float() for pixels in (photo.pixels, whole)]
    assert (small[0] - small[1]).abs().mean() < 1


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tiff"])
@pytest.mark.parametrize("least", [None, 16])
def test_what_is_small_or_no_jpeg_is_read_whole(tmp_path, name, least):
    path = draw(tmp_path / name, 0, (400, 300))
    photo = read_photo(path, least)
    assert torch.equal(photo.pixels, decode(path))


def test_a_cmyk_jpeg_is_reduced_too(tmp_path):
    path = draw(tmp_path / "rgb.jpg", 0, (1200, 800))
    Image.open(path).convert("CMYK").save(tmp_path / "a.jpg")
    photo = read_photo(tmp_path / "a.jpg", 64)
    assert photo.pixels.shape == (3, 400, 600)
    assert (tv.resize(decode(path), [400, 600]).float() - photo.pixels.float()).abs().mean() < 5


def test_the_thumbnail_is_a_small_jpeg_of_the_upright_picture(tmp_path):
    photo = read_photo(draw(tmp_path / "a.jpg", 0, (1200, 800), exif=exif(6)), 64)
    with Image.open(io.BytesIO(photo.thumbnail)) as thumbnail:
        assert thumbnail.format == "JPEG" and thumbnail.size == (round(THUMBNAIL * 2 / 3), THUMBNAIL)
        left = np.asarray(thumbnail)[:, :10].mean()
    assert left == pytest.approx(decode(tmp_path / "a.jpg")[:, :, :50].float().mean().item(), abs=8)


@pytest.mark.parametrize(("size", "expected"), [((40, 30), (40, 30)), ((2000, 2), (256, 1))])
def test_a_thumbnail_is_never_enlarged_nor_empty(tmp_path, size, expected):
    photo = read_photo(draw(tmp_path / "a.png", 0, size), None)
    assert Image.open(io.BytesIO(photo.thumbnail)).size == expected


def test_time_camera_and_place_are_read(tmp_path):
    tags = seoul()
    tags[ExifTags.Base.Make], tags[ExifTags.Base.Model] = "Apple\0", "iPhone 15"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2024:05:06 07:08:09"
    details = read_photo(draw(tmp_path / "a.jpg", 0, exif=tags), None).details
    assert (details.taken, details.camera) == (datetime(2024, 5, 6, 7, 8, 9), "Apple iPhone 15")
    assert (details.latitude, details.longitude) == pytest.approx((37.5665, 126.978))


def test_the_south_is_negative(tmp_path):
    assert read_photo(draw(tmp_path / "a.jpg", 0, exif=seoul(south=True)), None).details.latitude < 0


@pytest.mark.parametrize(
    ("tags", "camera"),
    [
        (exif(), None),
        (exif(Model="X100"), "X100"),
        (exif(Make="Canon", Model="Canon EOS R5"), "Canon EOS R5"),
        (exif(DateTime="0000:00:00 00:00:00"), None),
        (seoul(degrees=(91.0, 0.0, 0.0)), None),
        (seoul(degrees=(IFDRational(0, 0), 0.0, 0.0)), None),
    ],
)
def test_what_a_file_does_not_say_or_says_wrongly_is_none(tmp_path, tags, camera):
    details = read_photo(draw(tmp_path / "a.jpg", 0, exif=tags), None).details
    assert (details.taken, details.camera, details.latitude, details.longitude) == (None, camera, None, None)


def test_the_time_of_the_file_stands_in(tmp_path):
    path = draw(tmp_path / "a.jpg", 0, exif=exif(DateTime="2020:01:02 03:04:05"))
    assert read_photo(path, None).details.taken == datetime(2020, 1, 2, 3, 4, 5)


def test_damaged_exif_does_not_cost_the_picture(tmp_path):
    path = draw(tmp_path / "a.jpg", 0, exif=seoul())
    data = bytearray(path.read_bytes())
    start = data.index(b"Exif") + 14
    data[start : start + 60] = bytes([255]) * 60
    path.write_bytes(data)
    assert torch.equal(read_photo(path, None).pixels, decode(path))


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut"])
def test_what_decode_refuses_is_refused(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(ImageError):
        read_photo(tmp_path / "a.jpg", 64)


def test_of_a_truncated_jpeg_what_is_there_is_read_reduced_and_it_is_noticed(tmp_path):
    path = draw(tmp_path / "a.jpg", 0, (1200, 800))
    whole = read_photo(path, 64).pixels
    path.write_bytes(path.read_bytes()[:-3000])
    with noticing() as noticed:
        found = read_photo(path, 64).pixels
    assert found.shape == whole.shape and found[:, 0].equal(whole[:, 0]) and not found.equal(whole)
    assert "truncated" in noticed[str(path)]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ImageError, match="cannot be decoded"):
        read_photo(path, 64)


SWATCHES = {
    "red": (200, 20, 30), "orange": (250, 140, 20), "yellow": (250, 230, 60), "green": (50, 140, 60),
    "cyan": (60, 200, 210), "blue": (30, 60, 190), "purple": (120, 40, 170), "pink": (250, 160, 180),
    "brown": (110, 70, 40), "black": (10, 10, 30), "grey": (128, 125, 130), "white": (245, 245, 240),
}  # fmt: skip


@pytest.mark.parametrize("name", COLOURS)
def test_a_plain_picture_has_its_colour(name):
    picture = torch.tensor(SWATCHES[name], dtype=torch.uint8).view(3, 1, 1).expand(3, 20, 300)
    assert dominant_colour(picture) == name


def test_the_colour_of_most_pixels_is_the_dominant_one():
    picture = torch.zeros(3, 30, 30, dtype=torch.uint8)
    picture[2, :20] = 200
    assert dominant_colour(picture) == "blue"


@pytest.mark.parametrize(("resize", "expected"), [(None, None), (Squash((224, 200)), 448), (ShortestEdge(336), 672)])
def test_twice_the_networks_size_is_read(resize, expected):
    assert least_side(PreprocessSpec(resize, (0, 0, 0), (1, 1, 1))) == expected
