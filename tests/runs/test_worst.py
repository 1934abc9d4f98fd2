import json
from dataclasses import FrozenInstanceError
from statistics import pstdev

import pytest

from pipelines.__main__ import main
from pipelines.core.errors import InputError
from pipelines.runs.history import read_history
from pipelines.runs.worst import worst
from pipelines.tasks import TASKS


@pytest.fixture
def found(tmp_path):
    """Task, submission and truth as text -> the wrong rows."""

    def found(task, submission, truth):
        (tmp_path / "said.csv").write_text(submission, encoding="utf-8")
        (tmp_path / "truth.csv").write_text(truth, encoding="utf-8")
        return worst(TASKS[task], tmp_path / "said.csv", tmp_path / "truth.csv")

    return found


RIGHT = {
    "caption": "image,caption\na,개\n",
    "detect": "image,count\na,1\n",
    "anomaly": "image,label,score\na,1,0.5\n",
    "classify": "image,label\na,개\n",
}


@pytest.mark.parametrize("task", RIGHT)
def test_what_is_right_has_no_wrong_row(found, task):
    assert found(task, RIGHT[task], RIGHT[task]) == []


@pytest.mark.parametrize("task", RIGHT)
def test_files_that_do_not_belong_together_are_refused(found, task):
    with pytest.raises(InputError, match="expected the same ids"):
        found(task, RIGHT[task], RIGHT[task].replace("a,", "b,"))


def test_captions_are_by_their_likeness_to_the_nearest_reference(found):
    rows = found(
        "caption",
        "image,caption\nsame,강아지 한 마리\nfar,바나나 세 개\nnear,강아지 한 마리와 공\nnone,\n",
        "image,caption\nsame,고양이\nsame,강아지 한 마리\nfar,숲\nnear,강아지 한 마리와 컵\nnone,새\n",
    )
    assert [(row.id, row.kind) for row in rows] == [("far", "unlike"), ("none", "empty"), ("near", "alike")]
    assert (rows[0].error, rows[1].error) == (1, 1)  # as in the truth's order
    assert 0 < rows[2].error < 0.5
    assert (rows[0].said, rows[0].truth) == ("바나나 세 개", "숲")
    with pytest.raises(FrozenInstanceError):
        rows[0].error = 0


def test_several_references_are_all_shown(found):
    (row,) = found("caption", "image,caption\na,공\n", "image,caption\na,개\na,강아지\n")
    assert row.truth == "개 | 강아지"


def test_counts_are_by_what_is_too_many_or_too_few_in_all_classes(found):
    rows = found(
        "detect",
        "image,개,새\nfew,0,1\nboth,2,0\nright,1,1\nmany,1.0,9\n",
        "image,새,개\nright,1,1\nmany,1,1\nboth,3,0\nfew,1,2\n",
    )
    assert [(row.id, row.kind, row.error) for row in rows] == [
        ("many", "too many", 8),
        ("both", "both", 5),
        ("few", "too few", 2),
    ]
    assert (rows[1].said, rows[1].truth) == ("새 0 (-3), 개 2 (+2)", "새 3, 개 0")


def test_a_single_count_needs_no_name(found):
    (row,) = found("detect", "image,count\na,3\n", "image,count\na,1\n")
    assert (row.said, row.truth) == ("3 (+2)", "1")


TRUTH = "image,label\na,0\nb,0\nc,1\nd,1\ne,1\n"


def test_anomalies_are_by_how_far_they_lie_beyond_the_threshold(found):
    rows = found("anomaly", "image,label,score\na,0,1\nb,1,8\nc,0,4\nd,0,0\ne,1,5\n", TRUTH)
    assert [(row.id, row.kind) for row in rows] == [("d", "missed"), ("b", "false alarm"), ("c", "missed")]
    deviation = pstdev([1, 8, 4, 0, 5])
    assert [row.error for row in rows] == pytest.approx([abs(score - 4.5) / deviation for score in (0, 8, 4)])
    assert (rows[0].said, rows[0].truth) == ("0 (score 0)", "1")


def test_without_labels_the_best_threshold_decides(found):
    rows = found("anomaly", "image,score\na,1\nb,3\nc,2\nd,5\ne,6\n", TRUTH)
    assert [(row.id, row.kind) for row in rows] == [("b", "false alarm")]


def test_without_scores_all_mistakes_are_the_same(found):
    rows = found("anomaly", "image,label\na,1\nb,0\nc,0\nd,1\ne,1\n", TRUTH)
    assert [(row.id, row.said) for row in rows] == [("a", "1"), ("c", "0")]
    assert rows[0].error == rows[1].error > 0


def test_where_all_have_one_label_the_lowest_scores_are_the_farthest(found):
    rows = found("anomaly", "image,label,score\na,0,1\nb,0,2\nc,0,3\nd,0,1\ne,0,3\n", TRUTH)
    assert [row.id for row in rows] == ["d", "c", "e"]


def test_scores_of_two_categories_are_not_held_against_each_other(found):
    names = ["weave/test/good/0", "weave/test/hole/0", "brick/test/good/0", "brick/test/hole/0", "brick/test/hole/1"]
    scores = ["0,1", "0,0", "1,900", "1,800", "0,100"]
    said = "image,label,score\n" + "".join(f"{name},{of_it}\n" for name, of_it in zip(names, scores, strict=True))
    truth = "image,label\n" + "".join(f"{name},{int('hole' in name)}\n" for name in names)
    rows = found("anomaly", said, truth)
    assert [(row.id, row.kind) for row in rows] == [
        (names[1], "missed"),  # 2 deviations of the weave's scores, though only 1 of them
        (names[2], "false alarm"),
        (names[4], "missed"),
    ]


def test_nothing_to_decide_by_is_said(found):
    with pytest.raises(InputError, match="expected a column `label` in the submission"):
        found("anomaly", "image,other\na,1\n", "image,label\na,0\n")
    with pytest.raises(InputError, match="a truth with the labels 0 and 1"):
        found("anomaly", "image,score\na,1\n", "image,label\na,0\n")


def test_queries_are_by_how_far_down_their_photo_stands(found):
    rows = found(
        "search",
        "caption,image,score\n개,a,0.9\n개,b,0.8\n새,a,0.1\n새,b,0.7\na bird,c,1\na bird,b,0.2\n",
        "image,caption,english,note\nb,개,a bird,나\nb,새,a bird,나\nd,새,a bird,나\n",
    )
    assert [(row.id, row.kind, row.said, row.truth, row.error) for row in rows] == [
        ("개", "lower", "a", "b", 1),
        ("a bird", "lower", "c", "b, d", 1),
    ]


def test_the_surest_mistakes_come_first(found):
    said = "image,label,probability\na,개,0.4\nb,개,0.9\nc,새,0.9\n"
    rows = found("classify", said, "image,label\na,새\nb,새\nc,새\n")
    assert [(row.id, row.said, row.truth, row.error) for row in rows] == [
        ("b", "개", "새", 0.9),
        ("a", "개", "새", 0.4),
    ]


def test_evaluate_shows_and_keeps_as_many_as_are_asked_for(tmp_path, capsys):
    (tmp_path / "said.csv").write_text("image,count\na,5\nb,1\nc,3\n")
    (tmp_path / "truth.csv").write_text("image,count\na,1\nb,1\nc,1\n")
    files = ["--submission", str(tmp_path / "said.csv"), "--truth", str(tmp_path / "truth.csv")]
    for count, expected in ((0, []), (1, ["a"]), (10, ["a", "c"])):
        assert main(["evaluate", "detect", *files, "--worst", str(count)]) == 0
        lines = capsys.readouterr().out.splitlines()
        table = lines[lines.index("") + 1 :] if "" in lines else []
        assert [line.split()[0] for line in table[2:]] == expected
        kept = json.loads((tmp_path / "said.scores.json").read_text())["worst"]
        assert [row["id"] for row in kept] == expected
    assert len(read_history(tmp_path)) == 1  # the same figures, however many are shown
    assert main(["evaluate", "detect", *files, "--worst", "-1"]) == 2
    assert "worst is 0 or more, not -1" in capsys.readouterr().err
