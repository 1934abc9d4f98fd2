import unicodedata

import pandas as pd
import pytest

from pipelines.core.errors import InputError
from pipelines.core.submission.truth import joined, read_frame


def table(*ids: str, key: str = "image") -> pd.DataFrame:
    return pd.DataFrame({key: ids, "count": [f"of {name}" for name in ids]}, dtype=str)


def test_rows_are_laid_side_by_side_in_the_truths_order():
    said, true = joined(table("b", "0001", "NA", key="id"), table("NA", "b", "0001"))
    assert list(said["count"]) == list(true["count"]) == ["of NA", "of b", "of 0001"]


@pytest.mark.parametrize(
    ("submission", "truth", "message"),
    [
        (table(), table(), "found none"),
        (table("a"), table("a", "b"), "1 only in the truth, such as 'b'"),
        (table("a", "c", "b"), table("a", "b"), "1 only in the submission, such as 'c'"),
        (table("a", "a"), table("a"), "once in the submission, found 'a' again"),
        (table("a"), table("a", "a"), "once in the truth, found 'a' again"),
    ],
)
def test_rows_that_do_not_pair_are_named(submission, truth, message):
    with pytest.raises(InputError, match=message):
        joined(submission, truth)


def test_names_are_the_same_in_nfc_and_nfd():
    said, true = joined(table(unicodedata.normalize("NFD", "강아지.jpg"), "b"), table("b", "강아지.jpg"))
    assert list(said.index) == list(true.index) == ["b", "강아지.jpg"]


@pytest.mark.parametrize(
    "data",
    [
        "image,count\n강아지,1\n0001,2\n".encode(),
        "image,count\r\n강아지,1\r\n0001,2\r\n".encode("utf-8-sig"),
        "image,count\r\n강아지,1\r\n0001,2\r\n".encode("cp949"),
    ],
    ids=["utf-8", "bom and crlf", "cp949"],
)
def test_a_file_is_the_same_in_any_encoding(tmp_path, data):
    (tmp_path / "truth.csv").write_bytes(data)
    frame = read_frame(tmp_path / "truth.csv")
    assert frame.to_dict("list") == {"image": ["강아지", "0001"], "count": ["1", "2"]}
