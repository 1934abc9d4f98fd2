"""A folder as the world has it: which files are listed as pictures, and what is said of the others."""

import os
import unicodedata

import pytest
from PIL import Image

from pipelines.core.errors import InputError
from pipelines.core.images.folders import list_images, look_through, subfolders
from pipelines.core.notes import noticing


def put(root, *names, data=b"\xff\xd8\xff\xe0 a JPEG begins so"):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def listed(root, ignore=()):
    return [path.relative_to(root).as_posix() for path in look_through(root, ignore).images]


def test_every_ending_and_every_beginning_of_a_picture_is_listed(tmp_path):
    names = ["a.jfif", "b.jpe", "c.mpo", "d.JPEG", "e.heic", "f.HEIF", "g.hif", "h.avif", "i.tiff", "j.webp"]
    put(tmp_path, *names, data=b"")  # by their endings: not one is opened
    unnamed = {"JPEG": "k", "PNG": "l.1", "WEBP": "m.photo", "GIF": "n", "TIFF": "o", "BMP": "p", "AVIF": "q"}
    for kind, name in unnamed.items():
        Image.new("RGB", (9, 9)).save(tmp_path / name, kind)
    put(tmp_path, "r", data=b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic")
    assert listed(tmp_path) == sorted([*names, *unnamed.values(), "r"])


def test_files_with_a_known_ending_are_never_opened(tmp_path, monkeypatch):
    put(tmp_path, "a.jpg", "b.nef", "c.csv")
    monkeypatch.setattr("pathlib.Path.open", lambda *_, **__: pytest.fail("opened"))
    assert listed(tmp_path) == ["a.jpg"]


def test_kinds_that_are_not_read_are_counted_and_named(tmp_path):
    put(tmp_path, "a.jpg", "raw/1.CR2", "raw/2.nef", "raw/3.dng", "raw/4.arw", "b.mp4", "c.pdf", "d.psd", "e.svg")
    put(tmp_path, "f", data=b"%PDF-1.7")
    put(tmp_path, "g.clip", data=b"\0\0\0\x18ftypqt  \0\0\0\0qt  ")
    put(tmp_path, "notes.txt", "truth.csv", "IMG_1.xmp", "IMG_1.AAE", "labels.json", "Thumbs.db", "half.jpg.part")
    put(tmp_path, "README", data=b"just words")
    found = look_through(tmp_path)
    assert found.left_out == {
        "PDF files": ["c.pdf", "f"],
        "camera RAW files": ["raw/1.CR2", "raw/2.nef", "raw/3.dng", "raw/4.arw"],
        "pictures of kinds that are not read": ["d.psd", "e.svg"],
        "videos": ["b.mp4", "g.clip"],
    }
    with noticing() as noticed:
        assert list_images(tmp_path) == [tmp_path / "a.jpg"]
    assert "camera RAW files: 4 (raw/1.CR2, raw/2.nef, raw/3.dng, ...)" in noticed[str(tmp_path)]
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InputError, match=r"found none, but .*videos: 2 \(b\.mp4, g\.clip\); save"):
        list_images(tmp_path)


def test_what_nobody_means_is_left_out_and_told(tmp_path):
    hidden = [".ipynb_checkpoints/a.jpg", ".thumbnails/b/a.jpg", ".Trash-1000/files/a.jpg", ".git/a.jpg"]
    system = ["sub/@eaDir/a.jpg/SYNOPHOTO_THUMB.jpg", "#recycle/a.jpg", "__MACOSX/a.jpg", "$RECYCLE.BIN/a.jpg"]
    put(tmp_path, "a.jpg", "sub/b.jpg", "._a.jpg", *hidden, *system)
    found = look_through(tmp_path)
    assert listed(tmp_path) == ["a.jpg", "sub/b.jpg"]
    assert found.left_out == {
        "hidden or system folders": sorted([*(name.split("/")[0] for name in hidden), "sub/@eaDir",
                                           "#recycle", "__MACOSX", "$RECYCLE.BIN"])
    }  # fmt: skip
    assert listed(tmp_path / ".thumbnails") == ["b/a.jpg"]  # which was asked for by name


def test_what_is_no_file_is_never_opened(tmp_path):
    put(tmp_path, "a.jpg", "IMG_1.jpg/b.jpg")
    os.mkfifo(tmp_path / "x.jpg")
    os.mkfifo(tmp_path / "without ending")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    assert listed(tmp_path) == ["IMG_1.jpg/b.jpg", "a.jpg", "link.jpg"]
    assert look_through(tmp_path).left_out == {
        "links that lead nowhere": ["gone.jpg", "loop.png"],
        "pipes, sockets or devices": ["x.jpg", "zero.jpg"],
    }


def test_links_to_folders_are_followed_once(tmp_path):
    photos = put(tmp_path / "photos", "a.jpg", "sub/b.jpg")
    put(tmp_path / "elsewhere", "c.jpg", "deep/d.jpg")
    (photos / "0 inside").symlink_to("sub")  # comes first by name, and yet sub/b.jpg is what the file is called
    (photos / "round").symlink_to(".")
    (photos / "sub/up").symlink_to("..")
    (photos / "link").symlink_to("../elsewhere")
    (photos / "link again").symlink_to("../elsewhere")
    (tmp_path / "elsewhere/back").symlink_to("../photos")
    assert listed(photos) == ["a.jpg", "link/c.jpg", "link/deep/d.jpg", "sub/b.jpg"]


@pytest.mark.parametrize(
    ("ignore", "left"),
    [
        ([], ["a.jpg", "a_mask.png", "raw/b.jpg", "raw/thumbs/c.jpg", "thumbs/d.jpg", "가.jpg"]),
        (["thumbs"], ["a.jpg", "a_mask.png", "raw/b.jpg", "가.jpg"]),
        (["thumbs/"], ["a.jpg", "a_mask.png", "raw/b.jpg", "가.jpg"]),
        (["*_mask.png", "raw"], ["a.jpg", "thumbs/d.jpg", "가.jpg"]),
        (["raw/thumbs"], ["a.jpg", "a_mask.png", "raw/b.jpg", "thumbs/d.jpg", "가.jpg"]),
        (["/thumbs"], ["a.jpg", "a_mask.png", "raw/b.jpg", "raw/thumbs/c.jpg", "가.jpg"]),
        (["raw/*"], ["a.jpg", "a_mask.png", "thumbs/d.jpg", "가.jpg"]),
        ([unicodedata.normalize("NFD", "가.*"), "?.jpg"], ["a_mask.png"]),
    ],
)
def test_patterns_leave_out_names_and_paths(tmp_path, ignore, left):
    root = put(tmp_path / "photos", "a.jpg", "a_mask.png", "raw/b.jpg", "raw/thumbs/c.jpg", "thumbs/d.jpg", "가.jpg")
    assert listed(root, ignore) == left
    told = look_through(root, ignore).words()
    assert ("--ignore" in told) == bool(ignore)


def test_patterns_are_of_paths_in_the_root(tmp_path):
    put(tmp_path, "b/test/good/1.jpg", "b/test/hole/2.jpg")
    found = list_images(tmp_path / "b/test", ["b/test/hole"], tmp_path)
    assert found == [tmp_path / "b/test/good/1.jpg"]


def test_subfolders_are_those_that_are_meant(tmp_path):
    put(tmp_path, "b/1.jpg", "a/1.jpg", ".git/1.jpg", "@eaDir/1.jpg", "old/1.jpg", "file.jpg")
    assert [path.name for path in subfolders(tmp_path, ["old"])] == ["a", "b"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_opened_is_told(tmp_path):
    put(tmp_path, "a.jpg", "closed/b.jpg")
    (tmp_path / "closed").chmod(0)
    assert look_through(tmp_path).left_out == {"folders that cannot be opened": ["closed"]}
    (tmp_path / "closed").chmod(0o700)


def test_names_that_are_no_text_are_told(tmp_path):
    put(tmp_path, "a.jpg")
    with open(os.fsencode(tmp_path) + b"/\xff.cr2", "wb"):  # noqa: PTH123 - a Path has text
        pass
    look_through(tmp_path).words().encode()
