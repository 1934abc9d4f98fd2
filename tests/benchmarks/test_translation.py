import pytest
import torch

from benchmarks import translation
from benchmarks.rows import this_device
from benchmarks.translation import BATCHES, BEAMS, BUNDLED, SOURCE, TARGET, Plain, compare, drawn_texts
from pipelines.core.networks.translate import Translator
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from tests import tiny


def test_texts_vary_in_length_and_repeat_as_said():
    texts = drawn_texts(500)
    assert texts == drawn_texts(500)
    assert 0.25 < 1 - len(set(texts)) / len(texts) < 0.4
    assert max(map(len, texts)) > 4 * min(map(len, texts))


@pytest.mark.skipif(not (BUNDLED / "model.safetensors").exists(), reason=f"{BUNDLED} is not there")
def test_both_sides_give_the_same_translations():
    texts = drawn_texts(12)
    runner = Runner(RunnerConfig(device="cpu", precision="fp32", progress=False))
    ours = [outcome.result for outcome in runner.run(Translator(BUNDLED, SOURCE, TARGET, BEAMS), texts)]
    plain = Plain(BUNDLED, torch.device("cpu"), torch.float32, translation.MOST_TOKENS)
    assert [text.strip() for text in plain.translations(texts, 5)] == ours


def test_rows_say_their_texts_and_dtype_and_the_fastest_peer_has_the_goal(tmp_path):
    rows = compare("tiny", tiny.nllb(tmp_path), drawn_texts(20), repeats=1, tokens=4)
    assert len(rows) == len(BATCHES[this_device()])
    for row in rows:
        assert row.ratio == row.ours / row.peer_value
        assert "20 texts" in row.note and "% of them repeat" in row.note and "float" in row.note
        assert "ms a text" in row.rest
    with_goal = [row for row in rows if row.goal is not None]
    assert [row.ratio for row in with_goal] == [min(row.ratio for row in rows)]
    assert with_goal[0].peer.endswith("its fastest")
