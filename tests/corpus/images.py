"""Makes files that lie among photos and are no whole picture, or an odd one: each with what is to become of it."""

import os
import stat
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.core.images.opening import MAX_BYTES
from tests.corpus.heic import heic

SIZE = (48, 32)  # width, height
RED = (200, 40, 60)
WHITE = (255, 255, 255)
NONE_OF_THESE = "found a file that is none of these inside"
SPARSE = 300_000_000
"""Bytes of zeros that take no room on the disk."""


@dataclass(frozen=True)
class Odd:
    """A file, and what is to become of it."""

    make: Callable[[Path], object]
    """Writes it to a path."""
    refused: str = ""
    """A part of the reason why it is no picture; empty where it is one."""
    colour: tuple[int, int, int] | None = RED
    """What it shows, where it is one: RGB, 0 to 255, all over; None where that is open."""
    noticed: str = ""
    """A part of what is said of it where it is shown all the same."""
    listed: bool = True
    """Whether it is among the pictures of its folder."""
    name: str = "odd.jpg"
    as_root: bool = True
    """Whether it can be made by root, who may read everything."""


def photo(path: Path, colour: tuple[int, int, int] = RED, **options: object) -> Path:
    """A JPEG of one colour with a little noise, so that its data is worth cutting."""
    noise = np.random.default_rng(0).integers(-9, 10, (4 * SIZE[1], 4 * SIZE[0], 1))
    picture = Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8))
    picture.save(path, "JPEG", quality=95, **options)
    return path


def saved(kind: str, mode: str = "RGB", colour: object = RED, **options: object) -> Callable[[Path], object]:
    return lambda path: Image.new(mode, SIZE, colour).save(path, kind, **options)


def written(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def cut(make: Callable[[Path], object], share: float) -> Callable[[Path], object]:
    """What `make` writes, without its end."""
    return lambda path: (make(path), os.truncate(path, int(path.stat().st_size * share)))


def changed(make: Callable[[Path], object], change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda path: (make(path), path.write_bytes(change(path.read_bytes())))


def grown(make: Callable[[Path], object], size: int) -> Callable[[Path], object]:
    """What `make` writes, with zeros behind it."""
    return lambda path: (make(path), os.truncate(path, size))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes | None = None, *before: bytes) -> bytes:
    """An RGB PNG by hand: `rows` is the uncompressed data, `before` the chunks ahead of it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = b"" if rows is None else chunk(b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before) + data + chunk(b"IEND", b"")


def red_rows(width: int, height: int) -> bytes:
    return (b"\0" + bytes(RED) * width) * height


def zeros(size: int) -> bytes:
    """That many zeros or a few more, compressed: one piece again and again, which takes no time."""
    squeeze = zlib.compressobj(9)
    start = squeeze.compress(b"") + squeeze.flush(zlib.Z_FULL_FLUSH)
    piece = squeeze.compress(b"\0" * 1_000_000) + squeeze.flush(zlib.Z_FULL_FLUSH)
    return start + piece * (size // 1_000_000 + 1)


def bomb(path: Path) -> None:
    """400 megapixels, 1.2 GB as RGB, in about one megabyte."""
    data = zeros(20_000 * (1 + 3 * 20_000))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def text_bomb(kind: bytes) -> bytes:
    """A small PNG whose text unfolds into 300 MB."""
    text = zeros(SPARSE)
    data = b"Comment\0\0" + text if kind == b"zTXt" else b"Comment\0\1\0\0\0" + text
    return png(*SIZE, red_rows(*SIZE), chunk(kind, data))


def wrong_sum(data: bytes) -> bytes:
    """A PNG whose header's check sum is wrong."""
    return data[:29] + bytes([data[29] ^ 255]) + data[30:]


def with_wrong_sum(kind: bytes, data: bytes) -> bytes:
    """A PNG with a chunk ahead of its data whose check sum is wrong."""
    return png(*SIZE, red_rows(*SIZE), chunk(kind, data)[:-4] + b"\0\1\2\3")


def garbled(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + b"\xff\x00garbage\x55" * 4 + data[middle + 40 :]


def frames(kind: str, count: int, **options: object) -> Callable[[Path], object]:
    others = [Image.new("RGB", SIZE, (0, number % 256, number // 256)) for number in range(count)]
    return saved(kind, save_all=True, append_images=others, **options)


def oriented(value: bytes, kind: int = 3) -> Callable[[Path], object]:
    """A photo whose EXIF orientation is `value`, 4 bytes, of an EXIF type."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHI", 0x0112, kind, 1) + value + b"\0\0\0\0"
    return lambda path: photo(path, exif=exif)


def tiff(strips: int, size: int) -> bytes:
    """An uncompressed grey TIFF of 48 x 32, which says that its strip begins at `strips` and has `size` bytes."""
    entries = [(256, 3, SIZE[0]), (257, 3, SIZE[1]), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, strips)]
    entries += [(277, 3, 1), (278, 3, SIZE[1]), (279, 4, size)]
    tags = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + tags + b"\0\0\0\0" + b"\x80" * (SIZE[0] * SIZE[1])


def bmp(height: int, declared: int = 0) -> bytes:
    """A BMP of one row of 4 red pixels per line; a negative height means that the topmost row comes first."""
    rows = bytes(reversed(RED)) * 4 * min(abs(height), 100)
    header = struct.pack("<IiiHHIIiiII", 40, 4, height, 1, 24, 0, declared, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", declared or 54 + len(rows), 0, 0, 54) + header + rows


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def outside(path: Path) -> None:
    """A link that the person set to a photo of another folder."""
    (path.parent.parent / "elsewhere").mkdir()
    path.symlink_to(photo(path.parent.parent / "elsewhere" / "photo.jpg"))


def unreadable(path: Path) -> None:
    photo(path).chmod(0)


def named(name: str) -> Odd:
    return Odd(photo, name=name)


PNG = written(png(*SIZE, red_rows(*SIZE)))
WHOLE = "expected a whole picture"

IMAGES: dict[str, Odd] = {
    # What is no file, or nothing to read.
    "zero bytes": Odd(written(b""), "an empty file"),
    "text": Odd(written(b"not a picture\n" * 99), NONE_OF_THESE, name="odd.png"),
    "a folder": Odd(Path.mkdir, "found a folder", listed=False),
    "a missing file": Odd(lambda path: None, "No such file"),
    "a dangling link": Odd(link("nowhere.jpg"), "No such file", listed=False),
    "a link to itself": Odd(link("odd.jpg"), "symbolic links", listed=False),
    "a link to a photo elsewhere": Odd(outside),
    "a named pipe": Odd(os.mkfifo, "something that is no file", listed=False),
    "a link to a named pipe": Odd(
        lambda path: (os.mkfifo(path.with_name("pipe")), path.symlink_to("pipe")),
        "something that is no file",
        listed=False,
    ),
    "a socket": Odd(lambda path: os.mknod(path, stat.S_IFSOCK | 0o600), "something that is no file", listed=False),
    "a device without end": Odd(link("/dev/zero"), "something that is no file", listed=False),
    "no permission": Odd(unreadable, "Permission denied", as_root=False),
    "300 MB of zeros": Odd(grown(written(b"\0"), SPARSE), "found nothing but zeros inside"),
    "a file beyond all photos": Odd(grown(photo, MAX_BYTES + 1), "at most 512 MB, found 512 MB"),
    # Damage.
    "a JPEG cut at 10 %": Odd(
        cut(photo, 0.1), noticed="the last 1.. of its 128 rows are missing; damaged.* truncated", colour=None
    ),
    "a JPEG cut at 50 %": Odd(
        cut(photo, 0.5), noticed="the last 6. of its 128 rows are missing; damaged.* truncated", colour=None
    ),
    "a JPEG cut at 99 %": Odd(cut(photo, 0.99), noticed="truncated"),
    "a progressive JPEG cut at 60 %": Odd(cut(lambda path: photo(path, progressive=True), 0.6), noticed="truncated"),
    "a JPEG of a header only": Odd(written(b"\xff\xd8\xff\xe0\x00\x10JFIF\0"), WHOLE),
    "a JPEG without its end mark": Odd(changed(photo, lambda data: data[:-2]), noticed="truncated"),
    "a JPEG whose end mark comes too soon": Odd(
        changed(photo, lambda data: data[: len(data) // 2] + b"\xff\xd9"),
        noticed="the last 6. of its 128 rows are missing",
        colour=None,
    ),
    "a progressive JPEG without its end mark": Odd(
        changed(lambda path: photo(path, progressive=True), lambda data: data[:-2]), noticed="truncated"
    ),
    "a CMYK JPEG without its end mark": Odd(
        changed(saved("JPEG", "CMYK", (55, 215, 195, 0), quality=95), lambda data: data[:-2]), noticed="truncated"
    ),
    "a BMP without its last bytes": Odd(changed(saved("BMP"), lambda data: data[:-9]), noticed="truncated"),
    "a PNG without its end": Odd(changed(PNG, lambda data: data[:-12]), name="odd.png"),
    "a PNG whose text has a wrong check sum": Odd(written(with_wrong_sum(b"tEXt", b"Title\0a")), noticed="tEXt"),
    "a PNG whose size has a wrong check sum": Odd(written(with_wrong_sum(b"pHYs", bytes(9))), noticed="pHYs"),
    "a PNG whose profile has a wrong check sum": Odd(
        written(with_wrong_sum(b"iCCP", b"x\0\0" + zlib.compress(b"no profile"))), noticed="iCCP"
    ),
    "a PNG whose data has a wrong check sum": Odd(
        changed(PNG, lambda data: data[:-16] + bytes(4) + data[-12:]),
        name="odd.png",  # and nothing else
    ),
    "a HEIC cut at 60 %": Odd(
        cut(written(heic(np.full((32, 48, 3), RED, np.uint8))), 0.6),
        "found a HEIC that cannot be decoded",
        name="odd.heic",
    ),
    "garbage inside a JPEG": Odd(changed(photo, garbled), colour=None),  # stripes, as in any viewer
    "a PNG cut at 70 %": Odd(cut(PNG, 0.7), noticed="truncated", colour=None, name="odd.png"),
    "a PNG without data": Odd(written(png(*SIZE)), WHOLE),
    "a PNG whose data is no zlib": Odd(written(png(*SIZE, None, chunk(b"IDAT", b"nonsense" * 9))), WHOLE),
    "a PNG with a wrong check sum": Odd(
        changed(PNG, wrong_sum), "found a PNG that cannot be decoded: broken PNG file .*IHDR", name="odd.png"
    ),
    "a PNG of no width": Odd(written(png(0, 10, b"")), "picture"),
    "a WebP cut at 60 %": Odd(cut(saved("WEBP", lossless=True, exact=True), 0.6), "picture", name="odd.webp"),
    "a GIF cut at 50 %": Odd(cut(saved("GIF"), 0.5), noticed="truncated", colour=None, name="odd.gif"),
    "a TIFF whose strip is beyond its end": Odd(written(tiff(10**9, 1536)), WHOLE, name="odd.tif"),
    "a TIFF whose strip starts in the last row": Odd(
        written(tiff(1600, 1536)), noticed="truncated", colour=None, name="odd.tif"
    ),
    "a TIFF of 32-bit floats": Odd(
        saved("TIFF", "F", 0.5), "32 bits a channel .* have no defined white", name="odd.tif"
    ),
    # Bombs.
    "a PNG of 400 megapixels": Odd(bomb, "at most 200 megapixels, found more", name="odd.png"),
    "a header of 3,600 megapixels": Odd(written(png(60_000, 60_000)), "at most 200 megapixels", name="odd.png"),
    "a BMP of 4,000 megapixels": Odd(written(bmp(10**9, 2**31 - 1)), "at most 200 megapixels", name="odd.bmp"),
    "compressed text of 300 MB": Odd(
        written(text_bomb(b"zTXt")), noticed="Decompressed data too large", name="odd.png"
    ),
    "international text of 300 MB": Odd(
        written(text_bomb(b"iTXt")), noticed="Decompressed data too large", name="odd.png"
    ),
    "a JPEG before 300 MB of zeros": Odd(grown(photo, SPARSE)),
    "a WebP before 300 MB of zeros": Odd(grown(saved("WEBP"), SPARSE), name="odd.webp"),
    "a GIF of 2,000 frames": Odd(frames("GIF", 2000), name="odd.gif"),
    "a PNG of 200 frames": Odd(frames("PNG", 200), name="odd.png"),
    "a WebP of 100 frames": Odd(frames("WEBP", 100, quality=95), name="odd.webp"),
    # Formats that are not read.
    "a film": Odd(written(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 99), "found a video"),
    "a camera's RAW file": Odd(written(b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + b"\0" * 99), "found a camera's RAW"),
    "JPEG 2000": Odd(written(b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 "), "found a JPEG 2000"),
    "Photoshop": Odd(
        written(b"8BPS\0\x01" + b"\0" * 6 + struct.pack(">HIIHH", 3, 32, 48, 8, 3)), "found a Photoshop file"
    ),
    "PostScript": Odd(
        written(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n"), "found a PostScript file"
    ),
    "PDF": Odd(written(b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n"), "found a PDF"),
    "SVG with a script": Odd(
        written(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"), "found an SVG"
    ),
    "HEIC of a header only": Odd(
        written(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 99), "found a HEIC that cannot be decoded"
    ),
    "an icon": Odd(saved("ICO", sizes=[(32, 32)]), "found an icon"),
    "a page of HTML": Odd(written(b"<!DOCTYPE html><title>404 Not Found</title>"), "found a page of HTML"),
    "a pointer to a large file": Odd(
        written(b"version https://git-lfs.github.com/spec/v1\n"), "found a Git LFS pointer"
    ),
    # Odd, and whole.
    "1 x 1 pixel": Odd(written(png(1, 1, red_rows(1, 1))), name="odd.png"),
    "1 x 10,000 pixels": Odd(written(png(1, 10_000, red_rows(1, 10_000))), name="odd.png"),
    "10,000 x 1 pixels": Odd(written(png(10_000, 1, red_rows(10_000, 1))), name="odd.png"),
    "CMYK": Odd(saved("JPEG", "CMYK", (255 - 200, 255 - 40, 255 - 60, 0), quality=95)),
    "16-bit grey": Odd(saved("PNG", "I;16", 257 * 90), colour=(90, 90, 90), name="odd.png"),
    "16-bit TIFF": Odd(saved("TIFF", "I;16", 257 * 90), colour=(90, 90, 90), name="odd.tif"),
    "grey with transparency": Odd(saved("PNG", "LA", (90, 0)), colour=WHITE, name="odd.png"),
    "a palette": Odd(lambda path: Image.new("RGB", SIZE, RED).quantize(4).save(path, "PNG"), name="odd.png"),
    "a palette that is transparent": Odd(
        lambda path: Image.new("P", SIZE, 0).save(path, "PNG", transparency=0), colour=WHITE, name="odd.png"
    ),
    "1 bit": Odd(saved("PNG", "1", 1), colour=WHITE, name="odd.png"),
    "a progressive JPEG": Odd(lambda path: photo(path, progressive=True)),
    "a TIFF of 3 pages": Odd(frames("TIFF", 2), name="odd.tif"),
    "a TIFF that declares a vast strip": Odd(written(tiff(122, 2**31)), colour=(128,) * 3, name="odd.tif"),
    "a BMP from the top": Odd(written(bmp(-8)), name="odd.bmp"),
    "a BMP that declares 2 GB": Odd(written(bmp(8, 2**31 - 1)), name="odd.bmp"),
    "broken EXIF": Odd(lambda path: photo(path, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff nonsense")),
    "EXIF orientation 0": Odd(oriented(struct.pack("<I", 0))),
    "EXIF orientation 9": Odd(oriented(struct.pack("<I", 9))),
    "EXIF orientation 255": Odd(oriented(struct.pack("<I", 255))),
    "EXIF orientation x": Odd(oriented(b"x\0\0\0", 2)),
    "a PNG called .jpg": Odd(PNG),
    "a JPEG called .png": Odd(photo, name="odd.png"),
    "an ending in capitals": named("odd.JPEG"),
    "Windows' ending": named("odd.jfif"),
    "an old ending": named("odd.jpe"),
    "a stereo camera's ending": named("odd.mpo"),
    "no ending": named("odd"),
    "an ending that says nothing": named("odd.2024-05-01"),
    "HEIC": Odd(written(heic(np.full((32, 48, 3), RED, np.uint8))), name="odd.heic"),
    "a HEIC called .jpg": Odd(written(heic(np.full((32, 48, 3), RED, np.uint8)))),
    "an AVIF called .heic": Odd(saved("AVIF", quality=95), name="odd.heic"),
    # Names.
    "Hangul in parts": named("\u1100\u1161\u11bc\u110b\u1161\u110c\u1175.jpg"),
    "a line break": named("two\nlines.jpg"),
    "quotes": named('"it\'s".jpg'),
    "a comma": named("a,b;c\td.jpg"),
    "an emoji": named("👩‍👩‍👧.jpg"),
    "250 bytes": named("가" * 82 + ".jpg"),
    "a dash in front": named("-rf.jpg"),
    "three dots": named("a...jpg"),
    "a formula": named("=cmd|' C'!A0.jpg"),
    "spaces": named(" a  b .jpg"),
}
"""What it is -> the file and what is to become of it."""
