"""The submission: columns as the sample has them, every id its row, whole or not at all."""

from pathlib import Path

import pandas as pd
import pytest

from pipelines.core.config import DataConfig
from pipelines.core.errors import StoppedError, SubmissionError
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import Outcome
from pipelines.core.submission.fields import Field
from pipelines.core.submission.schema import SubmissionSchema, read_schema
from pipelines.core.submission.writing import check_writable, fallback, write_submission, write_whole

FIELDS = {"label": Field("label"), "score": Field("score")}


class Labels:
    """A pipeline's fields and its two row methods."""

    fields = {"label": "label", "score": "score"}  # noqa: RUF012 - as plain as the pipelines' own

    def rows(self, sample, result):
        return [{"label": int(result > 0.5), "score": result}]

    def blank(self, sample):
        return [{"label": 0, "score": 0.0}]


DEFAULT = SubmissionSchema(["image", "label", "score"], "image", {"label": "label", "score": "score"})


def outcome(key: str, result: float | None) -> Outcome:
    return Outcome(Sample(key, Path(key)), result, "" if result is not None else "torn")


def schema_of(tmp_path: Path, header: str, fields=("label", "score"), **settings) -> SubmissionSchema:
    path = tmp_path / "sample.csv"
    path.write_text(header + "\n")
    known = fields if isinstance(fields, dict) else dict.fromkeys(fields, Field("count"))
    return read_schema(DataConfig(images=tmp_path, sample_submission=path, **settings), known)


def test_without_a_sample_all_fields_are_columns(tmp_path):
    assert read_schema(DataConfig(images=tmp_path), FIELDS) == DEFAULT


@pytest.mark.parametrize(
    ("header", "fields", "sources"),
    [
        ("id,comment", ["caption"], {"comment": "caption"}),
        ("id,class", ["label", "score"], {"class": "label"}),
        ("id,score", ["label", "score"], {"score": "score"}),
        ("id,label,score", ["label", "score"], {"label": "label", "score": "score"}),
        ("id,고양이,강아지", ["강아지", "고양이"], {"강아지": "강아지", "고양이": "고양이"}),
        ("id,n_dog,n_cat", ["강아지", "고양이"], {"n_dog": "강아지", "n_cat": "고양이"}),
    ],
)
def test_columns_find_their_fields(tmp_path, header, fields, sources):
    schema = schema_of(tmp_path, header, fields)
    assert schema.columns == header.split(",")
    assert schema.sources == sources


def test_settings_say_what_goes_where(tmp_path):
    schema = schema_of(tmp_path, "label,id,x", columns={"x": "score"}, id_column="id")
    assert schema.sources == {"label": "label", "x": "score"}


@pytest.mark.parametrize(
    ("header", "fields"), [("id", ["label"]), ("id,a,b,c", ["label", "score"]), ("id,mos,quality", ["label", "score"])]
)
def test_columns_nobody_can_fill_are_named(tmp_path, header, fields):
    with pytest.raises(SubmissionError, match=r"sample\.csv.*--columns"):
        schema_of(tmp_path, header, fields)


def test_every_id_gets_its_row_verbatim(tmp_path):
    path = tmp_path / "new" / "out.csv"
    outcomes = [outcome("0001", 0.75), outcome("NA", None), outcome('a,"b', 1 / 3)]
    written = write_submission(path, DEFAULT, Labels(), outcomes)
    assert path.read_bytes() == (b'image,label,score\n0001,1,0.750000\nNA,0,0.000000\n"a,""b",0,0.333333\n')
    assert written.rows == 3
    assert [(blank.id, blank.reason) for blank in written.blanks] == [("NA", "torn")]
    frame = pd.read_csv(path, dtype={"image": str}, keep_default_na=False)
    assert list(frame["image"]) == ["0001", "NA", 'a,"b']


def unreached(key: str) -> Outcome:
    return Outcome(Sample(key, Path(key)), None, "the deadline came first", reached=False)


def test_what_was_not_reached_gets_what_is_likely(tmp_path):
    path = tmp_path / "out.csv"
    outcomes = [outcome("a", 0.9), outcome("b", None), outcome("c", 0.1), outcome("d", 0.6), unreached("e")]
    written = write_submission(path, DEFAULT, Labels(), outcomes)
    assert path.read_text().splitlines()[-1] == "e,0,0.600000"
    assert (written.rows, written.missing, len(written.blanks)) == (5, 1, 1)


def test_where_nothing_was_reached_nothing_is_written(tmp_path):
    with pytest.raises(StoppedError, match="but the deadline came first"):
        write_submission(tmp_path / "out.csv", DEFAULT, Labels(), [outcome("a", None), unreached("b")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "values", "guess"),
    [
        ("text", ["개", "새", "새", "개", "곰"], "개"),
        ("count", [5, 0, 2, 3], 2),
        ("count", [1], 1),
        ("label", [1, 1, 1], 0),
        ("score", [0.5, 4.0, 1.0, 2.0], 1.5),
    ],
)
def test_what_is_likely(kind, values, guess):
    assert fallback({"field": kind}, [{"field": value} for value in values]) == {"field": guess}


def test_nothing_readable_writes_nothing(tmp_path):
    path = tmp_path / "out.csv"
    with pytest.raises(SubmissionError, match="all 2 failed, the first \\(a\\) because: torn"):
        write_submission(path, DEFAULT, Labels(), [outcome("a", None), outcome("b", None)])
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_breaks_off_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")

    def breaking():
        yield outcome("a", 0.1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_submission(path, DEFAULT, Labels(), breaking())
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.csv"]
    assert path.read_text() == "old"


def test_nan_is_refused(tmp_path):
    with pytest.raises(SubmissionError, match="nan"):
        write_submission(tmp_path / "out.csv", DEFAULT, Labels(), [outcome("a", float("nan"))])


def test_a_write_that_fails_leaves_no_temporary_file(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        write_whole(tmp_path / "out.csv", "\ud800")
    assert list(tmp_path.iterdir()) == []


def test_half_written_files_of_a_killed_process_are_removed(tmp_path):
    for name in (".a[1].csv.abcd_123.tmp", ".a[1].csv.b.abcd_123.tmp", ".a1.csv.abcd_123.tmp"):
        (tmp_path / name).touch()
    write_whole(tmp_path / "a[1].csv", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {
        "a[1].csv",
        ".a[1].csv.b.abcd_123.tmp",
        ".a1.csv.abcd_123.tmp",
    }


def test_places_that_cannot_be_written_are_found_first(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SubmissionError, match="cannot be made"):
        check_writable(tmp_path / "file" / "out.csv")
    with pytest.raises(SubmissionError, match="a folder of that name"):
        check_writable(tmp_path)
