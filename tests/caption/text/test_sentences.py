"""The rule on 400 sentences as captioners and translators write them, with right answers that were written by hand."""

import csv
from pathlib import Path

import pytest

from pipelines.caption.text.style import restyle

with Path(__file__).with_name("sentences.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))

STYLES = ("다", "습니다")
WRONG: dict[str, frozenset[str]] = {"다": frozenset(), "습니다": frozenset()}
"""The captions that do not come out right today, by style; a change shows here."""


def test_there_are_enough_sentences_of_every_kind():
    captions = [row["caption"] for row in ROWS]
    assert len(ROWS) >= 400
    assert len(set(captions)) == len(captions)
    assert {style: sum(row["caption"] == row[style] for row in ROWS) >= 100 for style in STYLES} == dict.fromkeys(
        STYLES, True
    )


@pytest.mark.parametrize("style", STYLES)
def test_99_in_100_sentences_get_the_right_ending(style):
    wrong = {row["caption"] for row in ROWS if restyle(row["caption"], style) != row[style]}
    assert wrong == WRONG[style]
    assert len(wrong) <= len(ROWS) / 100


def test_either_form_becomes_the_other():
    for row in ROWS:
        assert restyle(row["다"], "습니다") == row["습니다"]
        # A noun after a vowel has two plain forms, 강아지다 and 강아지이다; of 강아지입니다 the rule makes the longer.
        assert restyle(row["습니다"], "다") in (row["다"], row["다"].removesuffix("다.") + "이다.")


@pytest.mark.parametrize("style", STYLES)
def test_a_second_time_changes_nothing(style):
    for row in ROWS:
        assert restyle(row[style], style) == row[style]
