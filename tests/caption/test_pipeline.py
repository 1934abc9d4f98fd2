import json
from pathlib import Path

import pytest
import torch
from torch import nn

from pipelines.caption.models.captioner import Said
from pipelines.caption.pipeline import Caption, CaptionPipeline, translated
from pipelines.caption.settings import CaptionConfig, samples
from pipelines.core.config import DataConfig, load_config
from pipelines.core.errors import CheckpointError, ConfigError
from pipelines.core.images.samples import Sample
from pipelines.core.running.batch_model import Outcome
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig
from pipelines.core.submission.schema import read_schema
from pipelines.core.submission.writing import write_submission

RUNNER = RunnerConfig(batch=3, precision="fp32", device="cpu", progress=False, workers=2)


def made(photos, checkpoint, **settings):
    config = CaptionConfig(DataConfig(photos[0].path.parent), str(checkpoint), max_tokens=8, runner=RUNNER, **settings)
    return CaptionPipeline(config, Runner(config.runner))


@pytest.fixture
def translating(photos, blip_folder, nllb_folder):
    return made(photos, blip_folder, translation={"checkpoint": str(nllb_folder), "max_tokens": 6})


@pytest.fixture
def english(photos, blip_folder):
    return made(photos, blip_folder, translate=False)


def test_no_samples_give_nothing(translating, english):
    assert list(translating([])) == list(english([])) == []


def test_captions_become_korean(translating, english, photos):
    outcomes = list(translating(photos))
    assert [outcome.item for outcome in outcomes] == photos
    said = {outcome.item.id: outcome.result.text for outcome in english(photos)}
    for outcome in outcomes:
        assert outcome.result.english == said[outcome.item.id]
        assert translating.rows(outcome.item, outcome.result) == [{"caption": outcome.result.korean}]
    assert any(outcome.result.korean != outcome.result.english for outcome in outcomes)


def test_a_broken_picture_fails_alone(translating, photos, tmp_path):
    broken = Sample("broken", tmp_path / "broken.png")
    outcomes = list(translating([photos[0], broken, photos[1]]))
    assert [outcome.ok for outcome in outcomes] == [True, False, True]
    assert "broken.png" in outcomes[1].error
    assert translating.blank(broken) == [{"caption": ""}]


def test_the_record_has_both_languages_and_the_models(translating, english, photos):
    outcomes = list(translating(photos[:2]))
    record = json.loads(json.dumps(translating.record()))
    assert record["captions"] == {
        outcome.item.id: {"english": outcome.result.english, "korean": outcome.result.korean} for outcome in outcomes
    }
    assert {name: len(model["fingerprint"]) for name, model in record["models"].items()} == {
        "captioner": 16,
        "translator": 16,
    }
    list(english(photos[:1]))
    assert english.record()["captions"]["0.png"]["korean"] is None
    assert english.record()["models"].keys() == {"captioner"}


def test_a_chat_model_answers_in_korean_without_a_translator(qwen_vl_folder, photos):
    pipeline = made(photos, qwen_vl_folder, model="chat", prompt="나무")
    outcomes = list(pipeline(photos))
    assert pipeline.translator is None
    assert all(outcome.result.english is None and outcome.result.korean for outcome in outcomes)


def test_a_chat_model_that_is_asked_for_english_can_be_translated(qwen_vl_folder, nllb_folder, photos):
    translation = {"checkpoint": str(nllb_folder), "max_tokens": 4}
    pipeline = made(photos, qwen_vl_folder, model="chat", prompt="a photo", translate=True, translation=translation)
    assert all(outcome.result.english for outcome in pipeline(photos[:2]))


def test_the_whole_submission(translating, photos, tmp_path):
    schema = read_schema(DataConfig(photos[0].path.parent), translating.fields)
    written = write_submission(tmp_path / "out.csv", schema, translating, translating(photos))
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert (written.rows, lines[0], len(lines)) == (len(photos), "image,caption", len(photos) + 1)


class Fails:
    """A translator that knows no cats."""

    dtypes = frozenset({torch.float32})

    def __init__(self):
        self.module = nn.Linear(1, 1)

    def prepare(self, texts):
        return {"texts": list(texts)}

    def predict(self, batch):
        if "cat" in " ".join(batch["texts"]):
            raise ValueError("no cats")
        return ["강아지가 있습니다" for _ in batch["texts"]]


def test_a_caption_that_cannot_be_translated_fails_its_pictures(photos):
    said = [Outcome(photo, text) for photo, text in zip(photos[:3], ["a cat", "a dog", "a cat"], strict=True)]
    said.append(Outcome(photos[3], None, "unreadable"))
    outcomes = list(translated(said, Runner(RUNNER), Fails()))
    assert [outcome.ok for outcome in outcomes] == [False, True, False, False]
    assert outcomes[0].error == "'a cat' could not be translated: ValueError: no cats"
    assert outcomes[3].error == "unreadable"
    assert outcomes[1].result == Caption("a dog", "강아지가 있습니다")


class Asked(Fails):
    """A translator that notes what it is asked."""

    def predict(self, batch):
        self.asked = [*getattr(self, "asked", []), batch["texts"]]
        return super().predict(batch)


def test_captions_are_translated_in_windows_and_each_only_once(photos):
    said = [Outcome(photos[0], f"text {number % 100}") for number in range(300)]
    translator, come = Asked(), []

    def coming():
        for outcome in said:
            come.append(len(getattr(translator, "asked", [])))
            yield outcome

    runner = Runner(RunnerConfig(device="cpu", batch=64, progress=False))
    assert len(list(translated(coming(), runner, translator))) == 300
    assert sorted(text for batch in translator.asked for text in batch) == sorted({each.result for each in said})
    assert [come.index(number) for number in range(1, len(translator.asked))] == [8, 24, 56]


@pytest.mark.parametrize(
    ("caption", "style", "wanted"),
    [
        (Caption("a dog", "강아지가 있습니다."), "다", "강아지가 있다."),
        (Caption("a dog", "강아지가 있습니다."), "as-is", "강아지가 있습니다."),
        (Caption(korean="강아지가 있다"), "습니다", "강아지가 있습니다"),
        (Caption(english="a dog"), "다", "a dog"),
        (Caption("a dog", ""), "다", ""),
    ],
)
def test_the_style_is_of_the_korean_caption(caption, style, wanted):
    assert caption.styled(style).text == wanted
    assert caption.styled(style).english == caption.english


class Says:
    """A captioner that says the same of every picture."""

    writes_korean = True
    dtypes = frozenset({torch.float32})

    def __init__(self, text):
        self.module = nn.Linear(1, 1)
        self.text = text

    def prepare(self, samples):
        return {"count": len(samples)}

    def predict(self, batch):
        return [Said(self.text)] * batch["count"]


def test_the_style_reaches_submission_and_record(qwen_vl_folder, photos):
    pipeline = made(photos, qwen_vl_folder, model="chat", style="다")
    pipeline.captioner = Says("강아지가 앉아 있습니다.")
    assert {outcome.result.text for outcome in pipeline(photos)} == {"강아지가 앉아 있다."}
    assert pipeline.record()["captions"]["0.png"]["korean"] == "강아지가 앉아 있다."


def test_noun_phrases_become_sentences_where_the_setting_says_so(qwen_vl_folder, photos):
    for asked, wanted in ((False, "해변의 강아지"), (True, "해변의 강아지입니다")):
        pipeline = made(photos, qwen_vl_folder, model="chat", style="습니다", style_phrases=asked)
        pipeline.captioner = Says("해변의 강아지")
        assert {outcome.result.text for outcome in pipeline(photos)} == {wanted}


class Table:
    """A translator that answers by a table, and by another without repeats."""

    dtypes = frozenset({torch.float32})

    def __init__(self, answer):
        self.module = nn.Linear(1, 1)
        self.answer = answer

    def prepare(self, texts):
        return {"count": len(texts)}

    def predict(self, batch):
        return [self.answer] * batch["count"]


LOOP = "빨간 차, 빨간 차, 빨간 차"


@pytest.mark.parametrize(
    ("second", "garbled", "wanted", "wrong"),
    [
        ("빨간 차", "keep", "빨간 차", {}),
        (LOOP, "keep", LOOP, {"0.png": "loop", "1.png": "loop"}),
        (LOOP, "blank", "", {"0.png": "loop", "1.png": "loop"}),
        ("red car", "keep", LOOP, {"0.png": "loop", "1.png": "loop"}),
    ],
)
def test_translations_that_went_wrong_are_made_again_told_and_blanked(
    photos, blip_folder, nllb_folder, capsys, second, garbled, wanted, wrong
):
    translation = {"checkpoint": str(nllb_folder), "max_tokens": 6, "garbled": garbled}
    pipeline = made(photos, blip_folder, translation=translation)
    pipeline.captioner = Says("a red car")
    pipeline.translator = Table(LOOP)
    pipeline.second_tries.translator = Table(second)
    assert [pipeline.rows(*pair) for pair in ((each.item, each.result) for each in pipeline(photos[:2]))] == [
        [{"caption": wanted}]
    ] * 2
    record = json.loads(json.dumps(pipeline.record()))
    assert (record["garbled"], record["translated_twice"]) == (wrong, {"a red car": "loop"})
    told = capsys.readouterr().err
    assert "1 translations went wrong and were made again" in told
    assert ("2 captions look wrong: 2 repeat themselves; that of 0.png is the first" in told) == bool(wrong)


def test_captions_left_in_english_are_told_where_korean_was_asked_for(qwen_vl_folder, photos, capsys):
    pipeline = made(photos, qwen_vl_folder, model="chat")
    pipeline.captioner = Says("a dog on a beach")
    assert {outcome.result.text for outcome in pipeline(photos[:2])} == {"a dog on a beach"}
    assert pipeline.record()["garbled"] == {"0.png": "untranslated", "1.png": "untranslated"}
    assert "2 captions look wrong: 2 are in Latin letters alone" in capsys.readouterr().err
    pipeline = made(photos, qwen_vl_folder, model="chat", prompt="Describe this photo.")
    pipeline.captioner = Says("a dog on a beach")
    assert len(list(pipeline(photos[:2]))) == 2
    assert pipeline.record()["garbled"] == {}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("beams: 0", "beams is at least 1, not 0"),
        ("prompt: '  '", "prompt has words in it, or is left out; found only spaces"),
        ("translation: {beams: 0}", "beams is at least 1, not 0"),
        ("translate: maybe", "translate"),
        ("style: 해요", "style"),
        ("translation: {garbled: drop}", "garbled"),
        ("translator: x", "unknown setting `translator`"),
    ],
)
def test_unfit_settings_are_refused(tmp_path, lines, message):
    path = tmp_path / "caption.yaml"
    path.write_text(f"data: {{images: {tmp_path}}}\ncheckpoint: x\n{lines}\n")
    with pytest.raises(ConfigError, match=message):
        load_config(path, CaptionConfig)


def test_a_missing_checkpoint_is_named(photos, tmp_path):
    with pytest.raises(CheckpointError, match=str(tmp_path / "none")):
        made(photos, tmp_path / "none")


@pytest.mark.parametrize("path", ["configs/caption.yaml", "configs/mini/caption.yaml"])
def test_the_shipped_settings_are_valid(path):
    assert load_config(Path(path), CaptionConfig).data.images


def test_samples_are_the_folders_images(photos, blip_folder):
    config = CaptionConfig(DataConfig(photos[0].path.parent), str(blip_folder))
    assert samples(config) == photos
