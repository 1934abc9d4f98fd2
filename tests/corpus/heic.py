"""Writes HEIC pictures without an encoder: HEVC lets a block hold its samples as they are (ITU-T H.265, I_PCM)."""

import struct

import numpy as np

BLOCK = 16
RANGES = (240, 227, 216, 205, 195, 185, 175, 166, 158, 150)
"""Of the less probable symbol by the context's state, for a range of 448 and more (H.265, table 9-52)."""


class Bits:
    """A string of bits."""

    def __init__(self) -> None:
        self.text = ""

    def u(self, *pairs: tuple[int, int]) -> "Bits":
        """(value, bits) pairs."""
        self.text += "".join(f"{value:0{count}b}" for value, count in pairs)
        return self

    def ue(self, *values: int) -> "Bits":
        """Exp-Golomb codes."""
        self.text += "".join("0" * ((value + 1).bit_length() - 1) + f"{value + 1:b}" for value in values)
        return self

    def aligned(self) -> "Bits":
        self.text += "0" * (-len(self.text) % 8)
        return self

    def data(self) -> bytes:
        return int(self.text, 2).to_bytes(len(self.text) // 8)


def heic(rgb: np.ndarray, icc: bytes | None = None, quarter_turns: int = 0) -> bytes:
    """A HEIC of uint8 RGB (H, W, 3), sides multiples of 16: 4:2:0, with a profile and `irot` where given."""
    height, width, _ = rgb.shape
    parameters = [nal(32, video()), nal(33, sequence(width, height)), nal(34, picture())]
    coded = nal(19, slices(*planes(rgb)))
    coded = struct.pack(">I", len(coded)) + coded
    record = (
        b"\1\1\x60" + bytes(3) + b"\x90" + bytes(5) + b"\x1e\xf0\0\xfc\xfd\xf8\xf8\0\0\x0f" + bytes([len(parameters)])
    )
    for kind, each in zip((32, 33, 34), parameters, strict=True):
        record += bytes([0x80 | kind]) + struct.pack(">HH", 1, len(each)) + each
    properties = [box(b"hvcC", record), full(b"ispe", struct.pack(">II", width, height))]
    properties.append(box(b"colr", b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0x80)))
    if icc:
        properties.append(box(b"colr", b"prof" + icc))
    if quarter_turns:
        properties.append(box(b"irot", bytes([quarter_turns])))
    uses = bytes([len(properties), 0x81, *range(2, len(properties) + 1)])
    head = [
        full(b"hdlr", bytes(4), b"pict", bytes(13)),
        full(b"pitm", struct.pack(">H", 1)),
        full(b"iinf", struct.pack(">H", 1), full(b"infe", struct.pack(">HH", 1, 0), b"hvc1\0", version=2)),
        box(b"iprp", box(b"ipco", *properties), full(b"ipma", struct.pack(">IH", 1, 1), uses)),
    ]
    kind = box(b"ftyp", b"heic", bytes(4), b"mif1heic")

    def meta(start: int) -> bytes:
        return full(b"meta", *head, full(b"iloc", b"\x44\0", struct.pack(">HHHHII", 1, 1, 0, 1, start, len(coded))))

    return kind + meta(len(kind) + len(meta(0)) + 8) + box(b"mdat", coded)


def planes(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y (H, W), Cb and Cr (H/2, W/2) by BT.601, full range."""
    red, green, blue = np.moveaxis(rgb.astype(float), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = [(blue - luma) / 1.772 + 128, (red - luma) / 1.402 + 128]
    halves = [each.reshape(each.shape[0] // 2, 2, -1, 2).mean((1, 3)) for each in chroma]
    y, cb, cr = (np.rint(each).clip(0, 255).astype(np.uint8) for each in (luma, *halves))
    return y, cb, cr


def profile_of(bits: Bits) -> Bits:
    """Main, level 1."""
    return bits.u((0, 3), (1, 5), (0x60000000, 32), (0b1001, 4), (0, 44), (30, 8))


def video() -> Bits:
    bits = profile_of(Bits().u((0, 4), (3, 2), (0, 6), (0, 3), (1, 1), (0xFFFF, 16)))
    return bits.u((1, 1)).ue(0, 0, 0).u((0, 6)).ue(0).u((0, 1), (0, 1), (1, 1)).aligned()


def sequence(width: int, height: int) -> Bits:
    """Blocks of 16 by 16, which may be plain samples of 8 bits."""
    bits = profile_of(Bits().u((0, 4), (0, 3), (1, 1))).ue(0, 1, width, height).u((0, 1)).ue(0, 0, 0).u((1, 1))
    bits.ue(0, 0, 0, 1, 0, 0, 2, 0, 0).u((0, 1), (0, 1), (0, 1), (1, 1), (7, 4), (7, 4)).ue(1, 0).u((1, 1))
    return bits.ue(0).u((0, 1), (0, 1), (0, 1), (0, 1), (0, 1), (1, 1)).aligned()


def picture() -> Bits:
    bits = Bits().ue(0, 0).u((0, 7)).ue(0, 0, 0).u((0, 3)).ue(0, 0).u((0, 7), (1, 1), (0, 1), (1, 1), (0, 2))
    return bits.ue(0).u((0, 2), (1, 1)).aligned()


def slices(luma: np.ndarray, *chroma: np.ndarray) -> Bits:
    """One slice of all blocks: each says that it is whole and plain, by arithmetic coding, and then its samples."""
    bits = Bits().u((1, 1), (0, 1)).ue(0, 2, 0).u((1, 1)).aligned()
    corners = [(top, left) for top in range(0, luma.shape[0], BLOCK) for left in range(0, luma.shape[1], BLOCK)]
    for number, (top, left) in enumerate(corners):
        # The range is 510 at first and 508 behind "not the last block", the low end 0 as both symbols are the likely.
        flush(bits, (510 if number == 0 else 508) - RANGES[min(number, len(RANGES) - 1)] - 2)
        samples = [luma[top : top + BLOCK, left : left + BLOCK]]
        samples += [each[top // 2 : (top + BLOCK) // 2, left // 2 : (left + BLOCK) // 2] for each in chroma]
        bits.u(*((int(value), 8) for each in samples for value in each.ravel()))
    flush(bits, 508)
    return bits


def flush(bits: Bits, low: int) -> None:
    """A terminating symbol of 1, coded as H.265 says in 9.3.4.5 (EncodeFlush), then zeros to the next byte."""
    bits.text += f"{low | 1:010b}"[1:]  # the register's ten bits, of which the first is not written
    bits.aligned()


def nal(kind: int, bits: Bits) -> bytes:
    """With a 3 wherever two zeros would be followed by less than 4."""
    data, zeros = bytearray(), 0
    for value in bits.data():
        if zeros >= 2 and value <= 3:
            data.append(3)
            zeros = 0
        data.append(value)
        zeros = zeros + 1 if value == 0 else 0
    return bytes([kind << 1, 1]) + bytes(data)


def box(kind: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + kind + data


def full(kind: bytes, *parts: bytes, version: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *parts)
