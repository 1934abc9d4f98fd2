import pytest

from pipelines.core.errors import InputError
from pipelines.core.words.lexicon import read_lexicon
from pipelines.detect.prompts import English, to_english, unknown_words


@pytest.fixture(scope="module")
def lexicon() -> dict[str, str]:
    return read_lexicon()


def test_nothing_becomes_nothing(lexicon):
    assert to_english([], lexicon, None) == {}


def test_prompts_become_english(lexicon):
    asked: list[list[str]] = []

    def translate(words):
        asked.append(list(words))
        return {"종이꽃": "A small, red paper flower.", "헛소리": "헛소리", "문장": "One. Two.", "세탁물": "cups, dogs"}

    prompts = ["dog", "강아지", "종이꽃이 몇 개 있나요", "헛소리", "두 문장", "모를낱말", "세탁물"]
    mapping = to_english(prompts, lexicon, translate)
    assert mapping == {
        "dog": English("dog", "as given"),
        "강아지": English("dog", "lexicon"),
        "종이꽃이 몇 개 있나요": English("small red paper flower", "translation"),
        "세탁물": English("cups dog", "translation"),
    }
    assert asked == [["종이꽃", "헛소리", "문장", "모를낱말", "세탁물"]]


def test_the_translator_is_left_alone_where_the_lexicon_knows_all(lexicon):
    def translate(words):
        raise AssertionError(words)

    assert to_english(["강아지", "a dog"], lexicon, translate)["강아지"].text == "dog"


def test_what_cannot_be_translated_is_listed(lexicon):
    assert unknown_words(["강아지", "없는낱말", "dog", "없는낱말"], lexicon) == ["없는낱말"]
    with pytest.raises(InputError, match=r"없는낱말, 포켓몬 인형; .*--lexicon.*--translation\.checkpoint"):
        to_english(["없는낱말", "dog", "포켓몬 인형"], lexicon, None)


def test_what_is_chosen_and_left_out_is_noted(lexicon):
    mapping = to_english(["배", "배(pear)", "의자 위의 고양이"], lexicon, None)
    assert mapping == {
        "배": English("boat", "lexicon", "it may be pear or belly too, as in '배(pear)'"),
        "배(pear)": English("pear", "as given"),
        "의자 위의 고양이": English("cat", "lexicon", "no detector looks at: 의자 위"),
    }
