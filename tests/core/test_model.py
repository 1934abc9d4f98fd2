"""Which model runs a checkpoint: by its name, or by what published repositories have in their config.json."""

import json
import sys

import pytest

from pipelines.anomaly.models import METHODS
from pipelines.caption.models import CAPTIONERS
from pipelines.core.errors import CheckpointError, ConfigError
from pipelines.core.model import Model, choose, fitting, listed, named
from pipelines.core.networks.catalogue import catalogue, model_of
from pipelines.detect.models import DETECTORS
from pipelines.search.models import RERANKERS
from tests.published.facts import read_facts

FACTS = [facts for facts in read_facts() if facts.task in ("caption", "detect", "rerank")]
MODELS = {"caption": CAPTIONERS, "detect": DETECTORS, "rerank": RERANKERS}


@pytest.fixture
def folder(tmp_path):
    """Makes a checkpoint folder with the config.json."""

    def make(config):
        text = config if isinstance(config, str) else json.dumps(config)
        (tmp_path / "config.json").write_text(text)
        return tmp_path

    return make


@pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.checkpoint)
def test_a_published_checkpoint_finds_the_model_that_the_catalogue_names(facts, folder):
    found = choose(MODELS[facts.task], "auto", folder(facts.settings["config.json"]))
    entry = catalogue().find(facts.checkpoint)
    assert found == (entry.model if entry else "chat")


@pytest.mark.parametrize(
    ("models", "config", "said"),
    [
        (
            DETECTORS,
            {"model_type": "unheard-of"},
            f"{listed(DETECTORS)}; found unheard-of; name another checkpoint, or",
        ),
        (DETECTORS, {"model_type": "unheard-of"}, "or insist with --model NAME"),
        (DETECTORS, {}, "found none; name another checkpoint"),
        (DETECTORS, {"model_type": 7}, "found 7;"),
        (DETECTORS, {"model_type": ["yolo"]}, "found ['yolo'];"),
        (CAPTIONERS, {"model_type": "llama"}, "chat (any other with vision_config); found llama"),
        (DETECTORS, "[1, 2]", "expected a JSON object in"),
        (DETECTORS, "{", "cannot be read"),
    ],
)
def test_a_checkpoint_that_no_model_fits(folder, models, config, said):
    with pytest.raises(CheckpointError) as refusal:
        choose(models, "auto", folder(config))
    assert said in str(refusal.value) and "config.json" in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_folder_without_settings(tmp_path):
    with pytest.raises(CheckpointError, match=r"config\.json, but they cannot be read"):
        choose(DETECTORS, "auto", tmp_path)


def test_a_name_insists_whatever_the_checkpoint_says(folder):
    assert choose(DETECTORS, "yolo", folder({"model_type": "unheard-of"})) == "yolo"


def test_methods_fit_any_checkpoint_and_the_first_is_taken(tmp_path):
    assert choose(METHODS, "auto", tmp_path / "weights.safetensors") == next(iter(METHODS))


def test_a_named_kind_comes_before_what_others_have(folder):
    config = {"model_type": "blip", "vision_config": {}, "text_config": {}}
    assert choose(CAPTIONERS, "auto", folder(config)) == "blip"
    assert choose(dict(reversed(CAPTIONERS.items())), "auto", folder(config)) == "blip"
    assert fitting({}, config) is None


def test_an_unknown_name_lists_the_names_with_their_kinds():
    with pytest.raises(
        ConfigError, match=r"as `model` one of auto, grounding-dino \(.*\), yolo \(.*\), found `nobody`"
    ):
        named(DETECTORS, "nobody")
    with pytest.raises(ConfigError, match="as `rerank` one of itm"):
        named(RERANKERS, "auto", "rerank")
    assert listed(METHODS).startswith("patchcore, padim")


def test_what_was_given_comes_before_a_models_own():
    model = Model(lambda: object, "", frozenset({"fp32"}), defaults={"beams": 3, "prompt": ""})
    assert [model.own("beams", given) for given in (None, 1)] == [3, 1]
    assert [model.own("prompt", given) for given in (None, "a")] == ["", "a"]


@pytest.mark.parametrize(
    ("checkpoint", "models", "name"),
    [
        ("mini/weights/blip", CAPTIONERS, "blip"),
        ("mini/weights/nllb", CAPTIONERS, None),
        ("mini/weights", CAPTIONERS, None),
        ("Qwen/Qwen3-VL-4B-Instruct", CAPTIONERS, "chat"),
        ("Qwen/Qwen3-VL-4B-Instruct@main", CAPTIONERS, "chat"),
        ("who/knows", CAPTIONERS, None),
        ("who/knows", METHODS, "patchcore"),
    ],
)
def test_the_model_is_told_ahead_as_far_as_it_can_be(checkpoint, models, name):
    assert model_of(checkpoint, models) == name
    assert model_of(checkpoint, models, "mine") == "mine"


def test_the_dicts_are_had_without_a_model_library():
    import subprocess

    code = (
        "import sys, pipelines.caption.models, pipelines.detect.models, pipelines.anomaly.models\n"
        "import pipelines.classify.models, pipelines.search.models, pipelines.core.networks.models\n"
        "print([name for name in ('torch', 'transformers', 'timm', 'cv2') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
