import pytest

from pipelines.core.errors import InputError
from pipelines.core.words.lexicon import read_lexicon
from pipelines.detect.prompts import English, Vocabulary, to_english, unknown_words


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return Vocabulary(read_lexicon())


def test_nothing_becomes_nothing(words):
    assert to_english([], words, None) == {}


def test_prompts_become_english(words):
    asked: list[list[str]] = []

    def translate(words):
        asked.append(list(words))
        return {"종이꽃": "A small, red paper flower.", "헛소리": "헛소리", "문장": "One. Two.", "세탁물": "cups, dogs"}

    prompts = ["dog", "강아지", "종이꽃이 몇 개 있나요", "헛소리", "두 문장", "모를낱말", "세탁물"]
    mapping = to_english(prompts, words, translate)
    assert mapping == {
        "dog": English("dog", "as given"),
        "강아지": English("dog", "lexicon"),
        "종이꽃이 몇 개 있나요": English("small red paper flower", "translation"),
        "세탁물": English("cups dog", "translation"),
    }
    assert asked == [["종이꽃", "헛소리", "문장", "모를낱말", "세탁물"]]


def test_the_translator_is_left_alone_where_the_lexicon_knows_all(words):
    def translate(words):
        raise AssertionError(words)

    assert to_english(["강아지", "a dog"], words, translate)["강아지"].text == "dog"


def test_what_cannot_be_translated_is_listed(words):
    assert unknown_words(["강아지", "없는낱말", "dog", "없는낱말"], words) == ["없는낱말"]
    with pytest.raises(InputError, match=r"없는낱말, 포켓몬 인형; .*--lexicon.*--translation\.checkpoint"):
        to_english(["없는낱말", "dog", "포켓몬 인형"], words, None)


def test_what_is_chosen_and_left_out_is_noted(words):
    mapping = to_english(["배", "배(pear)", "의자 위의 고양이"], words, None)
    assert mapping == {
        "배": English("boat", "lexicon", "it may be pear or belly too, as in '배(pear)'"),
        "배(pear)": English("pear", "as given"),
        "의자 위의 고양이": English("cat", "lexicon", "no detector looks at: 의자 위"),
    }


OWN = ("안전모", "안전조끼", "0", "1", "st. bernard", "hard hat", "불량품")


@pytest.mark.parametrize(
    ("prompt", "own"),
    [
        ("안전모", "안전모"),
        ("헬멧", "안전모"),  # by their one meaning
        ("helmets", "안전모"),
        ("안전조끼가 몇 개 있나요?", "안전조끼"),
        ("How many safety vests are there?", "안전조끼"),
        ("0", "0"),
        ("St. Bernard", "st. bernard"),
        ("Hard hats", "hard hat"),
        ("불량품은 몇 개인가요?", "불량품"),  # which no lexicon has
    ],
)
def test_a_detectors_own_names_come_first_in_either_language(words, prompt, own):
    english = to_english([prompt], Vocabulary(words.lexicon, OWN), None)[prompt]
    assert (english.text, english.source) == (own, "own name")


def test_what_a_detector_has_no_name_for_is_as_ever(words):
    closed = Vocabulary(words.lexicon, OWN)
    assert to_english(["강아지"], closed, None) == {"강아지": English("dog", "lexicon")}
    assert not closed.usable("2") and not words.usable("0")
