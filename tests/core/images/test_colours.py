"""Colours of a profile become sRGB's; a picture that is sRGB's already keeps every bit."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from pipelines.core.images.colours import is_srgb, transform_of
from pipelines.core.images.decode import decode
from pipelines.search.album.photos import read_photo
from tests.corpus.profiles import PRIMARIES, fixed, in_space, profile

PHOTOS = Path(__file__).parents[4] / "shared/data/coco/images"
GREEN = (40, 160, 60)
OTHERS = [space for space in PRIMARIES if space != "sRGB"]
TABLE = b"curv\0\0\0\0" + struct.pack(">I", 1024) + b"".join(
    struct.pack(">H", round(65535 * (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4)))
    for x in np.arange(1024) / 1023
)  # fmt: skip
"""As the profile that most cameras write, sRGB IEC61966-2.1, has its curves."""
SRGB = {
    "by formula": profile("sRGB"),
    "by table, under another name": profile("sRGB", "c2", TABLE),
    "lcms' own": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
}
NOT_SRGB = {
    **{space: profile(space) for space in OTHERS},
    "a wrong name": profile("Display P3", "sRGB IEC61966-2.1"),
    "linear": profile("sRGB", "Linear sRGB", b"curv\0\0\0\0\0\0\0\0"),
    "gamma 2.2": profile("sRGB", "sRGB gamma 2.2", b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", round(2.2 * 256))),
    "a curve of kind 4": profile("sRGB", None, b"para\0\0\0\0\0\4\0\0" + fixed(2.4, 0.9, 0.1, 0.1, 0.04, 0.0, 0.0)),
}


def shown(path: Path) -> tuple[int, ...]:
    """The colour of a picture's middle."""
    pixels = decode(path)
    return tuple(pixels[:, pixels.shape[1] // 2, pixels.shape[2] // 2].tolist())


def test_the_greens_of_the_spaces_are_what_they_are_said_to_be():
    assert np.abs(np.subtract(in_space(GREEN, "Display P3"), (81, 156, 75))).max() <= 2  # as a JPEG had it


@pytest.mark.parametrize("space", OTHERS)
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 98, "subsampling": 0}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("AVIF", {"quality": 100}),
    ],
)
def test_a_green_of_another_space_is_the_same_green(tmp_path, space, kind, options):
    path = tmp_path / "green"
    Image.new("RGB", (600, 400), in_space(GREEN, space)).save(path, kind, icc_profile=profile(space), **options)
    most = 12 if kind in ("JPEG", "AVIF") else 3  # their rounding of the stored colour, which the spaces spread
    assert np.abs(np.subtract(shown(path), GREEN)).max() <= most
    reduced = read_photo(path, 64).pixels[:, 10, 10].tolist()  # of a JPEG
    assert np.abs(np.subtract(reduced, GREEN)).max() <= most


def test_colours_under_transparency_and_of_palettes_are_converted(tmp_path):
    icc, colour = profile("Display P3"), in_space(GREEN, "Display P3")
    half = Image.new("RGBA", (40, 30), (*colour, 128))
    half.save(tmp_path / "half.png", icc_profile=icc)
    assert (
        np.abs(np.subtract(shown(tmp_path / "half.png"), [255 - (255 - each) * 128 / 255 for each in GREEN])).max() <= 2
    )
    Image.new("RGB", (40, 30), colour).quantize(4).save(tmp_path / "palette.png", icc_profile=icc)
    assert np.abs(np.subtract(shown(tmp_path / "palette.png"), GREEN)).max() <= 2


def test_grey_of_another_curve_is_converted(tmp_path):
    icc = profile("sRGB", "Dot gain", b"curv\0\0\0\0\0\0\0\1" + struct.pack(">H", 256), grey=True)  # linear
    for kind in ("PNG", "JPEG"):
        Image.new("L", (40, 30), 55).save(tmp_path / "grey", kind, icc_profile=icc)
        assert np.abs(np.subtract(shown(tmp_path / "grey"), 128)).max() <= 1  # 21.5 % of the light


@pytest.mark.parametrize("name", SRGB)
def test_srgb_costs_nothing_and_keeps_every_bit(tmp_path, name):
    assert is_srgb(SRGB[name]) and transform_of(SRGB[name], "RGB") is None
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (40, 30, 3), np.uint8))
    picture.save(tmp_path / "with.jpg", icc_profile=SRGB[name])
    picture.save(tmp_path / "without.jpg")
    assert decode(tmp_path / "with.jpg").equal(decode(tmp_path / "without.jpg"))


@pytest.mark.parametrize("name", NOT_SRGB)
def test_what_is_not_srgb_is_told_by_its_numbers(name):
    assert not is_srgb(NOT_SRGB[name]) and transform_of(NOT_SRGB[name], "RGB") is not None


@pytest.mark.parametrize("icc", [b"", b"no profile", profile("Display P3")[:300], profile("Display P3", grey=True)])
def test_a_profile_that_is_none_or_not_the_pictures_changes_nothing(tmp_path, icc):
    Image.new("RGB", (40, 30), GREEN).save(tmp_path / "green.png", icc_profile=icc)
    assert shown(tmp_path / "green.png") == GREEN


def test_cmyk_with_a_profile_is_converted_by_it(tmp_path):
    """The lightest CMYK profile there is: one that says what its four inks look like by a table of 2 x 2 x 2 x 2."""
    icc = cmyk_profile()
    Image.new("CMYK", (40, 30), (0, 0, 0, 0)).save(tmp_path / "paper.jpg", icc_profile=icc, quality=95)
    Image.new("CMYK", (40, 30), (255, 0, 0, 0)).save(tmp_path / "cyan.jpg", icc_profile=icc, quality=95)
    assert shown(tmp_path / "paper.jpg") == (255, 255, 255)
    red, green, blue = shown(tmp_path / "cyan.jpg")
    assert red < 60 and 90 < green < 200 and blue > 150  # printed cyan; by rule it would be (0, 255, 255)


def cmyk_profile() -> bytes:
    """An output profile of version 2 with an `A2B0` table of 8 bits to Lab: white paper, cyan (55, -37, -50), black."""
    lab = []
    for place in range(16):
        c, m, y, k = (place >> bit & 1 for bit in (3, 2, 1, 0))
        lightness = 100 * (1 - 0.45 * c) * (1 - 0.52 * m) * (1 - 0.11 * y) * (1 - k)
        a, b = (0, 0) if k else (-37 * c + 74 * m - 5 * y, -50 * c - 3 * m + 93 * y)
        lab += [round(lightness * 2.55), a + 128, b + 128]
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    lut += bytes(range(256)) * 4 + bytes(np.clip(lab, 0, 255).astype(np.uint8)) + bytes(range(256)) * 3
    tags = {b"desc": b"desc\0\0\0\0\0\0\0\5inks\0" + bytes(78), b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1, 0.8249)}
    tags |= {b"A2B0": lut, b"A2B1": lut}
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        table += struct.pack(">4sII", tag, start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI4s4s4s12s4s", start + len(data), b"\0\0\0\0", 0x02400000, b"prtr", b"CMYK", b"Lab ",
                       struct.pack(">6H", 2024, 1, 1, 0, 0, 0), b"acsp")  # fmt: skip
    return (
        head.ljust(68, b"\0") + fixed(0.9642, 1, 0.8249).ljust(60, b"\0") + struct.pack(">I", len(tags)) + table + data
    )


def test_real_photos_profiles():
    """What cameras and programs wrote: every profile named sRGB has sRGB's numbers, and no other."""
    if not PHOTOS.is_dir():
        pytest.skip(f"no photos in {PHOTOS}")
    found = {Image.open(path).info.get("icc_profile") for path in PHOTOS.glob("*.jpg")} - {None}
    assert len(found) >= 5
    for icc in found:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
        assert is_srgb(icc) == ("sRGB" in name), name
