import pytest
import torch

from benchmarks import translation
from benchmarks.translation import BEAMS, BUNDLED, SOURCE, TARGET, Plain, compare, drawn_texts
from pipelines.core.runner import Runner, RunnerConfig
from pipelines.core.translate import Translator
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


def test_a_row_says_its_texts_and_dtype(tmp_path):
    row = compare("tiny", tiny.nllb(tmp_path), drawn_texts(20), repeats=1, tokens=4)
    assert row.ratio == row.ours / row.peer_value
    assert "20 texts" in row.note and "% of them repeat" in row.note and "float" in row.note
