"""Which ids a run has, in which order, and which file each one names."""

import unicodedata
from pathlib import Path

import pytest

from pipelines.core.config import DataConfig
from pipelines.core.errors import InputError
from pipelines.core.images.folders import list_images
from pipelines.core.images.samples import read_samples, read_table


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    for name in ["b.jpg", "a.JPG", "0001.png", "sub/c.webp", "sub/a.JPG", unicodedata.normalize("NFD", "강아지.jpg")]:
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        (images / name).write_bytes(b"")
    (images / "notes.txt").write_text("no image")
    (images / ".hidden.jpg").write_bytes(b"")
    return images


def csv_file(folder: Path, text: str | bytes, name: str = "sample.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(InputError, match="found none"):
        list_images(tmp_path)


@pytest.mark.parametrize(("name", "finding"), [("nowhere", "nothing"), ("file", "a file")])
def test_no_folder_is_an_error(tmp_path, name, finding):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=f"{name}.* found {finding}"):
        list_images(tmp_path / name)


def test_without_a_csv_every_image_is_a_sample(folder):
    ids = [sample.id for sample in read_samples(DataConfig(images=folder))]
    assert ids == ["0001.png", "a.JPG", "b.jpg", "sub/a.JPG", "sub/c.webp", "강아지.jpg"]


def sampled(folder: Path, text: str | bytes, **settings):
    return read_samples(
        DataConfig(images=folder, sample_submission=csv_file(folder.parent, text, "sample.csv"), **settings)
    )


@pytest.mark.parametrize(
    "text",
    [
        "id,label\nb.jpg,\n0001,\n강아지,\nsub/c,\n",
        "\ufeffid,label\r\nb.jpg,\r\n0001,\r\n강아지,\r\nsub/c,\r\n",
        "id,label\nb.jpg,\n0001,\n강아지,\nsub/c,\n".encode("cp949"),
    ],
    ids=["plain", "BOM and CRLF", "cp949"],
)
def test_ids_stay_verbatim_and_find_their_files(folder, text):
    samples = sampled(folder, text)
    assert [sample.id for sample in samples] == ["b.jpg", "0001", "강아지", "sub/c"]
    assert all(sample.path.exists() for sample in samples)


def test_ids_that_look_like_nothing_or_numbers_stay(folder):
    samples = sampled(folder, "id,label\nNA,\nNone,\n0001,\n 1,\n")
    assert [sample.id for sample in samples] == ["NA", "None", "0001", " 1"]


def test_an_id_without_a_file_keeps_its_row_and_leads_nowhere_else(folder):
    (folder.parent / "secret.jpg").write_bytes(b"")
    missing = sampled(folder, "id\nb\n../secret.jpg\n/etc/passwd\n")[1:]
    assert [sample.id for sample in missing] == ["../secret.jpg", "/etc/passwd"]
    assert all(not sample.path.exists() and sample.path.parent == folder for sample in missing)


def test_an_ambiguous_name_names_no_file(folder):
    (ambiguous,) = sampled(folder, "id\na\nb\n")[:1]
    assert not ambiguous.path.exists()
    assert sampled(folder, "id\nsub/a\na.JPG\n")[0].path == folder / "sub/a.JPG"


def test_a_path_column_finds_the_file(folder):
    (sample,) = sampled(folder, "id,path,question\nT7,test/b.jpg,0001\n")
    assert sample.path == folder / "b.jpg"
    assert sample.fields["question"] == "0001"


def test_the_samples_order_and_the_test_csvs_fields(folder):
    test_csv = csv_file(folder.parent, "id,prompt\nb,개\na.JPG,고양이\n", "test.csv")
    samples = sampled(folder, "id,count\na.JPG,0\nb,0\n", test_csv=test_csv)
    assert [(sample.id, sample.fields["prompt"]) for sample in samples] == [("a.JPG", "고양이"), ("b", "개")]


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        ("", {}, "empty file"),
        ("id,label\n", {}, "rows below the header"),
        ("id,label\nb,1\nb,2\n", {}, "'b' again"),
        ("id,label\nb\n", {}, "line 2: expected 2 cells"),
        ("id,id\nb,b\n", {}, "differ"),
        ("id,label\nx,\ny,\n", {}, "found none of its 2 ids"),
        ("id,label\nb,\n", {"id_column": "image"}, "column `image`, found the columns id, label"),
        (b"id\n\xff\xfe\xff", {}, "UTF-8 or cp949"),
        ('id\n"b', {}, "not valid CSV"),
    ],
)
def test_a_bad_csv_is_named(folder, text, settings, message):
    with pytest.raises(InputError, match=message) as error:
        sampled(folder, text, **settings)
    assert "sample.csv" in str(error.value)


def test_differing_ids_of_two_csvs_are_named(folder):
    test_csv = csv_file(folder.parent, "id\nb\na.JPG\n", "test.csv")
    with pytest.raises(InputError, match=r"1 only in .*test\.csv, such as 'a\.JPG'"):
        sampled(folder, "id\nb\n", test_csv=test_csv)


def test_a_missing_csv_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no\.csv"):
        read_table(tmp_path / "no.csv")
