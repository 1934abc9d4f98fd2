import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import (
    AutoProcessor,
    BlipForConditionalGeneration,
    BlipProcessor,
    Qwen2_5_VLForConditionalGeneration,
)

from pipelines.caption.models import load_captioner
from pipelines.caption.models.captioner import Said
from pipelines.core.errors import CheckpointError, ConfigError
from pipelines.core.images.samples import Sample
from pipelines.core.running.runner import Runner
from pipelines.core.running.settings import RunnerConfig

LAVIS = {"num_beams": 3, "min_length": 5, "max_length": 20}
BUNDLED = Path("mini/weights/blip")
SCENES = [Sample(path.name, path) for path in sorted(Path("samples/caption/images").glob("*.jpg"))]

bundled = pytest.mark.skipif(not (BUNDLED / "model.safetensors").exists(), reason=f"{BUNDLED} is not there")


def runner(batch=4, precision="fp32"):
    return Runner(RunnerConfig(batch=batch, precision=precision, device="cpu", progress=False, workers=2))


def captions(captioner, samples, **settings):
    return [outcome.result.text for outcome in runner(**settings).run(captioner, samples)]


def blip(folder, **settings):
    return load_captioner("blip", folder, settings)


def chat(folder, **settings):
    return load_captioner("chat", folder, settings)


def reference_tokens(folder, path, prompt=None):
    """What transformers itself gives for one picture."""
    processor = BlipProcessor.from_pretrained(folder)
    model = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = processor(images=Image.open(path).convert("RGB"), text=prompt, return_tensors="pt")
    tokens = model.generate(**inputs, **LAVIS)[0]
    return tokens, processor.decode(tokens, skip_special_tokens=True).strip()


def assert_same_as_transformers(folder, samples, prompt):
    captioner = blip(folder, prompt=prompt or "")
    captioner.module.float()
    tokens = captioner.tokens(captioner.prepare(samples))
    texts = captions(captioner, samples, batch=len(samples))
    for sample, ours, text in zip(samples, tokens, texts, strict=True):
        theirs, wanted = reference_tokens(folder, sample.path, prompt)
        assert ours[: len(theirs)].tolist() == theirs.tolist()
        assert set(ours[len(theirs) :].tolist()) <= {0, 3}  # padding; generate takes the end token where padding is 0
        assert text == wanted


@pytest.mark.parametrize("prompt", [None, "a photo of"])
def test_blip_in_batches_gives_the_tokens_of_processor_and_generate(blip_folder, photos, prompt):
    assert_same_as_transformers(blip_folder, photos, prompt)


@pytest.mark.parametrize("prompt", [None, "a photo of"])
@bundled
def test_the_bundled_blip_gives_the_tokens_of_processor_and_generate(prompt):
    assert_same_as_transformers(BUNDLED, SCENES[:6], prompt)


def test_blip_begins_with_its_prompt(blip_folder, photos):
    assert all(text.startswith("a photo of") for text in captions(blip(blip_folder, prompt="a photo of"), photos))


def test_blip_counts_tokens_as_lavis(blip_folder, photos):
    captioner = blip(blip_folder, prompt="a photo of", min_tokens=9, max_tokens=9)
    captioner.module.float()
    tokens = captioner.tokens(captioner.prepare(photos))
    assert tokens.shape == (len(photos), 9)  # the start token, three of the prompt, five new ones
    assert not (tokens[:, :8] == 3).any()


def test_a_prompt_without_room_for_a_caption_is_refused(blip_folder):
    with pytest.raises(ConfigError, match=r"max_tokens \(4\), found 'a photo of' of 5 tokens"):
        blip(blip_folder, prompt="a photo of", min_tokens=1, max_tokens=4)


def test_chat_in_batches_gives_the_tokens_of_processor_and_generate(qwen_vl_folder, photos):
    captioner = chat(qwen_vl_folder, prompt="사과 세 개가", max_tokens=10)
    captioner.module.float()
    ours = captioner.tokens(captioner.prepare(photos))
    processor = AutoProcessor.from_pretrained(qwen_vl_folder)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(qwen_vl_folder, dtype=torch.float32).eval()
    for sample, tokens in zip(photos, ours, strict=True):
        asked = [{"role": "user", "content": [{"type": "image", "url": str(sample.path)}, text("사과 세 개가")]}]
        inputs = processor.apply_chat_template(
            asked, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
        theirs = model.generate(**inputs, max_new_tokens=10, do_sample=False)[0, inputs["input_ids"].shape[1] :]
        assert tokens[: len(theirs)].tolist() == theirs.tolist()


def text(words):
    return {"type": "text", "text": words}


def test_chat_depends_on_the_question(qwen_vl_folder, photos):
    one, other = (captions(chat(qwen_vl_folder, prompt=words), photos) for words in ("사과", "나무 아래에"))
    assert one != other


def test_chat_keeps_rotary_frequencies_exact_in_half_precision(qwen_vl_folder, photos):
    captioner = chat(qwen_vl_folder, max_tokens=2)
    exact = {name: buffer.clone() for name, buffer in captioner.module.named_buffers() if "inv_freq" in name}
    assert exact
    assert captions(captioner, photos[:1], precision="bf16")
    kept = dict(captioner.module.named_buffers())
    assert captioner.module.dtype == torch.bfloat16
    for name, frequencies in exact.items():
        assert kept[name].dtype == torch.float32
        assert torch.equal(kept[name], frequencies)


def test_chat_runs_in_half_precision_only_as_its_weights_were_made(qwen_vl_folder, tmp_path):
    assert chat(qwen_vl_folder).dtypes == {torch.float32, torch.bfloat16}
    shutil.copytree(qwen_vl_folder, tmp_path, dirs_exist_ok=True)
    Qwen2_5_VLForConditionalGeneration.from_pretrained(qwen_vl_folder).half().save_pretrained(tmp_path)
    assert chat(tmp_path).dtypes == {torch.float32, torch.bfloat16, torch.float16}


THINKING = {  # how published templates end: Qwen3's, which knows enable_thinking, and one that always begins thoughts
    "asked not to": "{% if enable_thinking is defined and enable_thinking is false %}<think> </think>{% endif %}",
    "always": "<think>",
    "never": "",
}


@pytest.fixture(params=THINKING)
def thinking(request, qwen_vl_folder, tmp_path):
    """A chat captioner, of whose answers the network's tokens are given by hand, and how its template ends."""
    shutil.copytree(qwen_vl_folder, tmp_path, dirs_exist_ok=True)
    template = tmp_path / "chat_template.jinja"
    template.write_text(template.read_text() + THINKING[request.param])
    captioner = chat(tmp_path)
    captioner.processor.tokenizer.add_tokens(["<think>", "</think>"])
    return captioner, request.param


def answers(captioner, *texts):
    """What becomes of answers in words of the tokenizer."""
    tokenizer = captioner.processor.tokenizer
    rows = [torch.tensor(tokenizer(text)["input_ids"]) for text in texts]
    captioner.tokens = lambda _: torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return captioner.predict({})


def test_thoughts_never_reach_a_caption(thinking):
    captioner, ending = thinking
    assert captioner.question.endswith("</think>") == (ending == "asked not to")
    before = {"always": "", "never": "<think> ", "asked not to": "<think> "}[ending]
    answered, cut_off, alone = answers(
        captioner,
        f"{before}나무 아래에 </think> 사과 세 개가 <|im_end|>",
        f"{before}나무 아래에",
        "</think> 사과 <|im_end|>",
    )
    assert (answered, cut_off, alone) == (Said("사과 세 개가"), Said("", cut=True), Said("사과"))


def test_a_caption_without_its_end_was_cut_off(qwen_vl_folder):
    captioner = chat(qwen_vl_folder)
    assert answers(captioner, "사과 세 개가 <|im_end|>", "사과 세") == [Said("사과 세 개가"), Said("사과 세", cut=True)]


@pytest.mark.parametrize(("side", "seen"), [(40, 84 * 84), (100, 84 * 84), (400, 84 * 84), (400, 56 * 56)])
def test_a_chat_model_sees_no_more_than_max_pixels(qwen_vl_folder, tmp_path, side, seen):
    path = tmp_path / "photo.png"
    Image.effect_noise((2 * side, side), 90).convert("RGB").save(path)
    batch = chat(qwen_vl_folder, max_pixels=seen).prepare([Sample("photo", path)])
    height, width = (14 * cells for cells in batch["image_grid_thw"][0, 1:].tolist())
    assert height * width <= seen and (2 * side * side < seen or height * width >= seen / 2)
    image = Image.open(path)
    processor = AutoProcessor.from_pretrained(qwen_vl_folder)
    size = {"shortest_edge": min(56 * 56, seen), "longest_edge": seen}
    theirs = processor.image_processor(images=[image], size=size, return_tensors="pt")
    assert torch.equal(batch["image_grid_thw"], theirs["image_grid_thw"])
    if 2 * side * side <= 2 * seen:  # a larger one is reduced twice
        assert torch.allclose(batch["pixel_values"], theirs["pixel_values"], atol=1e-6)


def test_a_setting_that_a_captioner_has_not_is_refused(blip_folder):
    with pytest.raises(ConfigError, match=r"settings that blip has \(prompt, .*clean\), found max_pixels"):
        load_captioner("blip", blip_folder, {"max_pixels": 10_000, "beams": None})


def test_settings_left_open_are_the_captioners_own(blip_folder):
    assert load_captioner("blip", blip_folder, {"beams": None, "max_tokens": None}).settings["num_beams"] == 3
    assert load_captioner("blip", blip_folder, {"beams": 1, "max_tokens": None}).settings["num_beams"] == 1


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [
        ("blip", "nllb_folder", "architecture blip in .*, found m2m_100"),
        ("chat", "nllb_folder", "AutoModelForImageTextToText needs"),
        ("chat", "blip_folder", "chat template .* BlipProcessor"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(request, name, folder, message):
    with pytest.raises(CheckpointError, match=message):
        load_captioner(name, request.getfixturevalue(folder), {})


def test_a_checkpoint_without_its_processor_is_refused(blip_folder, tmp_path):
    shutil.copytree(blip_folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(CheckpointError, match="BlipProcessor needs"):
        blip(tmp_path)
