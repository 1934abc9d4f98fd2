"""Brings the colours of a picture with a colour profile to sRGB, which is what networks were trained on."""

import io
import struct
from functools import lru_cache

from PIL import Image, ImageCms

SRGB_XYZ = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""Of sRGB's red, green and blue, adapted to D50 as profiles have them (IEC 61966-2-1, ICC.1:2022 annex E)."""
NEAR_XYZ, NEAR_LEVELS = 0.002, 1.5
"""How far a profile that is sRGB's may be from it: in XYZ, and in levels of 255 for its curves."""
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
"""The colour spaces of profiles that are converted, and Pillow's modes of them."""


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture with sRGB colours, in mode RGB or RGBA; as it is where it has them, or where its profile is not its.

    A CMYK picture without a usable profile stays as it is, too.
    """
    transform = transform_of(profile, picture.mode) if profile else None
    if transform is None or profile is None:
        return picture
    converted = ImageCms.applyTransform(picture.convert(_MODES[profile[16:20]]), transform)
    assert converted is not None  # it is in place only where that is asked for
    if picture.has_transparency_data:
        converted.putalpha(picture.convert("RGBA").getchannel("A"))
    return converted


@lru_cache(maxsize=64)
def transform_of(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """What converts a picture of `mode` from a profile's colours to sRGB; None where nothing is to be done."""
    space = profile[16:20]
    fits = {
        b"RGB ": mode in ("RGB", "RGBA", "RGBX", "P", "PA", "YCbCr"),
        b"GRAY": mode in ("L", "LA"),
        b"CMYK": mode == "CMYK",
    }
    if not fits.get(space, False) or is_srgb(profile):
        return None
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), _MODES[space], "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None  # a damaged profile: viewers show such a picture as if it had none


def is_srgb(profile: bytes) -> bool:
    """Whether the colours of an RGB or grey profile are sRGB's, by its numbers: names are many, and some are wrong."""
    try:
        tags = _tags(profile)
        if b"A2B0" in tags:
            return False
        curves = [b"kTRC"] if profile[16:20] == b"GRAY" else [b"rTRC", b"gTRC", b"bTRC"]
        if profile[16:20] != b"GRAY":
            for name, srgb in zip((b"rXYZ", b"gXYZ", b"bXYZ"), SRGB_XYZ, strict=True):
                found = struct.unpack_from(">3i", tags[name], 8)
                if any(abs(value / 65536 - wanted) > NEAR_XYZ for value, wanted in zip(found, srgb, strict=True)):
                    return False
        return all(_is_srgb_curve(tags[name]) for name in curves)
    except (KeyError, IndexError, struct.error, ValueError, OverflowError, ZeroDivisionError, TypeError):
        return False


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = [struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(min(count, 100))]
    return {name: profile[start : start + size] for name, start, size in entries}


def _is_srgb_curve(tag: bytes) -> bool:
    """Whether a curve makes light of values as sRGB does, looked at where it matters: in levels of 255."""
    values = [level / 255 for level in (5, 10, 25, 60, 100, 128, 180, 220, 250)]
    return all(abs(_encoded(_linear(tag, value)) - value) * 255 <= NEAR_LEVELS for value in values)


def _linear(tag: bytes, value: float) -> float:
    """What an ICC curve (`curv` or `para`) makes of a value, both 0 to 1."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count < 2:
            return value ** (struct.unpack_from(">H", tag, 12)[0] / 256) if count else value
        place = value * (count - 1)
        low = min(int(place), count - 2)
        below, above = struct.unpack_from(">2H", tag, 12 + 2 * low)
        return float(below + (above - below) * (place - low)) / 65535
    kind, _ = struct.unpack_from(">HH", tag, 8)
    g, a, b, c, d, e, f = (
        part / 65536 for part in struct.unpack_from(">7i", tag[12 : 12 + 4 * (1, 3, 4, 5, 7)[kind]].ljust(28, b"\0"))
    )
    if kind in (0, 1, 2):  # without a straight part of its own
        a, least = (1.0, -1.0) if kind == 0 else (a, -b / a)
        return float((a * value + b) ** g + (c if kind == 2 else 0)) if value >= least else c
    return float((a * value + b) ** g + (e if kind == 4 else 0)) if value >= d else c * value + (f if kind == 4 else 0)


def _encoded(light: float) -> float:
    """The sRGB value of light, both 0 to 1."""
    return 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
