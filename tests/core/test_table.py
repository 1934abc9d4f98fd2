import pytest

from pipelines.core.table import FAILURES_SHOWN, print_failures, print_table


def test_columns_stand_below_each_other_with_hangul_two_places_wide(capsys):
    print_table([("name", "n"), ("강아지", "1"), ("강아지", "22")])
    assert capsys.readouterr().out.splitlines() == ["name    n", "------  --", "강아지  1", "강아지  22"]


def test_a_decomposed_letter_is_as_wide_as_a_composed_one(capsys):
    print_table([("a", "b"), ("\u1100\u1161", "1")])
    assert capsys.readouterr().out.splitlines()[2] == "\u1100\u1161  1"


@pytest.mark.parametrize("count", [0, 1, FAILURES_SHOWN, FAILURES_SHOWN + 3])
def test_the_first_of_what_failed_is_listed(capsys, count):
    print_failures(f"{count} photos failed", {f"{number}.jpg": "torn" for number in range(count)}, "run.json")
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ([f"{count} photos failed:", "  0.jpg: torn"] if count else [])
    assert said[FAILURES_SHOWN + 1 :] == (["  and 3 more: see run.json"] if count > FAILURES_SHOWN else [])
