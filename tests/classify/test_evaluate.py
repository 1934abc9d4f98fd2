"""Classes are scored as scikit-learn scores them, whatever their column is called."""

from unicodedata import normalize

import pytest
from sklearn.metrics import f1_score

from pipelines.classify.evaluate import ClassifyScoring, evaluate
from pipelines.classify.worst import find
from pipelines.core.errors import InputError
from pipelines.core.submission.truth import read_frame

TRUTH = "image,label\na,dog\nb,cat\nc,dog\nd,강아지\n"
SAID = "image,label,probability\nd,강아지,1\na,dog,1\nb,dog,1\nc,dog,1\n"
TOP = "image,rank,label,probability\na,1,cat,1\na,2,dog,0\nb,1,dog,1\nb,2,강아지,0\nd,1,강아지,1\nd,2,dog,0\n"


def scored(folder, said=SAID, truth=TRUTH, top=None, **settings):
    for name, text in (("s.csv", said), ("t.csv", truth), ("top.csv", top)):
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    top_file = None if top is None else folder / "top.csv"
    return evaluate(ClassifyScoring(folder / "s.csv", folder / "t.csv", top_file, **settings))


def figures(evaluation):
    return {score.name: score.value for score in evaluation.scores}


def test_figures_are_scikit_learns(tmp_path):
    found = scored(tmp_path)
    expected = f1_score(["dog", "cat", "dog", "ko"], ["dog", "dog", "dog", "ko"], average="macro", zero_division=0)
    assert figures(found) == {"accuracy": 0.75, "macro-F1": pytest.approx(expected)}
    assert found.lines == ["confused: 'cat' taken for 'dog', 1 of 4"]
    assert scored(tmp_path, worst=0).lines == []


def test_the_likeliest_few(tmp_path):
    assert figures(scored(tmp_path, top=TOP))["top-2 accuracy"] == 0.5, "a and d; c has none"


@pytest.mark.parametrize(
    "truth", [TRUTH.replace("label", "class"), TRUTH.replace("강아지", normalize("NFD", "강아지"))]
)
def test_another_name_or_form_is_the_same(tmp_path, truth):
    assert figures(scored(tmp_path, truth=truth))["accuracy"] == 0.75


def test_probabilities_by_label_say_the_likeliest(tmp_path):
    said = "id,dog,cat,강아지\nd,0.1,0.2,0.7\na,0.6,0.2,0.2\nb,0.9,0.05,0.05\nc,0.4,0.3,0.3\n"
    by_label = figures(scored(tmp_path))
    assert figures(scored(tmp_path, said)) == by_label
    (wrong,) = find(read_frame(tmp_path / "s.csv"), read_frame(tmp_path / "t.csv"))
    assert (wrong.id, wrong.said, wrong.error) == ("b", "dog", 0.9)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"truth": "image,a,b\na,1,2\nb,1,2\nc,1,2\nd,1,2\n"}, "expected a column `label` in the truth, found a, b"),
        ({"said": "image\na\nb\nc\nd\n"}, "in the submission, found only ids"),
        ({"truth": "image,label\n"}, "expected rows in the truth"),
        ({"top": "image,label\na,dog\n"}, "expected the columns image, rank, label and rows in the top_file"),
        ({"top": "image,rank,label\n"}, "found no rows"),
    ],
)
def test_files_that_cannot_be_scored(tmp_path, files, said):
    with pytest.raises(InputError, match=said):
        scored(tmp_path, **files)


def test_worst_is_a_count(tmp_path):
    with pytest.raises(ValueError, match="worst is 0 or more, not -1"):
        scored(tmp_path, worst=-1)
