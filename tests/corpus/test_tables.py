"""An odd CSV is read cell for cell, or is one InputError; whatever the bytes, nothing else."""

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core.config import DataConfig
from pipelines.core.errors import InputError
from pipelines.core.images.samples import read_samples, read_table
from tests.corpus.tables import TABLES
from tests.in_time import in_time

QUICK = settings(max_examples=150, deadline=None, derandomize=True)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.jpg", "b.jpg", "강.jpg", ".hidden.jpg", "notes.txt"):
        (folder / name).write_bytes(b"")
    (tmp_path / "x.jpg").write_bytes(b"")  # what `../x` would lead to
    return folder


@pytest.mark.parametrize("name", TABLES)
def test_an_odd_table(photos, tmp_path, name):
    odd = TABLES[name]
    path = tmp_path / "sample.csv"
    odd.make(path)
    end = in_time(lambda: read_samples(DataConfig(images=photos, sample_submission=path)))
    if odd.refused:
        assert isinstance(end, InputError)
        assert str(path) in str(end) and "\n" not in str(end)
        assert re.search(odd.refused, str(end))
        return
    assert isinstance(end, list), end
    assert [sample.id for sample in end] == [key for key, _ in odd.found]
    for sample, (_, photo) in zip(end, odd.found, strict=True):
        assert sample.path.parent == photos
        assert sample.path == photos / photo if photo else not sample.path.exists()


def test_paths_of_60_000_folders_end(photos, tmp_path):
    """A search from each of its folders on would copy 144 GB."""
    cell = "x/" * 60_000 + "y.jpg"
    rows = "\n".join(f"{number},{cell}" for number in range(20))
    (tmp_path / "sample.csv").write_text(f"id,path\na,\n{rows}\n", encoding="utf-8")
    assert (
        len(in_time(lambda: read_samples(DataConfig(images=photos, sample_submission=tmp_path / "sample.csv")))) == 21
    )


def test_an_id_never_reads_a_file_that_only_looks_like_it(photos, tmp_path):
    (photos / "c_d.jpg").write_bytes(b"")
    (photos / "sub").mkdir()
    (tmp_path / "sample.csv").write_text("id\na\nc/d.jpg\n.hidden.jpg\nsub\n", encoding="utf-8")
    samples = read_samples(DataConfig(images=photos, sample_submission=tmp_path / "sample.csv"))
    assert [sample.path.exists() for sample in samples] == [True, False, False, False]


def test_two_files_of_one_name_are_refused(photos):
    (photos / "\u1100\u1161\u11bc.jpg").write_bytes(b"")
    with pytest.raises(InputError, match="NFD"):
        read_samples(DataConfig(images=photos))


@QUICK
@given(data=st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_table_or_an_input_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(data)
    try:
        table = read_table(path)
    except InputError as error:
        assert str(path) in str(error)
        return
    assert all(list(row) == table.columns for row in table.rows)


CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
KOREAN_CELLS = st.text(st.sampled_from("가각강아지 고양이,\"'\n\r;=0ABaz._-/"), max_size=12)
NAMES = st.lists(
    st.sampled_from(["id", "image", "답", "label", "a b", 'say "x"', "x,y"]), min_size=2, max_size=5, unique=True
)


@st.composite
def written_tables(draw):
    """(columns, rows, the bytes of a CSV of them) in any dialect and encoding that is read."""
    columns = draw(NAMES)
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp949"]))
    cells = KOREAN_CELLS if encoding == "cp949" else CELLS
    rows = draw(st.lists(st.lists(cells, min_size=len(columns), max_size=len(columns)), max_size=6))
    text = io.StringIO(newline="")
    # Where only what has to be is quoted, Python forgets a cell's line break that is none of the file's own.
    quoting, end = draw(
        st.sampled_from([(csv.QUOTE_MINIMAL, "\r\n"), *((csv.QUOTE_ALL, end) for end in ("\n", "\r\n", "\r"))])
    )
    writer = csv.writer(text, quoting=quoting, lineterminator=end)
    writer.writerows([columns, *rows])
    return columns, rows, text.getvalue().encode(encoding)


@QUICK
@given(written=written_tables())
def test_a_table_is_read_back_cell_for_cell(tmp_path_factory, written):
    columns, rows, data = written
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(data)
    table = read_table(path)
    assert table.columns == columns
    assert [list(row.values()) for row in table.rows] == rows


@QUICK
@given(
    names=st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(
            lambda name: name != "photo"
        ),
        unique=True,
        max_size=5,
    )
)
def test_any_id_keeps_its_row_and_leads_nowhere_else(tmp_path_factory, names):
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    folder.mkdir(exist_ok=True)
    (folder / "photo.jpg").write_bytes(b"")
    path = folder / "sample.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([["id"], ["photo"], *([name] for name in names)])
    samples = read_samples(DataConfig(images=folder, sample_submission=path))
    assert [sample.id for sample in samples] == ["photo", *names]
    assert all(sample.path.parent == folder for sample in samples)
