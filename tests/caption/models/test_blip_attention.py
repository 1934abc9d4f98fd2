from pathlib import Path

import pytest
import torch
from transformers import BlipForConditionalGeneration

from pipelines.caption.models import load_captioner
from pipelines.caption.models.blip_attention import BeamCache, install
from pipelines.core.images.samples import Sample

BUNDLED = Path("mini/weights/blip")
SCENES = [Sample(path.name, path) for path in sorted(Path("samples").glob("*/images/*.jpg"))][::5]
PROMPT = [[5, 7, 8, 9]]


def loaded(folder, fast):
    network = BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    if fast:
        install(network)
    return network


def generated(network, pixels, beams, cache, **settings):
    with torch.inference_mode():
        return network.generate(
            pixel_values=pixels, num_beams=beams, do_sample=False, max_length=16, past_key_values=cache, **settings
        )


@pytest.mark.parametrize("prompt", [None, PROMPT])
@pytest.mark.parametrize("pictures", [1, 5])
@pytest.mark.parametrize("beams", [1, 3])
def test_tokens_are_those_of_transformers(blip_folder, beams, pictures, prompt):
    pixels = torch.randn(pictures, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    begun = {} if prompt is None else {"attention_mask": torch.ones(pictures, 4, dtype=torch.int64)}

    def ids():
        return None if prompt is None else torch.tensor(prompt).repeat(pictures, 1)  # generate writes into it

    wanted = generated(loaded(blip_folder, False), pixels, beams, None, input_ids=ids(), **begun)
    network = loaded(blip_folder, True)
    for _ in range(2):  # nothing of one call is left for the next
        found = generated(network, pixels, beams, BeamCache(beams), input_ids=ids(), **begun)
        assert torch.equal(found, wanted)
    assert pictures == 1 or len({tuple(tokens) for tokens in wanted.tolist()}) > 1


def test_a_picture_is_seen_as_transformers_sees_it(blip_folder):
    pixels = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours, theirs = (loaded(blip_folder, fast).vision_model(pixel_values=pixels)[0] for fast in (True, False))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_picture_is_kept_once_for_all_its_beams(blip_folder):
    cache = BeamCache(3)
    generated(loaded(blip_folder, True), torch.randn(2, 3, 32, 32), 3, cache)
    assert {len(layer.keys) for layer in cache.cross_attention_cache.layers} == {2}
    assert {len(layer.keys) for layer in cache.self_attention_cache.layers} == {6}


def test_parameters_keep_their_names_and_a_second_time_changes_nothing(blip_folder):
    network = loaded(blip_folder, True)
    assert network.state_dict().keys() == loaded(blip_folder, False).state_dict().keys()
    pixels = torch.randn(2, 3, 32, 32)
    once = generated(network, pixels, 3, BeamCache(3))
    install(network)
    assert torch.equal(generated(network, pixels, 3, BeamCache(3)), once)


@pytest.mark.skipif(not (BUNDLED / "model.safetensors").exists(), reason=f"{BUNDLED} is not there")
@pytest.mark.parametrize("beams", [1, 3])
def test_bundled_samples_have_the_tokens_of_transformers(beams):
    captioner, network = load_captioner("blip", BUNDLED, {"beams": beams}), loaded(BUNDLED, False)
    captioner.module.float()
    assert len(SCENES) > 50
    for start in range(0, len(SCENES), 32):
        batch = captioner.prepare(SCENES[start : start + 32])
        with torch.inference_mode():
            found = captioner.tokens(batch)
            wanted = network.generate(**captioner.pictures.inputs(batch, torch.float32), **captioner.settings)
        assert torch.equal(found, wanted)
