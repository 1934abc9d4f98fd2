import io
import struct
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from pipelines.demo.settings import LimitsConfig
from pipelines.demo.uploads import accept, shown_name

LIMITS = LimitsConfig(files=3, megabytes=1, megapixels=1)


@dataclass
class File:
    name: str
    data: bytes
    file_id: str = "0a1b-2c3d"

    @property
    def size(self):
        return len(self.data)

    def getbuffer(self):
        return memoryview(self.data)


def picture(width=8, height=6, kind="JPEG"):
    data = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(data, kind)
    return data.getvalue()


def bomb():
    """A PNG of some hundred bytes that says it has 40,000 x 40,000 pixels."""
    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_no_files_give_no_pictures(tmp_path):
    assert accept([], tmp_path, LIMITS).samples == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_a_picture_is_taken_by_its_content_under_a_name_of_our_own(tmp_path, kind):
    accepted = accept([File("../../etc/강아지.txt", picture(kind=kind))], tmp_path, LIMITS)
    assert not accepted.refused
    (sample,) = accepted.samples
    assert sample.id == "강아지.txt"
    assert sample.path == tmp_path / "0a1b2c3d"
    assert sample.path.read_bytes() == picture(kind=kind)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("note.png", b"hello", "내용이 사진"),
        ("empty.jpg", b"", "내용이 사진"),
        ("evil.svg", SVG, "내용이 사진"),
        ("evil.png", SVG, "내용이 사진"),
        ("bomb.png", bomb(), "내용이 사진"),  # beyond what is opened at all
        ("wide.png", picture(2000, 501, "PNG"), "1메가픽셀까지"),
        ("big.jpg", picture() + b"x" * 1_000_000, "1 MB까지"),
    ],
)
def test_what_is_no_picture_of_a_fair_size_is_refused_with_a_sentence_and_not_kept(tmp_path, name, data, reason):
    accepted = accept([File(name, data), File("good.jpg", picture(), "other")], tmp_path, LIMITS)
    assert [sample.id for sample in accepted.samples] == ["good.jpg"]
    assert reason in accepted.refused[name]
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_more_files_than_the_limit_are_refused_together_and_nothing_is_written(tmp_path):
    accepted = accept([File(f"{n}.jpg", picture(), str(n)) for n in range(4)], tmp_path, LIMITS)
    assert accepted.samples == []
    assert "3장까지" in accepted.refused["파일 4개"]
    assert not list(tmp_path.iterdir())


def test_files_of_one_name_stay_apart(tmp_path):
    files = [File("a.jpg", picture(), "1"), File("x/a.jpg", picture(), "2"), File("a.jpg", b"", "3")]
    accepted = accept(files, tmp_path, LIMITS)
    assert [sample.id for sample in accepted.samples] == ["a.jpg", "a (2).jpg"]
    assert list(accepted.refused) == ["a (3).jpg"]


@pytest.mark.parametrize("identity", ["../../x", "/etc/passwd", "a/b"])
def test_not_even_the_uploads_own_id_leads_elsewhere(tmp_path, identity):
    (sample,) = accept([File("a.jpg", picture(), identity)], tmp_path, LIMITS).samples
    assert sample.path.parent == tmp_path


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a.jpg", "a.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\사진\\가족.JPG", "가족.JPG"),
        (unicodedata.normalize("NFD", "한글 이름.png"), "한글 이름.png"),
        ("", "_"),
        ("..", ".."),
        ("a\n\x00b\u202e.png", "ab.png"),
        ("x" * 300 + ".jpeg", "x" * 80 + ".jpeg"),
        (".jpg", ".jpg"),
        ("no ending but a dot. And a sentence", "no ending but a dot. And a sentence"),
    ],
)
def test_a_shown_name_is_a_plain_file_name(name, shown):
    assert shown_name(name) == shown
    assert "/" not in Path(shown).name
