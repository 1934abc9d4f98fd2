"""CLIP is shown which text fits which scene, starts as the captioner's ViT, and learns in steps that can be stopped."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import torch
from PIL import Image
from transformers import BlipForConditionalGeneration

from mini import train_captioner
from mini.train_clip import (
    BATCH,
    Batches,
    contrast,
    draw_scenes,
    fitting_texts,
    make_model,
    make_processor,
    make_tokenizer,
    start_from,
    train,
)
from mini.vit import as_pixels
from mini.world import KINDS, Scene

SCENE = Scene(Image.new("RGB", (160, 160)), [(0, 0, 9, 9)] * 3, ["dog", "cat", "dog"])


@pytest.fixture(scope="module")
def processor():
    return make_processor()


@pytest.fixture(scope="module")
def captioner(emoji):
    torch.manual_seed(0)
    processor = train_captioner.make_processor()
    model = BlipForConditionalGeneration(train_captioner.make_config(processor.tokenizer))
    train_captioner.initialise(model, processor.image_processor)
    return model.vision_model.eval()


def test_words_of_the_mini_world_are_one_token_and_others_are_spelled(processor):
    tokenizer = processor.tokenizer
    assert tokenizer.tokenize("two dogs, a cat") == ["two</w>", "dogs</w>", ",</w>", "a</w>", "cat</w>"]
    assert all(len(tokenizer.tokenize(name)) == 1 for name in KINDS)
    assert tokenizer.unk_token_id not in tokenizer("zebra 강아지!", add_special_tokens=False).input_ids


def test_the_vocabulary_is_the_same_each_time(processor):
    """Within a process, whose hash tables are each seeded anew, and where Python hashes words in another way."""
    expected = processor.tokenizer.get_vocab()
    assert all(make_tokenizer().get_vocab() == expected for _ in range(8))
    code = "from mini.train_clip import make_tokenizer; print(make_tokenizer().get_vocab())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ast.literal_eval(done.stdout) == expected


def test_a_scene_is_found_by_its_sentence_and_by_its_nouns():
    nouns = {"dog", "dogs", "cat", "cats", "dog and cat", "cat and dog"}
    assert fitting_texts(SCENE) == nouns | {"two dogs and a cat"}


def test_several_right_answers_are_all_alike():
    fits = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    best = torch.where(fits, 20.0, 0.0)
    assert contrast(best, fits) == pytest.approx(torch.tensor(2.0).log().item() * 2 / 3, abs=1e-4)
    assert contrast(best.flip(1), fits) > 5
    one_each = torch.eye(3, dtype=torch.bool)
    logits = torch.randn(3, 3)
    rows, columns = (torch.nn.functional.cross_entropy(each, torch.arange(3)) for each in (logits, logits.T))
    assert contrast(logits, one_each) == pytest.approx(((rows + columns) / 2).item(), abs=1e-5)


def test_a_batch_says_what_fits(emoji, processor):
    batch = Batches(processor.tokenizer)[3]
    assert batch["fits"].shape == (BATCH, BATCH) and batch["fits"].diagonal().all()
    texts = processor.tokenizer.batch_decode(batch["tokens"], skip_special_tokens=True)
    assert any(text.split()[0] in KINDS for text in texts), "bare nouns are among them"
    assert batch["kinds"].shape[0] == len(batch["pixels"]) == BATCH


def test_it_starts_with_nearly_the_captioners_features(emoji, processor, captioner):
    model = make_model(processor.tokenizer).eval()
    pixels = torch.stack([as_pixels(drawn) for drawn in draw_scenes(Random(2))[:8]]).float() / 255 - 0.5

    def alike():
        with torch.no_grad():
            theirs = captioner(pixel_values=pixels).last_hidden_state[:, 1:]
            ours = model.vision_model.post_layernorm(model.vision_model(pixel_values=pixels).last_hidden_state[:, 1:])
        return torch.nn.functional.cosine_similarity(theirs, ours, dim=-1).mean()

    assert alike() < 0.5
    start_from(captioner, model.vision_model, pixels)
    assert alike() > 0.8


def test_a_few_steps_and_then_one_more(emoji, processor, captioner, tmp_path):
    model, _ = train(1, processor, captioner, tmp_path / "run.pt")
    before = model.text_projection.weight.detach().clone()
    longer, training = train(2, processor, captioner, tmp_path / "run.pt")
    assert training.step == 2 and not torch.equal(before, longer.text_projection.weight)
