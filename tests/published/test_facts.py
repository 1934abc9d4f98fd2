"""The facts are complete and true to the published files; the library loads the repositories made from them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoImageProcessor, AutoModelForSeq2SeqLM, AutoProcessor, AutoTokenizer

from pipelines.core.networks.catalogue import known_ids
from pipelines.core.words.queries import knows_korean
from tests.published.build import OURS, PICKLE
from tests.published.build_networks import CLASSES
from tests.published.build_text import ENGLISH_ONLY
from tests.published.facts import TASKS, Facts, read_facts

ROOT = Path(__file__).parents[2]
HUB = ROOT.parent / "shared/data/hub"
ALL = read_facts()
BY_ID = {facts.checkpoint: facts for facts in ALL}
READING = [facts for facts in ALL if facts.task != "anomaly"]
DECIDING = ("config.json", "preprocessor_config.json", "processor_config.json", "generation_config.json")
DECIDING += ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.json")
DECIDING += ("video_preprocessor_config.json",)
TEXTS = ["a dog", "two cats and a car", "the red apple", "people standing next to a bus"]
QUESTION = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "describe this image"}]}]
LATER = {("google/siglip-base-patch16-224", "model_input_names")}
"""Fields that main has gained since the revision whose file is at hand."""

pytestmark = pytest.mark.filterwarnings("ignore")


def named(facts: Facts) -> str:
    return facts.checkpoint


def loadable(facts: Facts, root: Path) -> Path:
    """The folder that has the weights: main, or the converter's newest pull request."""
    repository = root / facts.checkpoint
    if any(name.endswith(".safetensors") for name in facts.files) or not facts.offers:
        return repository / "main"
    return repository / max(facts.offers, key=lambda ref: int(ref.rpartition("/")[2]))


# --- the facts


def test_every_checkpoint_of_the_catalogue_has_its_facts():
    assert set(known_ids()) <= set(BY_ID) and len(known_ids()) >= 20


def test_the_checkpoints_are_those_of_the_tasks():
    assert len(ALL) >= 28 and len(BY_ID) == len(ALL)
    assert {facts.task for facts in ALL} == set(TASKS)


@pytest.mark.parametrize("facts", ALL, ids=named)
def test_facts_are_complete(facts):
    assert facts.sources and all(isinstance(source, str) and len(source) > 10 for source in facts.sources)
    assert len(facts.files) == len(set(facts.files))
    assert set(facts.settings) <= set(facts.files), "settings of a file that is not listed"
    missing = [name for name in facts.files if name in DECIDING and name not in facts.settings]
    assert not missing, "a file that decides is listed without its fields"
    kind = facts.settings["config.json"].get("model_type", "timm")
    assert facts.model_type == kind
    assert any(name.endswith((".safetensors", PICKLE)) for name in facts.files)
    for ref, added in facts.offers.items():
        assert ref.startswith("refs/pr/") and any(name.endswith(".safetensors") for name in added)


@pytest.mark.parametrize("facts", ALL, ids=named)
def test_facts_are_the_published_values(facts):
    folder = HUB / facts.checkpoint
    if not folder.is_dir():
        pytest.skip(f"none of the published files of {facts.checkpoint} is at hand under {HUB}")
    compared = 0
    for path in sorted(folder.glob("*.json")):
        if path.name in facts.settings:
            ours = {
                key: value for key, value in facts.settings[path.name].items() if (facts.checkpoint, key) not in LATER
            }
            compared += differs(ours, json.loads(path.read_text(encoding="utf-8")), path.name)
    assert compared, f"of {folder} nothing is among the facts"


def differs(ours: Any, theirs: Any, where: str) -> int:
    """How many values were compared; fails at one that is not the published one."""
    if ours == OURS:
        assert isinstance(theirs, str)
        return 0
    if isinstance(ours, Mapping):
        assert set(ours) <= set(theirs), f"{where}: {sorted(set(ours) - set(theirs))} are not published"
        return sum(differs(ours[key], theirs[key], f"{where}.{key}") for key in ours)
    assert ours == theirs and type(ours) is type(theirs), where
    return 1


@pytest.mark.parametrize("facts", ALL, ids=named)
def test_small_files_are_given_whole(facts):
    """All fields but config.json's, of which those are given that decide."""
    for path in sorted((HUB / facts.checkpoint).glob("*.json")):
        if path.name in facts.settings and path.name != "config.json":
            assert set(facts.settings[path.name]) >= set(json.loads(path.read_text(encoding="utf-8"))), path


# --- what is built


@pytest.mark.parametrize("facts", ALL, ids=named)
def test_a_repository_has_the_published_files(facts, hub_root):
    repository = hub_root / facts.checkpoint
    main = repository / "main"
    assert sorted(str(path.relative_to(main)) for path in main.rglob("*") if path.is_file()) == sorted(facts.files)
    for ref, added in facts.offers.items():
        found = {str(path.relative_to(repository / ref)) for path in (repository / ref).rglob("*") if path.is_file()}
        assert found == {*facts.files, *added}
    for name in facts.files:
        if name.endswith((".h5", ".msgpack", ".onnx", ".ot")):
            assert (main / name).stat().st_size < 200


@pytest.mark.parametrize("facts", ALL, ids=named)
def test_settings_are_written_as_published(facts, hub_root):
    for name, fields in facts.settings.items():
        if name.endswith(".json") and name != "config.json":
            written = json.loads((hub_root / facts.checkpoint / "main" / name).read_text(encoding="utf-8"))
            assert written.keys() == fields.keys()
            assert all(written[key] == value for key, value in fields.items() if value != OURS)


def test_all_repositories_are_small(hub_root):
    assert sum(path.stat().st_size for path in hub_root.rglob("*") if path.is_file()) < 120e6


@pytest.mark.parametrize("facts", READING, ids=named)
def test_the_library_loads_a_network_whole(facts, hub_root):
    """By the class that its settings name: no weight missing, none left over, in the stored dtype."""
    folder = loadable(facts, hub_root)
    config = AutoConfig.from_pretrained(folder)
    assert config.model_type == facts.model_type
    published = facts.settings["config.json"]
    kind = getattr(transformers, published.get("architectures", [CLASSES.get(facts.model_type)])[0])
    network, info = kind.from_pretrained(
        folder, dtype="auto", output_loading_info=True, use_safetensors=any(folder.glob("*.safetensors"))
    )
    assert not info["missing_keys"] and not info["mismatched_keys"] and not info["unexpected_keys"]
    stored = {value.dtype for path in folder.glob("*.safetensors") for value in load_file(path).values()}
    assert not stored or next(network.parameters()).dtype in stored


@pytest.mark.parametrize("facts", READING, ids=named)
def test_the_library_loads_a_tokenizer(facts, hub_root):
    """It has words of ours, with ids that the network has; but for one whose published vocabulary reads no English."""
    tokenizer = AutoTokenizer.from_pretrained(loadable(facts, hub_root))
    dog, cat = (tokenizer(f"a photo of a {animal}")["input_ids"] for animal in ("dog", "cat"))
    if facts.model_type == "marian":
        assert set(dog) == {tokenizer.unk_token_id, tokenizer.eos_token_id}
        return
    assert dog != cat
    config = json.loads((hub_root / facts.checkpoint / "main/config.json").read_text())
    size = config.get("vocab_size") or config["text_config"].get("vocab_size", 32000)
    assert max(dog) < size
    assert tokenizer.unk_token_id in (None, tokenizer.eos_token_id) or tokenizer.unk_token_id not in dog


@pytest.mark.parametrize("facts", [facts for facts in ALL if facts.task == "search"], ids=named)
def test_who_reads_korean(facts, hub_root):
    tokenizer = AutoTokenizer.from_pretrained(loadable(facts, hub_root))
    assert knows_korean(tokenizer) == (facts.checkpoint not in ENGLISH_ONLY)


def test_special_tokens_have_their_published_ids(hub_root):
    def ids(checkpoint: str, *tokens: str) -> list[int]:
        found: list[int] = AutoTokenizer.from_pretrained(hub_root / checkpoint / "main").convert_tokens_to_ids(
            list(tokens)
        )
        return found

    assert ids("IDEA-Research/grounding-dino-tiny", "[CLS]", "[SEP]", ".", "?") == [101, 102, 1012, 1029]
    assert ids("openai/clip-vit-large-patch14", "<|startoftext|>", "<|endoftext|>") == [49406, 49407]
    assert ids("Qwen/Qwen3-VL-4B-Instruct", "<|im_end|>", "<|image_pad|>") == [151645, 151655]
    assert ids("Qwen/Qwen3.5-4B", "<|im_end|>", "<|image_pad|>", "</think>") == [248046, 248056, 248069]
    assert ids("HuggingFaceTB/SmolVLM2-256M-Video-Instruct", "<image>", "<end_of_utterance>") == [49190, 49279]
    assert ids("google/siglip2-base-patch16-224", "<pad>", "<eos>") == [0, 1]
    assert ids("google/siglip-base-patch16-224", "</s>", "<unk>") == [1, 2]
    first, korean, last = ids("facebook/nllb-200-1.3B", "ace_Arab", "kor_Hang", "zul_Latn")
    assert (korean - first, last - first) == (256098 - 256001, 201)  # as far apart as published, behind fewer pieces


@pytest.mark.parametrize("facts", [facts for facts in READING if facts.task != "translation"], ids=named)
def test_the_library_loads_an_image_processor(facts, hub_root):
    processor = AutoImageProcessor.from_pretrained(loadable(facts, hub_root))
    picture = torch.randint(0, 256, (3, 61, 97), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert processor(images=[picture], return_tensors="pt")["pixel_values"].isfinite().all()


@pytest.mark.parametrize(
    "facts",
    [facts for facts in ALL if "chat_template.json" in facts.files or "chat_template.jinja" in facts.files],
    ids=named,
)
def test_a_chat_model_answers(facts, hub_root):
    """The template makes room for a picture, and what is said depends on it."""
    if facts.model_type == "smolvlm":
        pytest.importorskip(
            "num2words", reason="SmolVLM's processor needs the package num2words, which is not installed"
        )
    folder = hub_root / facts.checkpoint / "main"
    processor = AutoProcessor.from_pretrained(folder)
    question = processor.apply_chat_template(QUESTION, add_generation_prompt=True, tokenize=False)
    assert "describe this image" in question
    network = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    said = set()
    for brightness in (20, 120, 220):
        picture = torch.full((3, 64, 64), brightness, dtype=torch.uint8)
        picture[brightness % 3, 16:48] = 255 - brightness
        inputs = processor(images=[picture], text=[question], return_tensors="pt")
        tokens = network.generate(**inputs, max_new_tokens=8, do_sample=False)[:, inputs["input_ids"].shape[1] :]
        said.add(processor.batch_decode(tokens, skip_special_tokens=True)[0])
    assert len(said) > 1 and all(text.strip() for text in said)


def test_a_thinking_model_can_be_told_not_to(hub_root):
    processor = AutoProcessor.from_pretrained(hub_root / "Qwen/Qwen3.5-4B/main")
    by = {
        thinks: processor.apply_chat_template(
            QUESTION, add_generation_prompt=True, tokenize=False, enable_thinking=thinks
        )
        for thinks in (True, False)
    }
    assert by[True].endswith("<think>\n") and by[False].endswith("<think>\n\n</think>\n\n")


@pytest.mark.parametrize("facts", [facts for facts in ALL if facts.task == "translation"], ids=named)
def test_a_translator_says_something(facts, hub_root):
    folder = loadable(facts, hub_root)
    network = AutoModelForSeq2SeqLM.from_pretrained(folder, use_safetensors=any(folder.glob("*.safetensors"))).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(TEXTS, return_tensors="pt", padding=True)
    tokens = network.generate(**inputs, max_new_tokens=12, max_length=None)
    said = tokenizer.batch_decode(tokens, skip_special_tokens=True)
    assert all(text.strip() for text in said)
    assert len(set(said)) > 1 or facts.model_type == "marian"  # to which all English words are the same unknown one


@pytest.mark.parametrize("facts", [facts for facts in ALL if facts.task == "detect"], ids=named)
def test_a_detector_finds_some_boxes(facts, hub_root):
    folder = hub_root / facts.checkpoint / "main"
    processor = AutoProcessor.from_pretrained(folder)
    network = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder).eval()
    noise = torch.randint(0, 256, (3, 60, 90), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    inputs = processor(images=[noise], text="dog. cat. traffic light.", return_tensors="pt")
    with torch.no_grad():
        scores = network(**inputs).logits.sigmoid().amax(-1).flatten()
    assert len(scores) == 900 and 1 <= (scores > 0.3).sum() < 300


@pytest.mark.parametrize("facts", [facts for facts in ALL if facts.task == "anomaly"], ids=named)
def test_timm_makes_a_network_of_the_folder(facts, hub_root):
    folder = hub_root / facts.checkpoint / "main"
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    stored = load_file(folder / "model.safetensors")
    assert network.state_dict().keys() == stored.keys()
    assert all(torch.equal(value, stored[name]) for name, value in network.state_dict().items())
    assert tuple(network.pretrained_cfg["input_size"]) == tuple(
        facts.settings["config.json"]["pretrained_cfg"]["input_size"]
    )
