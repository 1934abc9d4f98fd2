import pytest
import torch
from torch import nn

from pipelines.caption.text.translation import SecondTries, translate_distinct
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig


class Reverser:
    """Translates by reversing; keeps the batches; fails at a text with a question mark."""

    dtypes = frozenset({torch.float32})

    def __init__(self):
        self.module = nn.Linear(1, 1)
        self.batches = []

    def prepare(self, texts):
        return {"texts": list(texts)}

    def predict(self, batch):
        if "?" in "".join(batch["texts"]):
            raise ValueError("a question")
        self.batches.append(batch["texts"])
        return [text[::-1] for text in batch["texts"]]


@pytest.fixture
def runner():
    return Runner(RunnerConfig(batch=2, device="cpu", progress=False))


def test_nothing_to_translate(runner):
    assert translate_distinct(runner, Reverser(), []) == {}


def test_each_distinct_text_is_translated_once_the_longest_first(runner):
    translator = Reverser()
    found = translate_distinct(runner, translator, ["a dog", "two cats", "a dog", "a bee", "a dog"])
    assert {text: outcome.result for text, outcome in found.items()} == {
        "a dog": "god a",
        "two cats": "stac owt",
        "a bee": "eeb a",
    }
    assert translator.batches == [["two cats", "a bee"], ["a dog"]]


def test_blank_texts_are_not_sent_to_the_translator(runner):
    translator = Reverser()
    found = translate_distinct(runner, translator, ["", " ", "a dog"])
    assert [found[text].result for text in ("", " ", "a dog")] == ["", " ", "god a"]
    assert translator.batches == [["a dog"]]


def test_a_text_that_fails_fails_alone(runner):
    found = translate_distinct(runner, Reverser(), ["what?", "a dog", "cats"])
    assert not found["what?"].ok
    assert "a question" in found["what?"].error
    assert found["a dog"].result == "god a"


class Answers(Reverser):
    """Translates by a table."""

    def __init__(self, table):
        super().__init__()
        self.table = table

    def predict(self, batch):
        self.batches.append(batch["texts"])
        return [self.table[text] for text in batch["texts"]]


FIRST = {
    "a dog": "강아지",
    "a red car": "빨간 차, 빨간 차, 빨간 차",
    "a cat": ", , , ,",
    "a bird": "птица на дереве",
    "...": "...",
}


def test_what_went_wrong_is_translated_again_and_nothing_else(runner):
    again = Answers({"a red car": "빨간 차", "a cat": "고양이", "a bird": "птица"})
    tries = SecondTries(runner, again, "kor_Hang")
    found = tries(translate_distinct(runner, Answers(FIRST), FIRST))
    assert sorted(text for batch in again.batches for text in batch) == ["a bird", "a cat", "a red car"]
    assert tries.faults == {"a red car": "loop", "a cat": "junk", "a bird": "script"}
    assert {text: outcome.result for text, outcome in found.items()} == FIRST | {
        "a red car": "빨간 차",
        "a cat": "고양이",
    }


def test_where_nothing_went_wrong_no_second_try_is_made(runner):
    again = Answers({})
    found = translate_distinct(runner, Answers(FIRST), ["a dog", "..."])
    assert SecondTries(runner, again, "kor_Hang")(found) == found
    assert again.batches == []
    assert [report.name for report in runner.reports] == ["translate"]
