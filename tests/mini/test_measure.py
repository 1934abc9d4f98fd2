"""What is measured is counted right, and the README shows what was measured."""

import json
from collections import Counter
from pathlib import Path

import pytest

from mini.evaluate import FIGURES, WEIGHTS, table
from mini.measure import Figure, counted, draw_inspection, sizes
from mini.world import sentence

README = Path("mini/README.md")


@pytest.mark.parametrize("truth", [{"dog": 1}, {"dog": 2, "car": 1}, {"apple": 3, "car": 1, "fish": 6}])
def test_a_sentence_is_read_back(truth):
    assert counted(sentence(truth)) == Counter(truth)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("", {}),
        ("a car and two dogs", {"dog": 2, "car": 1}),  # another order says the same
        ("a dog and a dog", {"dog": 2}),
        ("some thing", {"": 0}),
    ],
)
def test_other_sentences_are_read_as_far_as_they_go(said, read):
    assert counted(said) == Counter(read)


def test_figures_show_their_unit_and_their_bar():
    figures = [
        Figure("BLIP", "exact", 0.9123, 0.9),
        Figure("BLIP", "a caption", 0.0213, 0.15, "s"),
        Figure("all", "size", 14.0, None, "MB"),
    ]
    assert table(figures).splitlines()[2:] == [
        "| BLIP | exact | 91.2% | at least 90.0% |",
        "| BLIP | a caption | 0.0213 s | at most 0.15 s |",
        "| all | size | 14 MB |  |",
    ]


def test_half_of_the_tested_pictures_have_a_defect(tmp_path):
    masks = draw_inspection("weave", 1, tmp_path, normals=2, tested=8)
    assert [masks[name].any() for name in sorted(masks)] == [False, True] * 4
    assert len(list((tmp_path / "train/good").iterdir())) == 2
    assert {path.stem for path in (tmp_path / "test/all").iterdir()} == set(masks)


def test_the_models_fit_into_the_repository():
    *_, whole = sizes(WEIGHTS)
    assert 1 < whole.value <= whole.goal


def test_the_readme_shows_the_figures_that_were_measured():
    record = json.loads(FIGURES.read_text(encoding="utf-8"))
    figures = [Figure(**each) for each in record["figures"]]
    text = README.read_text(encoding="utf-8")
    assert table(figures) in text
    assert f"--seed {record['seed']}" in text
