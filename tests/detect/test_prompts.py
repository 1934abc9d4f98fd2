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
        return {"빨간 자동차": "A small, red car.", "헛소리": "헛소리", "두 문장": "One. Two."}

    mapping = to_english(["dog", "강아지", "빨간 자동차", "헛소리", "두 문장", "모르는 말"], lexicon, translate)
    assert mapping == {
        "dog": English("dog", "as given"),
        "강아지": English("dog", "lexicon"),
        "빨간 자동차": English("small red car", "translation"),
    }
    assert asked == [["빨간 자동차", "헛소리", "두 문장", "모르는 말"]]


def test_the_translator_is_left_alone_where_the_lexicon_knows_all(lexicon):
    def translate(words):
        raise AssertionError(words)

    assert to_english(["강아지", "a dog"], lexicon, translate)["강아지"].text == "dog"


def test_what_cannot_be_translated_is_listed(lexicon):
    assert unknown_words(["강아지", "없는낱말", "dog", "없는낱말"], lexicon) == ["없는낱말"]
    with pytest.raises(InputError, match=r"없는낱말, 빨간 자동차; .*--lexicon.*--translation\.checkpoint"):
        to_english(["없는낱말", "dog", "빨간 자동차"], lexicon, None)
