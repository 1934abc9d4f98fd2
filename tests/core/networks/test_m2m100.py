import pytest
import torch
from transformers import M2M100ForConditionalGeneration

from pipelines.core.networks.m2m100 import Translation
from tests import tiny

WORDS = torch.tensor([[2, 9, 4, 7], [2, 8, 5, 6]])


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tiny.nllb(tmp_path_factory.mktemp("nllb"))
    return M2M100ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def inputs():
    return {
        "input_ids": torch.tensor([[9, 8, 7, 2], [5, 2, 1, 1]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]),
    }


def translation(network, inputs):
    return Translation(network, network.model.encoder(**inputs).last_hidden_state, inputs["attention_mask"])


@torch.inference_mode()
@pytest.mark.parametrize("first", [1, 2, 3])
def test_logits_are_those_of_transformers(network, inputs, first):
    wanted = network(**inputs, decoder_input_ids=WORDS).logits
    decoder = translation(network, inputs)
    torch.testing.assert_close(decoder.next(WORDS[:, :first]), wanted[:, first - 1], rtol=1e-4, atol=1e-4)
    for place in range(first, WORDS.shape[1]):
        found = decoder.next(WORDS[:, place : place + 1])
        torch.testing.assert_close(found, wanted[:, place], rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_rows_go_on_from_the_rows_they_are_told_to(network, inputs):
    decoder = translation(network, inputs)
    decoder.next(WORDS[:, :1])
    decoder.keep(torch.tensor([0, 0, 1, 1]), None)
    decoder.next(torch.tensor([[9], [3], [8], [5]]))
    decoder.keep(torch.tensor([3, 2]), torch.tensor([1]))  # the first text has ended, the beams of the other change
    found = decoder.next(torch.tensor([[6], [7]]))
    second = {name: value[1:].expand(2, -1) for name, value in inputs.items()}
    wanted = network(**second, decoder_input_ids=torch.tensor([[2, 5, 6], [2, 8, 7]])).logits[:, -1]
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_text_is_kept_once_for_all_its_beams(network, inputs):
    decoder = translation(network, inputs)
    decoder.next(WORDS[:, :1])
    decoder.keep(torch.tensor([0, 0, 0, 1, 1, 1]), None)
    decoder.next(torch.full((6, 1), 9))
    assert {len(part) for layer in decoder.seen for part in layer} == {2}
    assert {len(part) for layer in decoder.written for part in layer} == {6}
