"""Korean queries are translated exactly where the model knows no Korean."""

import pytest
import torch
from transformers import AutoTokenizer

from pipelines.core.config import TranslationConfig
from pipelines.core.errors import CheckpointError, InputError
from pipelines.core.networks.clip import load_clip
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.words.queries import FEW, Queries, knows_korean

QUERIES = ["two dogs", "강아지", "cats", "강아지 두 마리"]


@pytest.fixture
def runner():
    return Runner(RunnerConfig(device="cpu", batch=2, progress=False))


def test_a_vocabulary_tells_whether_a_model_knows_korean(clip_folder, siglip_folder):
    assert not knows_korean(AutoTokenizer.from_pretrained(clip_folder))
    assert knows_korean(AutoTokenizer.from_pretrained(siglip_folder))


def test_what_a_tokenizer_calls_unknown_is_not_known(siglip_folder):
    tokenizer = AutoTokenizer.from_pretrained(siglip_folder)
    assert not knows_korean(Unknowing(tokenizer))


class Unknowing:
    """A tokenizer to which every word is its unknown token: few tokens, and yet no Korean."""

    def __init__(self, tokenizer):
        self.unk_token_id = tokenizer.unk_token_id

    def __call__(self, word, add_special_tokens):
        return {"input_ids": [self.unk_token_id]}


def test_korean_queries_are_asked_in_english(clip_folder, nllb_folder, runner):
    _, texts = load_clip(clip_folder)
    queries = Queries(texts, runner, "auto", TranslationConfig(str(nllb_folder)))
    found = queries.vectors(QUERIES)
    assert list(queries.english) == ["강아지 두 마리", "강아지"]
    asked = [queries.english.get(query, query) for query in QUERIES]
    assert torch.equal(found, torch.stack([outcome.result for outcome in runner.run(texts, asked)]))
    assert queries.models["translator"]["checkpoint"] == str(nllb_folder)


@pytest.mark.parametrize(("folder", "translate"), [("siglip_folder", "auto"), ("clip_folder", False)])
def test_no_translator_is_loaded_where_none_is_wanted(folder, translate, runner, request):
    _, texts = load_clip(request.getfixturevalue(folder))
    queries = Queries(texts, runner, translate, TranslationConfig("/nowhere"))
    assert len(queries.vectors(QUERIES)) == len(QUERIES)
    assert queries.english == {} and queries.models == {}


def test_a_translator_is_asked_for_only_by_korean(siglip_folder, runner):
    _, texts = load_clip(siglip_folder)
    queries = Queries(texts, runner, True, TranslationConfig("/nowhere"))
    queries.vectors(["two dogs"])
    with pytest.raises(CheckpointError, match="/nowhere"):
        queries.vectors(["강아지"])


def test_a_query_without_words_is_refused(siglip_folder, runner):
    _, texts = load_clip(siglip_folder)
    with pytest.raises(InputError, match="expected a query of words"):
        Queries(texts, runner).vectors(["dog", " "])


@pytest.mark.parametrize(("count", "shown"), [(1, False), (FEW, False), (FEW + 1, True)])
def test_few_queries_show_no_progress(siglip_folder, count, shown, capsys):
    queries = Queries(load_clip(siglip_folder)[1], Runner(RunnerConfig(device="cpu", batch=16)))
    queries.vectors([f"{number} dogs" for number in range(count)])
    assert ("queries" in capsys.readouterr().err) is shown
