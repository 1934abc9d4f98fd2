"""Every way of storing a picture comes out as the same RGB pixels; a file that is no whole picture is a named error."""

import io
import os
import re
import struct
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from pipelines.core.errors import ImageError
from pipelines.core.images.colours import is_srgb
from pipelines.core.images.decode import METADATA_BYTES, STRIP_PIXELS, decode, image_size
from pipelines.core.images.opening import LARGE_PIXELS, MAX_PIXELS, _large
from pipelines.core.notes import noticing
from tests.corpus.heic import heic
from tests.corpus.profiles import in_space, profile

PHOTOS = Path(__file__).parents[4] / "shared/data/coco/images"
HEIGHT, WIDTH = 37, 53
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH]
RGB = np.stack([ROWS * 6, COLUMNS * 4, (ROWS + COLUMNS) * 2], axis=-1).astype(np.uint8)  # no two corners alike
GREY = RGB[..., 1]
ALPHA = (255 - COLUMNS * 4).astype(np.uint8)
DEEP = (ROWS * 1700 + COLUMNS * 90).astype(np.uint16)  # 0 to 65,880, all 16 bits in use
BITS = np.where((ROWS + COLUMNS) % 3 == 0, 255, 0).astype(np.uint8)
OTHER = Image.fromarray(255 - RGB)
EXACT, ONE_LEVEL, LOSSY = 0, 1, 12
Picture = tuple[bytes, np.ndarray, int]


def saved(pixels: np.ndarray | Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def by_opencv(ending: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(ending, pixels)[1].tobytes()


def grey3(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=-1)


def over_white(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    share = alpha[..., None] / 255
    return np.round(rgb * share + 255 * (1 - share)).astype(np.uint8)


def to_8_bits(deep: np.ndarray) -> np.ndarray:
    return np.round(deep / 257).astype(np.uint8)


def palette(transparent: int | None = None) -> tuple[Image.Image, np.ndarray]:
    """A palette picture of 53 colours with its RGB pixels; the colour of column `transparent` is see-through."""
    colours = np.stack([np.arange(WIDTH) * 4, 255 - np.arange(WIDTH) * 4, np.arange(WIDTH) * 2], axis=-1)
    picture = Image.fromarray(COLUMNS.astype(np.uint8))
    picture.putpalette(colours.astype(np.uint8).tobytes())
    if transparent is not None:
        picture.info["transparency"] = transparent
        colours[transparent] = 255
    return picture, colours[COLUMNS].astype(np.uint8)


def keyed_rgb() -> Picture:
    """An RGB picture in which one colour, that of the top left corner, means transparent."""
    expected = RGB.copy()
    expected[0, 0] = 255
    return saved(RGB, "PNG", transparency=tuple(int(value) for value in RGB[0, 0])), expected, EXACT


def with_palette(kind: str, transparent: int | None, **options: object) -> Picture:
    picture, expected = palette(transparent)
    return saved(picture, kind, **options), expected, EXACT


RGBA = np.dstack([RGB, ALPHA])
DEEP_BGR = np.dstack([DEEP, DEEP // 2, DEEP // 3])
CMYK = Image.merge("CMYK", [*(Image.fromarray(255 - RGB[..., i]) for i in range(3)), Image.new("L", (WIDTH, HEIGHT))])
FIRST = Image.fromarray(RGB)

FORMATS: dict[str, Callable[[], Picture]] = {
    "JPEG": lambda: (saved(RGB, "JPEG", quality=95), RGB, LOSSY),
    "JPEG, progressive": lambda: (saved(RGB, "JPEG", quality=95, progressive=True), RGB, LOSSY),
    "JPEG, grey": lambda: (saved(GREY, "JPEG", quality=95), grey3(GREY), LOSSY),
    "JPEG, CMYK inverted by Adobe's rule": lambda: (saved(CMYK, "JPEG", quality=95), RGB, LOSSY),
    "JPEG, stored as RGB": lambda: (saved(RGB, "JPEG", quality=95, keep_rgb=True), RGB, LOSSY),
    "JPEG, several pictures": lambda: (
        saved(FIRST, "MPO", save_all=True, append_images=[OTHER], quality=95),
        RGB,
        LOSSY,
    ),
    "PNG": lambda: (saved(RGB, "PNG"), RGB, EXACT),
    "PNG, grey": lambda: (saved(GREY, "PNG"), grey3(GREY), EXACT),
    "PNG, 1 bit": lambda: (saved(Image.fromarray(BITS).convert("1"), "PNG"), grey3(BITS), EXACT),
    "PNG, alpha": lambda: (saved(RGBA, "PNG"), over_white(RGB, ALPHA), ONE_LEVEL),
    "PNG, grey and alpha": lambda: (
        saved(np.dstack([GREY, ALPHA]), "PNG"),
        over_white(grey3(GREY), ALPHA),
        ONE_LEVEL,
    ),
    "PNG, transparent colour": keyed_rgb,
    "PNG, palette": lambda: with_palette("PNG", None),
    "PNG, palette with transparency": lambda: with_palette("PNG", 5),
    "PNG, 16-bit grey": lambda: (by_opencv(".png", DEEP), grey3(to_8_bits(DEEP)), EXACT),
    "PNG, 16-bit RGB": lambda: (by_opencv(".png", DEEP_BGR), to_8_bits(DEEP_BGR[..., ::-1]), ONE_LEVEL),
    "PNG, animated": lambda: (saved(FIRST, "PNG", save_all=True, append_images=[OTHER]), RGB, EXACT),
    "WebP": lambda: (saved(RGB, "WEBP", lossless=True), RGB, EXACT),
    "WebP, alpha": lambda: (saved(RGBA, "WEBP", lossless=True, exact=True), over_white(RGB, ALPHA), ONE_LEVEL),
    "WebP, animated": lambda: (
        saved(FIRST, "WEBP", save_all=True, append_images=[OTHER], lossless=True),
        RGB,
        EXACT,
    ),
    "BMP": lambda: (saved(RGB, "BMP"), RGB, EXACT),
    "TIFF": lambda: (saved(RGB, "TIFF"), RGB, EXACT),
    "TIFF, LZW": lambda: (saved(RGB, "TIFF", compression="tiff_lzw"), RGB, EXACT),
    "TIFF, CMYK": lambda: (saved(CMYK, "TIFF"), RGB, EXACT),
    "TIFF, 16-bit grey": lambda: (saved(DEEP, "TIFF"), grey3(to_8_bits(DEEP)), EXACT),
    "TIFF, 16-bit RGB": lambda: (by_opencv(".tiff", DEEP_BGR), to_8_bits(DEEP_BGR[..., ::-1]), ONE_LEVEL),
    "GIF": lambda: with_palette("GIF", None),
    "GIF with transparency": lambda: with_palette("GIF", 5),
    "GIF, animated": lambda: with_palette("GIF", None, save_all=True, append_images=[OTHER]),
    "HEIC": lambda: (heic(RGB[:32, :48]), RGB[:32, :48], LOSSY),
    "AVIF": lambda: (saved(RGB, "AVIF", quality=95), RGB, LOSSY),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_what_a_person_sees(tmp_path, name):
    data, expected, tolerance = FORMATS[name]()
    path = tmp_path / "picture.with-a-wrong-ending.jpg"
    path.write_bytes(data)
    image = decode(path)
    assert (image.dtype, tuple(image.shape), image.is_contiguous()) == (torch.uint8, (3, *expected.shape[:2]), True)
    difference = np.abs(image.permute(1, 2, 0).numpy().astype(int) - expected.astype(int))
    assert difference.max() <= tolerance
    assert image_size(path) == expected.shape[:2]


# What the stored picture looks like once turned upright, by the EXIF standard's words for each orientation.
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    0: lambda stored: stored,  # not an orientation: shown as it is
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: np.rot90(stored, 2),
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored.transpose(1, 0, 2), 2),
    8: lambda stored: np.rot90(stored, 1),
    9: lambda stored: stored,
}


@pytest.mark.parametrize("kind, options", [("JPEG", {"quality": 95}), ("PNG", {}), ("WEBP", {"lossless": True})])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, kind, options, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned"
    path.write_bytes(saved(RGB, kind, exif=exif.tobytes(), **options))
    check_upright(path, orientation, LOSSY if kind == "JPEG" else EXACT)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_tiff_orientation_is_applied_once(tmp_path, orientation):
    path = tmp_path / "turned.tif"
    path.write_bytes(saved(RGB, "TIFF", tiffinfo={0x0112: orientation}))
    check_upright(path, orientation, EXACT)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_orientation_is_applied(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.avif"
    path.write_bytes(saved(RGB, "AVIF", quality=95, exif=exif.tobytes()))
    check_upright(path, orientation, LOSSY)


@pytest.mark.parametrize("turns", range(4))
def test_heic_is_turned_once(tmp_path, turns):
    """By its own property; what its EXIF says beside that does not count (ISO/IEC 23008-12)."""
    path = tmp_path / "turned.heic"
    path.write_bytes(heic(RGB[:32, :48], quarter_turns=turns))
    expected = np.rot90(RGB[:32, :48], turns)
    image = decode(path)
    assert image_size(path) == tuple(image.shape[1:]) == expected.shape[:2]
    assert np.abs(image.permute(1, 2, 0).numpy().astype(int) - expected.astype(int)).max() <= LOSSY


def test_a_heic_in_display_p3_becomes_srgb(tmp_path):
    """As phones write them."""
    path = tmp_path / "green.heic"
    path.write_bytes(heic(np.full((32, 48, 3), in_space((40, 160, 60), "Display P3"), np.uint8), profile("Display P3")))
    assert np.abs(np.subtract(decode(path)[:, 9, 9].tolist(), (40, 160, 60))).max() <= LOSSY


def check_upright(path: Path, orientation: int, tolerance: int) -> None:
    expected = UPRIGHT[orientation](RGB)
    image = decode(path)
    assert image.is_contiguous()
    assert image_size(path) == tuple(image.shape[1:]) == expected.shape[:2]
    assert np.abs(image.permute(1, 2, 0).numpy().astype(int) - expected.astype(int)).max() <= tolerance


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_leaves_the_picture_as_stored(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved(RGB, "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff nonsense"))
    assert tuple(decode(path).shape) == (3, HEIGHT, WIDTH)


def test_photos_have_the_pixels_that_pillow_gives():
    """Largest difference over 100 real photos: 0 levels."""
    if not PHOTOS.is_dir():
        pytest.skip(f"no photos in {PHOTOS}")
    for path in sorted(PHOTOS.glob("*.jpg")):
        picture = Image.open(path)
        profile = picture.info.get("icc_profile")
        expected = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
        if profile and not is_srgb(profile):
            continue
        assert np.array_equal(decode(path).permute(1, 2, 0).numpy(), expected), path.name
        assert image_size(path) == expected.shape[:2], path.name


def header_only_png(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and whose pixels never come."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty file"),
        (b"this is no photo\n" * 50, "none of these inside"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "found a PostScript file inside"),
        (header_only_png(20_000, 10_001), "at most 200 megapixels, found more.*20000x10001"),
        (saved(np.full((4, 4), 0.5, np.float32), "TIFF"), "no defined white"),
    ],
    ids=["empty", "text", "PostScript", "over-large", "float"],
)
def test_files_that_are_no_picture(tmp_path, content, reason):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=reason) as caught:
        decode(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_over_large_is_told_from_the_header(tmp_path):
    path = tmp_path / "vast.png"
    path.write_bytes(header_only_png(10**6, 10**6))
    with pytest.raises(ImageError, match="at most 200 megapixels"):
        image_size(path)
    path.write_bytes(header_only_png(MAX_PIXELS // 10_000, 10_000))
    assert image_size(path) == (10_000, MAX_PIXELS // 10_000)  # just small enough, and nothing was decoded


@pytest.mark.parametrize("name", ["WebP", "AVIF"])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.8])
def test_truncated_pictures_that_no_reader_shows_are_errors(tmp_path, name, share):
    data, _, _ = FORMATS[name]()
    path = tmp_path / "photo.jpg"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ImageError, match=rf"photo\.jpg: expected a whole picture, found an? {name} that cannot"):
        decode(path)


@pytest.mark.parametrize("name", ["JPEG", "JPEG, grey", "PNG", "TIFF"])
def test_of_a_truncated_picture_the_rows_are_shown_that_are_there(tmp_path, name):
    data, expected, tolerance = FORMATS[name]()
    path = tmp_path / "photo.jpg"
    path.write_bytes(data[: int(len(data) * 0.8)])
    with noticing() as noticed:
        image = decode(path).permute(1, 2, 0).numpy().astype(int)
    assert image.shape == expected.shape
    assert np.abs(image[:8] - expected[:8]).max() <= tolerance
    told = re.fullmatch(r"the last (\d+) of its 37 rows are missing; damaged, .*truncated.*", noticed[str(path)])
    assert told and 2 < int(told[1]) < 30
    assert np.abs(np.diff(image[-int(told[1]) :], axis=0)).max() == 0


def test_what_one_thread_shows_of_damage_another_does_not_take_for_whole(tmp_path):
    """Pillow's switch is one for all threads; each damaged picture is to be noticed, whatever runs beside it."""
    data = saved(np.tile(RGB, (9, 9, 1)), "PNG")
    paths = [tmp_path / f"{number}.png" for number in range(60)]
    for path in paths:
        path.write_bytes(data[: len(data) * 2 // 3])

    def noticed(path: Path) -> bool:
        with noticing() as seen:
            decode(path)
        return str(path) in seen

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(noticed, paths))
    with pytest.raises(OSError, match="truncated"):
        Image.open(paths[0]).load()  # and nobody else meets Pillow changed


@pytest.mark.parametrize("read", [decode, image_size])
def test_what_is_no_file_is_an_error_and_never_waits(tmp_path, read):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    for name, reason in [
        ("missing.jpg", "No such file"),
        ("dangling.jpg", "No such file"),
        ("pipe.jpg", "no file"),
        (".", "a folder"),
        ("nul\0byte.jpg", "null"),
    ]:
        with pytest.raises(ImageError, match=reason):
            read(tmp_path / name)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "I;16", "CMYK"])
def test_large_pictures_are_the_same_in_strips(tmp_path, mode):
    """Beyond STRIP_PIXELS a picture is converted in several parts: each row has to come out at its place."""
    height, width = 1_101, 2_003
    assert height * width > 2 * STRIP_PIXELS
    rows, columns = np.mgrid[0:height, 0:width]
    if mode == "I;16":
        deep = ((rows * 59 + columns * 31) % 65_536).astype(np.uint16)
        picture, expected = Image.fromarray(deep), grey3(to_8_bits(deep))
    else:
        colours = np.stack([rows % 256, columns % 256, (rows // 8 + columns // 8) % 256], axis=-1).astype(np.uint8)
        picture = Image.fromarray(colours).convert(mode.removesuffix("A") if mode != "LA" else "L")
        shown = np.asarray(picture.convert("RGB"))
        if mode.endswith("A"):
            alpha = ((rows + columns) % 256).astype(np.uint8)
            picture.putalpha(Image.fromarray(alpha))
            shown = over_white(shown, alpha)
        expected = shown
    path = tmp_path / "large"
    picture.save(path, "TIFF" if mode == "CMYK" else "PNG")
    image = decode(path).permute(1, 2, 0).numpy()
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= ONE_LEVEL


def test_what_lies_behind_a_jpeg_changes_nothing(tmp_path):
    """A motion photo has a film there; a file that is far larger than its picture is not read whole."""
    (tmp_path / "plain.jpg").write_bytes(saved(RGB, "JPEG"))
    (tmp_path / "long.jpg").write_bytes(saved(RGB, "JPEG") + b"\0" * (METADATA_BYTES + 3 * HEIGHT * WIDTH))
    assert torch.equal(decode(tmp_path / "long.jpg"), decode(tmp_path / "plain.jpg"))


def test_large_pictures_wait_for_each_other_and_small_ones_do_not(tmp_path):
    """While one thread decodes something large, a small picture is decoded, and a second large one is not."""
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    small.write_bytes(saved(RGB, "PNG"))
    Image.new("1", (10_000, LARGE_PIXELS // 10_000 + 1)).save(large)
    with ThreadPoolExecutor(2) as pool:
        with _large:
            waiting = pool.submit(decode, large)
            assert pool.submit(decode, small).result(timeout=300).shape == (3, HEIGHT, WIDTH)
            assert not waiting.done()
        assert waiting.result(timeout=300).shape[2] == 10_000
