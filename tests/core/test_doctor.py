"""A clean contest is silent; each planted fault is found, as what it is, with what to do about it."""

import csv
import io
import shutil
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from pipelines.core.config import DataConfig
from pipelines.core.doctor import check_inputs, check_submission
from pipelines.core.doctor.output import check_space
from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_samples

FIELDS = {"caption": "text"}
NFC, NFD = "강아지_0001", unicodedata.normalize("NFD", "고양이_0001")
IDS = [f"test_{number:04}" for number in range(20)] + [NFC, NFD]


@dataclass
class Contest:
    """A folder of 22 small photos with a sample submission and a test CSV; `data` are the settings of a run."""

    root: Path
    settings: dict = field(default_factory=dict)

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def data(self) -> DataConfig:
        usual = {"sample_submission": self.root / "sample.csv", "output": self.root / "out/my.csv"}
        return DataConfig(images=self.images, **(usual | self.settings))

    def photo(self, name: str) -> None:
        (self.images / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6), "orange").save(self.images / name, format="PNG")

    def table(self, name: str, ids=IDS, columns=("id", "caption"), cells=("",), **form) -> Path:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=form.get("line", "\n"))
        writer.writerows([columns, *([key, *cells] for key in ids)])
        (self.root / name).write_bytes(text.getvalue().encode(form.get("encoding", "utf-8")))
        return self.root / name

    def test_csv(self, ids=IDS, **form) -> None:
        self.settings["test_csv"] = self.table("test.csv", ids, ("id", "question"), ("what?",), **form)

    def found(self, fields=FIELDS) -> list[tuple[str, str]]:
        return [(finding.severity, finding.message) for finding in check_inputs(self.data, fields)]

    def of_submission(self, fields=FIELDS) -> list[tuple[str, str]]:
        findings = check_submission(self.root / "my.csv", self.data, fields)
        return [(finding.severity, finding.message) for finding in findings]


@pytest.fixture
def contest(tmp_path) -> Contest:
    contest = Contest(tmp_path)
    for key in IDS:
        contest.photo(f"{key}.jpg")
    contest.table("sample.csv")
    return contest


def with_sample(*ids, columns=("id", "caption"), cells=("",), **form):
    return lambda contest: contest.table("sample.csv", ids or IDS, columns, cells, **form)


def with_bytes(content: bytes, name: str = "sample.csv"):
    return lambda contest: (contest.root / name).write_bytes(content)


def with_settings(**settings):
    return lambda contest: contest.settings.update(settings)


def with_photos(*names):
    return lambda contest: [contest.photo(name) for name in names]


def with_file(name: str, content: bytes):
    return lambda contest: (contest.images / name).write_bytes(content)


def with_test(*ids):
    return lambda contest: contest.test_csv(ids)


CLEAN = {
    "as it is": lambda contest: None,
    "BOM": with_sample(encoding="utf-8-sig"),
    "CRLF": with_sample(line="\r\n"),
    "cp949": with_sample(*IDS[:-1], encoding="cp949"),
    "endings": with_sample(*(f"{key}.jpg" for key in IDS)),
    "folders": with_sample(*(f"images/{key}.jpg" for key in IDS)),
    "NFC for NFD": with_sample(*(unicodedata.normalize("NFC", key) for key in IDS)),
    "NFD for NFC": with_sample(*(unicodedata.normalize("NFD", key) for key in IDS)),
    "a test CSV with CRLF and BOM": lambda contest: contest.test_csv(line="\r\n", encoding="utf-8-sig"),
    "line breaks in a question": lambda contest: contest.table("sample.csv", cells=("two\nlines",)),
    "no CSV": with_settings(sample_submission=None),
    "an NA that is a file": lambda contest: (contest.photo("NA.jpg"), contest.table("sample.csv", [*IDS, "NA"])),
    "a column that is named otherwise": with_sample(columns=("id", "답")),
    "a file that an earlier run wrote": lambda contest: (
        (contest.root / "out").mkdir(),
        (contest.root / "out/my.csv").touch(),
    ),
}


@pytest.mark.parametrize("make", CLEAN.values(), ids=CLEAN.keys())
def test_a_clean_contest_is_silent(contest, make):
    make(contest)
    if (contest.root / "sample.csv").read_bytes().decode("utf-8", "ignore").count("\n") < len(IDS) + 1:
        (contest.images / f"{NFD}.jpg").unlink()  # cp949 has no letters in parts
    assert contest.found() == []
    assert not (contest.root / "out" / "my.json").exists()


E, W = "error", "warning"
FAULTS = {
    # tables
    "no sample": (with_settings(sample_submission=Path("nowhere.csv")), E, "nowhere.csv, but it cannot be read"),
    "an empty file": (with_bytes(b""), E, "found an empty file"),
    "a header only": (with_bytes(b"id,caption\n"), E, "expected rows below the header"),
    "UTF-16": (with_bytes("id,caption\na,b\n".encode("utf-16-le")), E, "expected text in UTF-8 or cp949"),
    "neither encoding": (with_bytes(b"id,caption\n\xff\xfe,\n"), E, "expected text in UTF-8 or cp949"),
    "an open quote": (with_bytes(b'id,caption\n"test_0000,\n'), E, "not valid CSV"),
    "ragged rows": (
        with_bytes(b"id,caption\n" + b"".join(f"{key},a,b\n".encode() for key in IDS)),
        E,
        "another number in 22 rows, the first in line 2 with 3",
    ),
    "semicolons": (with_bytes(b"id;caption\ntest_0000;\n"), E, "expected commas between the cells, found semicolons"),
    "repeated columns": (
        with_sample(columns=("id", "caption", "caption"), cells=("", "")),
        E,
        "several called caption",
    ),
    "blanks around a column's name": (with_sample(columns=("id", "caption ")), W, "blanks around column names"),
    "an index column": (with_sample(columns=("Unnamed: 0", "id"), cells=("0",)), E, "column of row numbers"),
    "an index column without a name": (with_sample(columns=("", "id"), cells=("0",)), E, "index=False"),
    "row numbers for ids": (
        lambda contest: contest.settings.update(test_csv=contest.table("test.csv", columns=("", "id"))),
        E,
        "pandas' row numbers; give --id-column",
    ),
    "no id column": (with_settings(id_column="image"), E, "expected a column `image`, found the columns id, caption"),
    "a column for nobody": (
        with_sample(columns=("id", "a", "b"), cells=("", "")),
        E,
        "columns that this task can fill",
    ),
    "a mapping of nothing": (with_settings(columns={"text": "caption"}), E, "found text: caption"),
    # ids
    "an id twice": (with_sample(*IDS, IDS[0]), E, "each id once, found 1 repeated, such as 'test_0000'"),
    "an empty id": (with_sample(*IDS, " "), E, "expected an id in each row, found none in 1, first in row 23"),
    "one id in NFC and NFD": (with_sample(*IDS, unicodedata.normalize("NFD", NFC)), W, "come twice, in NFC and in NFD"),
    "two ids of one file": (with_sample(*IDS, "test_0000.jpg"), W, "1 images are named by several ids"),
    "blanks around an id": (with_sample(" test_0000", *IDS[1:]), W, "1 ids have blanks around them, such as ' test"),
    "a line break in an id": (with_sample("test_0000\n", *IDS[1:]), W, "line breaks"),
    "an id without a picture": (with_sample(*IDS, "test_0099"), W, "found none for 1, such as 'test_0099'"),
    "an NA that is no file": (with_sample(*IDS, "None"), W, "read as programs write a missing value, such as 'None'"),
    "ids without pictures": (with_sample(*(f"train_{n}" for n in range(30))), E, "none for 30, such as 'train_0'"),
    "a picture without an id": (with_photos("extra.jpg"), W, "1 of 23 images have no row"),
    "a stale sample": (
        lambda contest: (contest.photo("new.jpg"), contest.table("sample.csv", [*IDS, "old"])),
        W,
        "sample.csv seems to be of another version",
    ),
    "another case": (with_sample("TEST_0000", *IDS[1:]), E, "differ from its name in upper and lower case, such as"),
    "lost zeros": (with_sample("test_0", *IDS[1:]), E, "leading zeros, such as 'test_0' and 'test_0000'"),
    "two files for an id": (with_photos("test_0000.png"), E, "1 that could mean several in"),
    "files in NFC and NFD": (
        with_photos(f"{unicodedata.normalize('NFD', NFC)}.jpg"),
        E,
        "expected file names that differ, found 1",
    ),
    # sample and test CSV
    "another order": (with_test(*reversed(IDS)), W, "another order; the submission has the sample's"),
    "endings in one only": (with_test(*(f"{key}.jpg" for key in IDS)), E, "22 that differ in the file's ending alone"),
    "zeros in one only": (with_test("test_0", *IDS[1:]), E, "1 that differ in leading zeros alone"),
    "NFC in one only": (
        with_test(*(unicodedata.normalize("NFC", key) for key in IDS)),
        E,
        "1 that differ in the form of their Hangul (NFC, NFD) alone",
    ),
    "rows that the sample lacks": (
        lambda contest: (contest.test_csv(), contest.table("sample.csv", IDS[:-2])),
        E,
        "(20 rows) and",
    ),
    "a sample of other ids than test CSV and folder": (
        lambda contest: (contest.test_csv(), contest.table("sample.csv", [*IDS[:-1], "old"])),
        E,
        "sample.csv seems to be of another version",
    ),
    "a test CSV of other ids than sample and folder": (with_test(*IDS[:-1], "old"), E, "'old'; /"),
    # pictures
    "no folder": (lambda contest: shutil.rmtree(contest.images), E, "expected a folder of images"),
    "an empty picture": (
        with_file("test_0000.jpg", b""),
        W,
        "1 of 22 images would get a blank row, such as 'test_0000",
    ),
    "a text called jpg": (with_file("test_0000.jpg", b"hello"), W, "none of these inside"),
    "a torn header": (with_file("test_0000.jpg", b"\x89PNG\r\n\x1a\n\0\0"), W, "blank row, such as 'test_0000.jpg'"),
    "a folder called jpg": (
        lambda contest: ((contest.images / "test_0000.jpg").unlink(), (contest.images / "test_0000.jpg").mkdir()),
        W,
        "found none for 1, such as 'test_0000'",
    ),
    "too many pixels": (
        lambda contest: Image.new("1", (20_000, 10_001)).save(contest.images / "test_0000.jpg", format="PNG"),
        W,
        "expected at most 200 megapixels",
    ),
    "all broken": (
        lambda contest: [path.write_bytes(b"") for path in contest.images.iterdir()],
        E,
        "at least one picture that can be opened, found 22 that cannot",
    ),
    # output
    "over the sample": (
        lambda contest: contest.settings.update(output=contest.root / "images/../sample.csv"),
        E,
        "write over its input",
    ),
    "over a picture": (
        lambda contest: contest.settings.update(output=contest.images / "test_0000.jpg"),
        E,
        "write over its input",
    ),
    "among the pictures": (lambda contest: contest.settings.update(output=contest.images / "my.csv"), W, "lies in the"),
    "a folder in its place": (
        lambda contest: (contest.root / "out/my.csv").mkdir(parents=True),
        E,
        "found a folder of that name",
    ),
    "a file where its folder is": (lambda contest: (contest.root / "out").touch(), E, "out is no folder"),
    "a record in its place": (
        with_settings(output=Path("submissions/my.json")),
        E,
        "its run record would write over it",
    ),
}


@pytest.mark.parametrize(("plant", "severity", "part"), FAULTS.values(), ids=FAULTS.keys())
def test_a_planted_fault_is_found(contest, plant, severity, part):
    plant(contest)
    found = contest.found()
    assert [(what, part in message) for what, message in found if part in message] == [(severity, True)], found
    assert len(found) <= 3, "one fault is not said over and over"


@pytest.mark.parametrize("plant", [plant for plant, _, _ in FAULTS.values()], ids=FAULTS.keys())
def test_what_a_run_would_refuse_is_an_error(contest, plant):
    plant(contest)
    try:
        read_samples(contest.data)
    except InputError:
        assert "error" in dict(contest.found())


def test_all_faults_are_found_at_once(contest):
    contest.table("sample.csv", [*IDS[1:], IDS[1], "", "test_0", "lost"], ("id", "a", "b"), ("", ""))
    (contest.images / "test_0002.jpg").write_bytes(b"")
    contest.settings["output"] = contest.root / "sample.csv"
    assert [severity for severity, _ in contest.found()].count("error") == 5
    assert [severity for severity, _ in contest.found()].count("warning") == 2


def test_columns_that_only_their_order_fills(contest):
    kinds = {"강아지": "count", "고양이": "count"}
    contest.table("sample.csv", columns=("id", "n_dog", "n_cat"), cells=("0", "0"))
    [(severity, message)] = contest.found(kinds)
    assert severity == "warning" and "--columns '{n_dog: 강아지, n_cat: 고양이}'" in message
    contest.settings["columns"] = {"n_dog": "강아지", "n_cat": "고양이"}
    assert contest.found(kinds) == []


def test_only_images_that_count_need_a_row(contest):
    contest.photo("train/good.jpg")
    images = [path for path in contest.images.iterdir() if path.is_file()]
    assert check_inputs(contest.data, FIELDS, images) == []


@pytest.mark.parametrize(("free", "severities"), [(20 * 2**20, ["error"]), (2**30, [])])
def test_the_disk_has_room(tmp_path, free, severities):
    assert [finding.severity for finding in check_space(tmp_path, 10_000, free)] == severities


MANY = {
    "caption": lambda place: f"a dog, {place}",
    "count": lambda place: str(place),
    "label": lambda place: str(place % 2),
}
KINDS = {"caption": "text", "count": "count", "label": "label", "score": "score"}


def submit(contest: Contest, kind: str = "caption", cells=None, ids=IDS, **form) -> list[tuple[str, str]]:
    """What is found in a submission of one column with those cells."""
    usual = {"score": lambda place: f"{place / 7:.6f}"} | MANY
    cells = [usual[kind](place) for place in range(len(ids))] if cells is None else cells
    columns = form.get("columns", ("id", kind))
    contest.table("sample.csv", columns=("id", kind))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=form.get("line", "\n"))
    writer.writerows([columns, *zip(ids, cells, *form.get("more", ()), strict=True)])
    (contest.root / "my.csv").write_bytes(form.get("change", lambda content: content)(text.getvalue().encode(
        form.get("encoding", "utf-8"))))  # fmt: skip
    return contest.of_submission({kind: KINDS[kind]})


@pytest.mark.parametrize("kind", KINDS)
def test_a_clean_submission_is_silent(contest, kind):
    assert submit(contest, kind) == []


def test_a_submission_without_a_sample_has_the_images_ids(contest):
    ids = sorted(f"{unicodedata.normalize('NFC', key)}.jpg" for key in IDS)
    contest.settings["sample_submission"] = None
    contest.table("my.csv", ids, ("image", "caption"), ("a dog",))
    assert [message for _, message in contest.of_submission() if "say nearly the same" not in message] == []


KOREAN = [f"강아지 {count}마리" for count in range(21)]
BAD = {
    "BOM": ({"encoding": "utf-8-sig"}, E, "UTF-8 without BOM"),
    "cp949": ({"ids": [*IDS[:-1], "고양이"], "encoding": "cp949"}, E, "expected UTF-8, found another encoding"),
    "CRLF": ({"line": "\r\n"}, W, "end in LF"),
    "no last line end": ({"change": lambda content: content[:-1]}, W, "line end after the last row"),
    "stray quotes": ({"change": lambda content: content.replace(b"dog, 3", b'5" dog 3').replace(b'"a 5', b"a 5")},
                     E, "stray ones in 1 lines, the first in line 5"),
    "an index column": ({"columns": ("", "id", "caption"), "more": (IDS,)}, E, "write it with index=False"),
    "a missing column": ({"columns": ("id", "text")}, E, "it lacks caption"),
    "a column too many": ({"columns": ("id", "caption", "x"), "more": (IDS,)}, E, "has x besides"),
    "another order of columns": ({"columns": ("caption", "id"), "ids": [f"a {key}" for key in IDS], "cells": IDS},
                                 E, "in the order id, caption, found caption, id"),
    "a missing row": ({"ids": IDS[1:]}, E, "22 ids once each, found 1 missing, such as 'test_0000'"),
    "a row too many": ({"ids": [*IDS, "x"]}, E, "found 1 that nobody asked for, such as 'x'"),
    "endings that the sample lacks": (
        {"ids": [f"{key}.jpg" for key in IDS]},
        E,
        "22 that differ in the file's ending alone, such as 'test_0000.jpg' where 'test_0000' belongs",
    ),
    "a row twice": ({"ids": [*IDS, IDS[0]]}, E, "found 1 that come more than once, such as 'test_0000'"),
    "other rows' places": ({"ids": [IDS[1], IDS[0], *IDS[2:]]}, E, "2 elsewhere, first 'test_0001' where 'test_0000'"),
    "an empty caption": ({"cells": ["", *"abcdefghijklmnopqrstu"]}, W, "in 1 of 22 rows, the first in row 1"),
    "empty captions": ({"cells": [*"abcdefghij", *[""] * 12]}, E, "in 12 of 22 rows, the first in row 11"),
    "one caption for all": ({"cells": [*["a dog"] * 21, "a cat"]}, W, "`caption` is 'a dog' in 95% of them"),
    "a loop": ({"cells": ["red car, red car, red car", *"abcdefghijklmnopqrstu"]},
               W, "1 that repeat themselves; the first in row 1"),
    "marks without words": ({"cells": [*"abcdefghijklmnopqrstu", ", , , ,"]}, W, "1 that are marks without words"),
    "a language's code": ({"cells": ["kor_Hang 개", *"abcdefghijklmnopqrstu"]}, W, "hold a token of the model's"),
    "English among Korean": ({"cells": ["a dog", *KOREAN]},
                             W, "1 that are in Latin letters alone; the first in row 1, 'a dog'"),
    "Chinese among Korean": ({"cells": ["一只狗", *KOREAN]}, W, "1 that are in another script"),
    "a count of nan": ({"kind": "count", "cells": ["nan", *map(str, range(21))]}, E, "found none (empty, nan or None)"),
    "a count of 1.0": ({"kind": "count", "cells": ["1.0", *map(str, range(21))]}, E, "whole number from 0 in each"),
    "a negative count": ({"kind": "count", "cells": ["-1", *map(str, range(21))]}, E, "1 of 22 rows, such as '-1'"),
    "counts of 0": ({"kind": "count", "cells": ["0"] * 22}, W, "right where the thing is rare"),
    "a label of 2": ({"kind": "label", "cells": ["2", *"01" * 10, "0"]}, E, "expected 0 or 1 in each"),
    "a label that is empty": ({"kind": "label", "cells": ["", *"01" * 10, "0"]}, E, "expected 0 or 1 in each"),
    "one label for all": ({"kind": "label", "cells": ["1"] * 22}, W, "`label` is '1' in 100%"),
    "a score of inf": ({"kind": "score", "cells": ["inf", *map(str, range(21))]}, E, "expected a finite number"),
    "one score for all": ({"kind": "score", "cells": ["0.5"] * 22}, W, "such scores rank nothing"),
}  # fmt: skip


@pytest.mark.parametrize(("form", "severity", "part"), BAD.values(), ids=BAD.keys())
def test_a_fault_of_a_submission_is_found(contest, form, severity, part):
    found = submit(contest, **form)
    assert [what for what, message in found if part in message] == [severity], found
    assert len(found) <= 3, "one fault is not said over and over"


@pytest.mark.parametrize(
    "cells",
    [["개(犬)가 앉아 있다", *KOREAN], ["빨간 차와 파란 차", *KOREAN], [f"一只狗 {place}" for place in range(22)]],
)
def test_texts_of_one_language_are_left_alone(contest, cells):
    assert submit(contest, cells=cells) == []


def test_few_rows_may_be_alike(contest):
    contest.settings["sample_submission"] = contest.table("few.csv", IDS[:19])
    contest.table("my.csv", IDS[:19], cells=("a dog",))
    assert contest.of_submission() == []


@pytest.mark.parametrize("content", [None, b"", b"\xff\xff\xff"], ids=["no file", "nothing in it", "no text"])
def test_no_submission_at_all(contest, content):
    if content is not None:
        (contest.root / "my.csv").write_bytes(content)
    assert "error" in dict(contest.of_submission())
