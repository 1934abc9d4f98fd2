"""Colour profiles (ICC) made by hand, after what the standards say of their colours and curves."""

import struct
from collections.abc import Sequence

import numpy as np

D65, D50 = (0.9505, 1.0, 1.0890), (0.9642, 1.0, 0.8249)
PRIMARIES = {
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),  # IEC 61966-2-1
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # SMPTE EG 432-1, D65
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),  # Adobe RGB (1998) color image encoding
    "ProPhoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)),  # ISO 22028-2, D50
}
"""x and y of red, green and blue."""
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
BRADFORD = np.array([(0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)])


def to_xyz(space: str) -> np.ndarray:
    """(3, 3): what makes CIE XYZ, adapted to D50, of a space's linear RGB."""
    white = np.array(D50 if space == "ProPhoto" else D65)
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in PRIMARIES[space]]).T
    matrix = columns * np.linalg.solve(columns, white)
    scale = (BRADFORD @ np.array(D50)) / (BRADFORD @ white)
    return np.linalg.inv(BRADFORD) @ np.diag(scale) @ BRADFORD @ matrix


def curve_of(space: str) -> tuple[float, ...]:
    """An ICC parametric curve of kind 0 (one number) or 3 (five)."""
    return {"Adobe RGB": (2.19921875,), "ProPhoto": (1.8,)}.get(space, SRGB_CURVE)


def encoded(light: np.ndarray, curve: Sequence[float]) -> np.ndarray:
    """Values (0 to 1) of light (0 to 1)."""
    light = np.clip(light, 0, 1)
    if len(curve) == 1:
        return light ** (1 / curve[0])
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def in_space(srgb: Sequence[int], space: str) -> tuple[int, ...]:
    """What a colour of sRGB (0 to 255) is called in another space."""
    value = np.array(srgb) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    other = np.linalg.solve(to_xyz(space), to_xyz("sRGB") @ light)
    return tuple(int(each) for each in np.rint(encoded(other, curve_of(space)) * 255))


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def profile(space: str, name: str | None = None, curve: bytes | None = None, grey: bool = False) -> bytes:
    """A display profile of a space, called `name`; `curve` is the tag of its curves where it is another."""
    numbers = curve_of(space)
    curve = curve or b"para\0\0\0\0" + struct.pack(">HH", 0 if len(numbers) == 1 else 3, 0) + fixed(*numbers)
    text = (name or space).encode() + b"\0"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = {b"desc": described, b"wtpt": b"XYZ \0\0\0\0" + fixed(*D50)}
    if grey:
        tags[b"kTRC"] = curve
    else:
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
        for tag, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), to_xyz(space).T, strict=True):
            tags[tag] = b"XYZ \0\0\0\0" + fixed(*xyz)
    table, data, start = b"", b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        table += struct.pack(">4sII", tag, start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    size = start + len(data)
    colours, date = b"GRAY" if grey else b"RGB ", struct.pack(">6H", 2024, 1, 1, 0, 0, 0)
    header = struct.pack(">I4sI4s4s4s12s4s", size, b"\0\0\0\0", 0x02400000, b"mntr", colours, b"XYZ ", date, b"acsp")
    return header.ljust(68, b"\0") + fixed(*D50).ljust(60, b"\0") + struct.pack(">I", len(tags)) + table + data
