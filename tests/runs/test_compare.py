import csv
from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.core.errors import ConfigError, InputError
from pipelines.core.submission.truth import read_frame
from pipelines.runs.history import note_merge, read_history, settings_of
from pipelines.runs.merging import commonest, merged
from pipelines.runs.submissions import noted_task, read_submissions, told_task
from pipelines.tasks import TASKS


@pytest.fixture
def write(tmp_path):
    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


@pytest.fixture
def files(write) -> list[Path]:
    """Three that disagree on b and c; the second has another order and writes its numbers otherwise."""
    return [
        write("a.csv", "id,dog,cat\n001,1,0\nb,2,0\nc,0,0\n"),
        write("b.csv", "image,cat,dog\nc,0,1\nb,0,3.0\n001,0.0,1\n"),
        write("c.csv", "id,dog,cat\n001,1,0\nb,3,0\nc,2,0\n"),
    ]


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("count", [1, 27])
def test_two_to_as_many_as_there_are_letters_are_compared(write, count):
    with pytest.raises(InputError, match=f"found {count}"):
        read_submissions([write("a.csv", "id,count\na,1\n")] * count)


def test_cells_differ_in_what_they_say_and_not_in_how_they_are_written(files):
    found = read_submissions(files).differing_rows()
    assert {key: list(found.columns[row]) for key, row in found.iterrows()} == {"b": ["dog"], "c": ["dog"]}


def test_hangul_in_parts_is_the_same(write):
    files = [write("a.csv", "id,caption\n가,나\n"), write("b.csv", "id,caption\n\u1100\u1161,\u1102\u1161\n")]
    assert read_submissions(files).differing_rows().empty


def test_scores_that_differ_make_no_row_differ_whose_label_is_the_same(write):
    files = [write("a.csv", "id,label,score\na,1,0.5\nb,0,0.1\n"), write("b.csv", "id,label,score\na,1,9\nb,1,3\n")]
    submissions = read_submissions(files)
    assert list(submissions.differing_rows().index) == ["b"]
    assert submissions.differing().sum().to_dict() == {"label": 1, "score": 2}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("id,count\na,1\n", r"same ids in .*b.csv and .*a.csv, found 1 only in .*a.csv, such as 'b'"),
        ("id,count\na,1\nb,1\nc,1\n", "found 1 only in .*b.csv, such as 'c'"),
        ("id,count\na,1\na,1\nb,1\n", "each id once in .*b.csv"),
        ("id,dog\na,1\nb,1\n", r"columns of .*a.csv \(count\) in .*b.csv, found dog"),
        ("id,label\na,1\nb,1\n", r"of one task, found detect in .*a.csv and anomaly in .*b.csv"),
    ],
)
def test_files_that_do_not_pair_are_refused(write, other, message):
    with pytest.raises(InputError, match=message):
        read_submissions([write("a.csv", "id,count\na,1\nb,1\n"), write("b.csv", other)])


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("id,caption\na,1\n", "caption"),
        ("id,score\na,0.5\n", "anomaly"),
        ("id,label\na,1\n", "anomaly"),
        ("id,label\na,1\nb,강아지\n", "classify"),
        ("caption,image,score\na,b,0.5\n", "search"),
        ("id,dog,cat\na,1,0\n", "detect"),
        ("id,label,sharpness\na,1,0.5\n", None),
        ("id,answer\na,a dog\n", None),
        ("id,answer\na,0.5\n", None),
    ],
)
def test_columns_tell_the_task(write, text, task):
    assert told_task(read_frame(write("a.csv", text))) == task


def noted(path: Path, task: str) -> Path:
    """A file with the row of its run in the history beside it."""
    note_merge(task, path, 1, {})
    return path


def test_the_history_knows_the_task_whatever_the_columns_are(write):
    path, other = noted(write("a.csv", "id,answer\na,2\nb,1\n"), "classify"), write("b.csv", "id,answer\na,2\nb,2\n")
    assert noted_task(path) == "classify" and noted_task(other) is None
    assert read_submissions([path, other]).task == read_submissions([other, path]).task == "classify"
    path.write_text("id,answer\na,2\nb,3\n")  # it is another file now
    assert read_submissions([path, other]).task == "detect"


def test_a_damaged_history_tells_nothing(write):
    write("history.csv", "what\never\n")
    path = write("a.csv", "id,label\na,1\n")
    assert read_submissions([path, path]).task == "anomaly"


def test_submissions_of_two_tasks_are_refused_unless_one_is_named(write):
    files = [noted(write(f"{task}.csv", f"id,answer\na,{number}\n"), task) for number, task in enumerate(TASKS)]
    with pytest.raises(InputError, match=r"one task, found caption in .*caption.csv and detect in .*detect.csv"):
        read_submissions(files[:2])
    assert read_submissions(files[:2], "detect").task == "detect"


def test_probabilities_by_label_are_merged_as_scores(tmp_path):
    for name, dog in (("a.csv", "0.900000"), ("b.csv", "0.100000")):
        (tmp_path / name).write_text(f"id,강아지,note\n1,{dog},dog\n2,0.500000,cat\n", encoding="utf-8")
    table = merged(read_submissions([tmp_path / "a.csv", tmp_path / "b.csv"], "classify"), "mean")
    assert table.to_numpy().tolist() == [["1", "0.500000", "dog"], ["2", "0.500000", "cat"]]


@pytest.mark.parametrize(
    ("cells", "expected"), [("a", "a"), ("abb", "b"), ("abc", "a"), ("abcb", "b"), (["2.0", "1", "2"], "2.0")]
)
def test_ties_go_to_the_earlier_file(cells, expected):
    assert commonest(list(cells)) == expected


@pytest.mark.parametrize(
    ("how", "counts"),
    [("majority", ["1", "3.0", "0"]), ("mean", ["1", "3", "1"]), ("median", ["1", "3", "1"])],
)
def test_counts_are_merged(files, how, counts):
    table = merged(read_submissions(files), how)
    assert table["dog"].tolist() == counts and table["cat"].tolist() == ["0", "0", "0"]


def test_a_half_is_rounded_up(write):
    files = [write("a.csv", "id,count\na,2\nb,0\n"), write("b.csv", "id,count\na,3\nb,1\n")]
    assert merged(read_submissions(files), "mean")["count"].tolist() == ["3", "1"]


@pytest.mark.parametrize(
    ("how", "scores"),
    [
        ("mean", ["33.4", "0.233333", "3.6"]),
        ("majority", ["33.4", "0.233333", "3.6"]),
        ("median", ["0.2", "0.3", "0.5"]),
        ("ranks", ["0.666667", "0.444444", "0.888889"]),
    ],
)
def test_labels_are_voted_on_and_scores_are_averaged(write, capsys, how, scores):
    files = [
        write("a.csv", "id,label,score\na,0,0.0\nb,1,0.3\nc,0,0.5\n"),
        write("b.csv", "id,label,score\na,0,0.2\nb,0,0.1\nc,1,0.3\n"),
        write("c.csv", "id,label,score\na,1,100\nb,0,0.3\nc,1,10\n"),
    ]
    table = merged(read_submissions(files), how)
    assert table["label"].tolist() == ["0", "0", "1"]
    assert table["score"].tolist() == [f"{float(score):.6f}" for score in scores]
    assert ("different scales" in capsys.readouterr().out) == (how != "ranks")


def test_a_contests_own_column_of_scores_is_no_label(write):
    files = [noted(write(f"{part}.csv", f"id,answer\na,0.{part}\nb,1\n"), "anomaly") for part in (1, 2, 4)]
    assert merged(read_submissions(files), "median")["answer"].tolist() == ["0.200000", "1.000000"]


def test_classes_are_voted_on_and_their_probabilities_are_averaged(write):
    files = [
        write(f"{each}.csv", f"id,label,probability\na,{each},0.5\nb,개,0.{len(each)}\n") for each in ("개", "고양이")
    ]
    submissions = read_submissions([*files, files[1]])
    assert merged(submissions, "majority").to_numpy().tolist() == [["a", "고양이", "0.500000"], ["b", "개", "0.233333"]]
    assert list(submissions.differing_rows().index) == ["a"]


RANKINGS = (
    "caption,image,score\n개,a.jpg,0.9\n개,b.jpg,0.8\n새,c.jpg,0.5\n새,d.jpg,0.4\n",
    "caption,image,score\n새,c.jpg,9\n새,d.jpg,8\n개,b.jpg,0.1\n개,c.jpg,0.7\n",
)


def test_rankings_differ_by_query_and_are_fused_by_their_ranks(write, tmp_path, capsys):
    files = [str(write(f"{number}.csv", text)) for number, text in enumerate(RANKINGS)]
    assert main(["compare", *files]) == 0
    out = capsys.readouterr().out
    assert "1 of 2 rows differ" in out and "A  a.jpg | b.jpg" in out and "B  c.jpg | b.jpg" in out
    assert main(["compare", *files, "--merge", "ranks", "--output", str(tmp_path / "fused.csv")]) == 0
    found = rows(tmp_path / "fused.csv")
    both, first = f"{2 / 62:.6f}", f"{1 / 61:.6f}"
    assert found[:3] == [["caption", "image", "score"], ["개", "b.jpg", both], ["개", "a.jpg", first]]
    assert [row[:2] for row in found[3:]] == [["새", "c.jpg"], ["새", "d.jpg"]]
    assert main(["compare", *files, "--merge", "mean", "--output", str(tmp_path / "fused.csv")]) == 2
    assert "rankings to be merged by ranks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "how", "error", "message"),
    [
        ("id,caption\na,b\n", "mean", ConfigError, "use majority"),
        ("id,count\na,1\n", "ranks", ConfigError, "expected scores"),
        ("id,answer\na,b\n", "majority", ConfigError, "say --task"),
        ("id,score\na,\n", "mean", InputError, "numbers in column `score` of .*a.csv, found '' for 'a'"),
    ],
)
def test_what_cannot_be_merged_is_refused(write, text, how, error, message):
    path = write("a.csv", text)
    with pytest.raises(error, match=message):
        merged(read_submissions([path, path]), how)


def test_the_merged_file_has_the_first_ones_ids_columns_and_order_and_is_scored(files, write, tmp_path, capsys):
    truth = write("truth.csv", "id,dog,cat\nc,0,0\nb,3,0\n001,1,0\n")
    output = tmp_path / "merged.csv"
    words = ["compare", str(files[0]), "--truth", str(truth), *map(str, files[1:])]
    assert main([*words, "--merge", "majority", "--output", str(output)]) == 0
    assert rows(output) == [["id", "dog", "cat"], ["001", "1", "0"], ["b", "3.0", "0"], ["c", "0", "0"]]
    out = capsys.readouterr().out.splitlines()
    (exact,) = [line.split() for line in out if line.startswith("exact ")]
    assert exact[1:5] == ["0.8333", "0.8333", "0.8333", "1"]
    assert "2 of 3 rows differ (dog 2)" in out
    assert out[out.index("  b") :][1:6] == [
        "    =  dog 3",
        "    A  dog 2",
        "    B  dog 3.0",
        "    C  dog 3",
        "    D  dog 3.0",
    ]
    (row,) = read_history(tmp_path)
    assert row["task"] == "detect" and settings_of(row["settings"])["merge"] == "majority"


def test_ids_are_written_verbatim(write, tmp_path):
    path = write("a.csv", "id,count\n\u1100\u1161,1\n")
    assert main(["compare", str(path), str(path), "--merge", "mean", "--output", str(tmp_path / "m.csv")]) == 0
    assert rows(tmp_path / "m.csv")[1][0] == "\u1100\u1161"


def test_nothing_that_is_compared_is_written_over(files, capsys):
    before = files[0].read_bytes()
    assert main(["compare", *map(str, files), "--merge", "mean", "--output", str(files[0])]) == 2
    assert "(a submission)" in capsys.readouterr().err and files[0].read_bytes() == before


def test_a_truth_needs_the_task(write, capsys):
    path = str(write("a.csv", "id,answer\na,b\n"))
    assert main(["compare", path, path, "--truth", path]) == 2
    assert "say --task" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--merge", "mean"], ["--output", "m.csv"], ["--images", "."]])
def test_flags_that_go_together(files, more, capsys):
    with pytest.raises(SystemExit):
        main(["compare", *map(str, files), *more])
    assert "expected --" in capsys.readouterr().err
