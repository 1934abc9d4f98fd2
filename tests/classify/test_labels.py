"""Labels are read as people write them: one a line, or with the words that stand for each."""

import unicodedata

import pytest

from pipelines.classify.labels import Label, read_labels
from pipelines.core.errors import InputError

NFD = unicodedata.normalize("NFD", "강아지")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("l.txt", "dog\ncat\n", [("dog", "dog"), ("cat", "cat")]),
        ("l.txt", "\r\n 강아지 \r\n\r\nhot dog", [("강아지", "강아지"), ("hot dog", "hot dog")]),
        ("l.txt", "label,name\n", [("label,name", "label,name")]),
        ("l.csv", "label,name\n0,강아지|dog| \n1,hot dog\n", [("0", "강아지", "dog"), ("1", "hot dog")]),
        ("l.csv", "name,label,note\ndog,dog_01,x\n", [("dog_01", "dog")]),
        ("l.CSV", "label\n고양이\n", [("고양이", "고양이")]),
        ("l.csv", "label,name\n007,dog|dog\n7,cat\n", [("007", "dog"), ("7", "cat")]),
        ("l.txt", f"{NFD}\n", [(NFD, "강아지")]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_labels_and_their_names(tmp_path, name, text, expected, encoding):
    if encoding == "cp949" and NFD in text:
        pytest.skip("cp949 has no single jamo")
    (tmp_path / name).write_bytes(text.encode(encoding))
    assert read_labels(tmp_path / name) == [Label(label, tuple(names)) for label, *names in expected]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("l.txt", "", "expected labels in .*l.txt, found none"),
        ("l.txt", "\n  \n", "expected labels in .*l.txt, found none"),
        ("l.csv", "label,name\n", "expected labels in .*l.csv, found none"),
        ("l.csv", "", "found an empty file"),
        ("l.txt", "dog\ncat\ndog\n", "'dog' again"),
        ("l.txt", f"강아지\n{NFD}\n", "again"),
        ("l.csv", "label,name\n0,dog\n0,cat\n", "'0' again"),
        ("l.csv", "label,name\n0,dog\n1, | \n", "row 2: expected a label and its name, found '1'"),
        ("l.csv", "label,name\n,dog\n", "row 1"),
        ("l.csv", "class,name\n0,dog\n", "expected the columns label, name, found class, name; or give a text file"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path, name, text, said):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_labels(tmp_path / name)


@pytest.mark.parametrize(("name", "found"), [("", "a folder"), ("missing.txt", "nothing")])
def test_what_is_no_file_is_refused(tmp_path, name, found):
    with pytest.raises(InputError, match=f"expected a file of labels at .*, found {found}"):
        read_labels(tmp_path / name)


@pytest.mark.parametrize(("label", "names"), [("", ("dog",)), ("0", ()), ("0", ("dog", ""))])
def test_a_label_has_words(label, names):
    with pytest.raises(ValueError, match="expected a label and its names"):
        Label(label, names)
