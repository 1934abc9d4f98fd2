"""Prompts name what a person takes them for, or are refused with what to give instead."""

import csv
import unicodedata
from pathlib import Path

import pytest

from pipelines.core.errors import InputError
from pipelines.core.words.lexicon import clean, read_lexicon
from pipelines.core.words.naming import QUALITIES, Named, name

PROMPTS = Path(__file__).with_name("prompts.csv")
"""Written by hand before the code was asked: what a person takes each for, with | between what is as good; `refused`
where it names no one thing; `aloud` where something of it is chosen or left out, which has to be said."""
KNOWN_FAILURES: set[str] = set()
LEXICON = read_lexicon()


def taken(prompt: str) -> tuple[str, bool]:
    """What a prompt is taken for, and whether something is said of it."""
    try:
        named = name(clean(prompt), LEXICON)
    except InputError:
        return "refused", True
    return named.english or "refused", bool(named.others or named.left_out)


def test_prompts_are_taken_as_a_person_takes_them():
    with PROMPTS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 300
    wrong = set()
    for row in rows:
        english, said = taken(row["prompt"])
        if english not in row["expected"].split("|") or (row["aloud"] and not said):
            wrong.add(row["prompt"])
    assert wrong == KNOWN_FAILURES
    assert len(wrong) < 0.03 * len(rows)


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("배", Named("배", "boat", True, ("pear", "belly"))),
        ("배가 몇 척 있나요", Named("배", "boat", True, ("pear", "belly"))),
        ("배(pear)", Named("배(pear)", "pear")),
        ("선박", Named("선박", "boat", True)),
        ("책상 위에 빨간 컵이 몇 개 있나요", Named("빨간 컵", "red cup", True, (), ("책상 위",))),
        ("무서운 개", Named("개", "dog", True, (), ("무서운",))),
        ("모를낱말이 몇 개 있나요", Named("모를낱말", None)),
        ("cats sleeping on the sofa", Named("cat", "cat", False, (), ("sleeping on the sofa",))),
    ],
)
def test_what_is_chosen_and_left_out_is_told(prompt, named):
    assert name(prompt, LEXICON) == named


@pytest.mark.parametrize("prompt", ["꽃게가 몇 마리 있나요", "가면을 쓴 사람", "킥보드 두 대", "우편함은 몇 개인가요"])
def test_names_that_the_analyser_takes_for_verbs_are_names(prompt):
    assert taken(prompt)[0] in ("crab", "person", "kick scooter", "mailbox")


@pytest.mark.parametrize("word", ["뚜까비", "뚜까비가", "없는낱말", "전동휠"])
def test_no_part_of_an_unknown_word_is_looked_for(word):
    """The analyser finds 비, rain, in the first two."""
    assert name(word, LEXICON).english is None


@pytest.mark.parametrize(
    ("prompt", "things"),
    [("컵과 접시", "'컵' '접시'"), ("컵 두 개와 접시 세 개", "'컵' '접시'"), ("two dogs and a cat", "'dog' 'cat'")],
)
def test_of_several_things_each_is_named(prompt, things):
    with pytest.raises(InputError, match=f"2 in .*as a list of prompts: {things}"):
        name(prompt, LEXICON)


def test_a_decomposed_prompt_is_the_same():
    assert name(clean(unicodedata.normalize("NFD", "빨간 자동차 두 대")), LEXICON).english == "red car"


def test_the_users_word_is_not_asked_about(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("korean,english,otherwise\n배,pear,\n눈,eye,snow\n", encoding="utf-8")
    lexicon = read_lexicon(path)
    assert name("배", lexicon) == Named("배", "pear", True)
    assert name("눈", lexicon) == Named("눈", "eye", True, ("snow",))


def test_qualities_are_words_of_one_meaning():
    with QUALITIES.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    words = [word for row in rows for word in (row["korean"], *filter(None, row["synonyms"].split("|")))]
    assert len(words) == len(set(words)) and len(rows) == len({row["english"] for row in rows})
