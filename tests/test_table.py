from pipelines.table import print_table


def test_columns_stand_below_each_other_with_hangul_two_places_wide(capsys):
    print_table([("name", "n"), ("강아지", "1"), ("강아지", "22")])
    assert capsys.readouterr().out.splitlines() == ["name    n", "------  --", "강아지  1", "강아지  22"]


def test_a_decomposed_letter_is_as_wide_as_a_composed_one(capsys):
    print_table([("a", "b"), ("\u1100\u1161", "1")])
    assert capsys.readouterr().out.splitlines()[2] == "\u1100\u1161  1"
