import json
import shutil
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import pad
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    M2M100ForConditionalGeneration,
    MarianMTModel,
    NllbTokenizer,
)

from pipelines.core.errors import CheckpointError, ConfigError
from pipelines.core.images.samples import read_table
from pipelines.core.networks.translate import Translator, language_codes, rules_of
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from tests import tiny

TEXTS = ["a dog", "three red cats and two green cars under the apples", "a photo of a dog", "one", "two cats on cars"]

BUNDLED = Path("mini/weights/nllb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.nllb(tmp_path_factory.mktemp("nllb"))


@pytest.fixture(scope="module")
def translator(folder):
    return Translator(folder, "eng_Latn", "kor_Hang", max_tokens=12)


def translations(translator, texts, batch, precision="fp32"):
    runner = Runner(RunnerConfig(batch=batch, precision=precision, device="cpu", progress=False, workers=2))
    return [outcome.result for outcome in runner.run(translator, texts)]


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_one_translation_per_text(translator, count):
    found = translations(translator, TEXTS[:count], batch=4)
    assert len(found) == count
    assert all(found)


def test_translations_do_not_depend_on_the_batch(translator):
    alone = translations(translator, TEXTS, batch=1)
    assert translations(translator, TEXTS, batch=5) == alone
    assert translations(translator, TEXTS[::-1], batch=3) == alone[::-1]
    assert len(set(alone)) > 2


def test_a_second_try_repeats_no_tokens_and_is_that_of_generate(translator):
    other = translator.without_repeats(2)
    batch = other.prepare(TEXTS)
    assert all(len(set(each)) == len(each) for each in _pairs(other))
    assert any(len(set(each)) < len(each) for each in _pairs(translator))  # the same network does repeat itself
    assert len(other.predict(batch)) == len(TEXTS)
    assert "no_repeat_ngram_size" not in translator.settings


def _pairs(translator):
    rows = translator.tokens(translator.prepare(TEXTS)).tolist()
    pad = translator.tokenizer.pad_token_id
    return [[pair for pair in pairwise(row[1:]) if pad not in pair] for row in rows]


@pytest.mark.parametrize(("source", "target"), [("eng_Latn", "kor_Hang"), ("kor_Hang", "eng_Latn")])
def test_translations_are_those_of_tokenizer_and_generate(folder, source, target):
    ours = translations(Translator(folder, source, target, beams=2, max_tokens=9), TEXTS, batch=5)
    tokenizer = NllbTokenizer.from_pretrained(folder, src_lang=source)
    model = M2M100ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    forced = tokenizer.convert_tokens_to_ids(target)
    for text, ours_of in zip(TEXTS, ours, strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        assert inputs["input_ids"][0, 0] == tokenizer.convert_tokens_to_ids(source)
        tokens = model.generate(**inputs, forced_bos_token_id=forced, num_beams=2, max_new_tokens=9)
        assert tokens[0, 1] == forced
        assert ours_of == tokenizer.decode(tokens[0], skip_special_tokens=True).strip()


@pytest.mark.skipif(not (BUNDLED / "model.safetensors").exists(), reason=f"{BUNDLED} is not there")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_bundled_nllb_translates_the_samples(precision):
    truth = read_table(Path("samples/caption/truth.csv")).rows
    translator = Translator(BUNDLED, "eng_Latn", "kor_Hang")
    found = translations(translator, [row["english"] for row in truth], batch=16, precision=precision)
    right = sum(korean == row["caption"] for korean, row in zip(found, truth, strict=True))
    assert right >= 0.95 * len(truth)


@pytest.mark.skipif(not (BUNDLED / "model.safetensors").exists(), reason=f"{BUNDLED} is not there")
@pytest.mark.parametrize("most", [128, 7])
@pytest.mark.parametrize("beams", [1, 2, 4])
def test_bundled_samples_have_the_tokens_of_transformers(beams, most):
    texts = [row["english"] for row in read_table(Path("samples/caption/truth.csv")).rows][:60]
    translator = Translator(BUNDLED, "eng_Latn", "kor_Hang", beams, most)
    network = translator.module.float().eval()
    with torch.inference_mode():
        for part in [texts, texts[:16], *([text] for text in texts[:5])]:
            batch = translator.prepare(part)
            assert same(translator.tokens(batch), network.generate(**batch, **translator.settings))


def same(ours, theirs):
    """Whether two tables of tokens differ by padding at most; 1 is padding."""
    width = max(ours.shape[1], theirs.shape[1])
    return torch.equal(*(pad(tokens, (0, width - tokens.shape[1]), value=1) for tokens in (ours, theirs)))


@pytest.mark.parametrize(
    ("asked", "searched"),
    [
        ({}, True),
        ({"early_stopping": True, "num_beams": 5, "max_length": 200}, True),  # M2M100's
        ({"early_stopping": "never", "length_penalty": 0.5}, True),
        ({"eos_token_id": [2, 30, 41]}, True),
        ({"eos_token_id": None}, True),
        ({"no_repeat_ngram_size": 2}, False),
        ({"repetition_penalty": 1.3}, False),
        ({"suppress_tokens": [9]}, False),
        ({"decoder_start_token_id": None}, False),
    ],
)
def test_what_a_checkpoint_asks_for_is_done(folder, asked, searched):
    translator = Translator(folder, "eng_Latn", "kor_Hang", max_tokens=12)
    network = translator.module.float().eval()
    network.generation_config.update(**asked)
    batch = translator.prepare(TEXTS)
    config = GenerationConfig(**network.generation_config.to_diff_dict() | translator.settings)
    assert (rules_of(config) is not None) == searched
    with torch.inference_mode():
        assert same(translator.tokens(batch), network.generate(**batch, **translator.settings))


@pytest.mark.parametrize(("source", "target"), [("eng_Latn", "kor"), ("en", "kor_Hang")])
def test_an_unknown_language_names_the_nearest(folder, source, target):
    with pytest.raises(ConfigError, match=r"found `(kor|en)`; the nearest of its 202 codes are"):
        Translator(folder, source, target)


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    with pytest.raises(
        CheckpointError,
        match=r"AutoModelForSeq2SeqLM needs .*BlipConfig'> for this kind of AutoModel: AutoModelForSeq2SeqLM.$",
    ):
        Translator(tiny.blip(tmp_path), "eng_Latn", "kor_Hang")


def test_m2m100_codes_come_from_its_tokenizers_table():
    assert language_codes(SimpleNamespace(lang_code_to_id={"en": 7, "ko": 8})) == {"en": 7, "ko": 8}


@pytest.fixture(scope="module")
def marian_folder(tmp_path_factory):
    return tiny.marian(tmp_path_factory.mktemp("marian"))


def test_any_other_translator_gives_what_transformers_gives(marian_folder, capsys):
    translator = Translator(marian_folder, "eng_Latn", "kor_Hang", beams=2, max_tokens=9)
    assert "translates by transformers' own search, which is slower" in capsys.readouterr().err
    ours = translations(translator, TEXTS, batch=5)
    tokenizer = AutoTokenizer.from_pretrained(marian_folder)
    model = MarianMTModel.from_pretrained(marian_folder, dtype=torch.float32).eval()
    for text, found in zip(TEXTS, ours, strict=True):
        tokens = model.generate(**tokenizer(text, return_tensors="pt"), num_beams=2, max_new_tokens=9, do_sample=False)
        assert found == tokenizer.decode(tokens[0], skip_special_tokens=True).strip()
    assert len(set(ours)) > 1
    assert translations(translator, TEXTS, batch=1) == ours


def test_a_translator_of_several_languages_is_told_which(marian_folder, tmp_path):
    shutil.copytree(marian_folder, tmp_path, dirs_exist_ok=True)
    words = json.loads((tmp_path / "vocab.json").read_text())
    words[">>kor<<"] = words.pop(next(word for word in words if word.endswith("x") or len(word) == 1))
    (tmp_path / "vocab.json").write_text(json.dumps(words))
    translator = Translator(tmp_path, "eng_Latn", "kor_Hang")
    assert translator.prepare(["a dog"])["input_ids"][0, 0] == words[">>kor<<"]
