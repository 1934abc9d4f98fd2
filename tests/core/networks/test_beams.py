import pytest
import torch
from torch.nn import functional as F
from transformers import M2M100Config, M2M100ForConditionalGeneration

from pipelines.core.networks.beams import Rules, search
from pipelines.core.networks.m2m100 import Translation

WORDS, PAD, START, FORCED = 61, 3, 0, 5
ENDS = [19, 47]


@pytest.fixture(scope="module")
def network():
    """An M2M100 with random weights, whose texts end after one to some twenty words."""
    config = M2M100Config(
        vocab_size=WORDS, d_model=32, encoder_layers=2, decoder_layers=3, encoder_ffn_dim=64, decoder_ffn_dim=64,
        encoder_attention_heads=4, decoder_attention_heads=4, max_position_embeddings=64, pad_token_id=PAD,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=START,
        tie_word_embeddings=False,  # else it repeats itself
    )  # fmt: skip
    torch.manual_seed(0)
    network = M2M100ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.3)
    network.generation_config.max_length = None
    return network


@pytest.fixture(scope="module")
def inputs():
    """Eleven texts of 2 to 12 words, padded."""
    ids = torch.randint(8, WORDS, (11, 12), generator=torch.Generator().manual_seed(1))
    mask = (torch.arange(12) < torch.arange(2, 13)[:, None]).long()
    return {"input_ids": ids.where(mask == 1, PAD), "attention_mask": mask}


def wanted(network, inputs, beams, most, ends, **settings):
    """What transformers gives."""
    return network.generate(
        **inputs, num_beams=beams, max_new_tokens=most, eos_token_id=ends or None, pad_token_id=PAD, do_sample=False,
        forced_bos_token_id=FORCED, **settings,
    )  # fmt: skip


class Watched(Translation):
    """Notes how many rows there are for each word."""

    def __init__(self, *of):
        super().__init__(*of)
        self.rows = []

    def next(self, words):
        self.rows.append(tuple(words.shape))
        return super().next(words)


@torch.inference_mode()
def found(network, inputs, rules):
    """What the search gives, and its decoder."""
    decoder = Watched(network, network.model.encoder(**inputs).last_hidden_state, inputs["attention_mask"])
    start = torch.tensor([START, FORCED]).expand(len(inputs["input_ids"]), -1)
    return search(decoder, start, 1, rules), decoder


def same(ours, theirs):
    """Whether two tables of words differ by padding at most."""
    width = max(ours.shape[1], theirs.shape[1])
    return torch.equal(*(F.pad(words, (0, width - words.shape[1]), value=PAD) for words in (ours, theirs)))


@pytest.mark.parametrize("ends", [[], ENDS[:1], ENDS])
@pytest.mark.parametrize("most", [1, 2, 7, 24])
@pytest.mark.parametrize("beams", [1, 2, 4])
def test_words_are_those_of_transformers(network, inputs, beams, most, ends):
    theirs = wanted(network, inputs, beams, most, ends)
    ours, _ = found(network, inputs, Rules(beams, most, tuple(ends), PAD))
    assert same(ours, theirs)
    assert ours[0, :2].tolist() == [START, FORCED]


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0, -1.0])
@pytest.mark.parametrize("early", [True, False, "never"])
@pytest.mark.parametrize("beams", [1, 3])
def test_a_text_ends_when_it_does_in_transformers(network, inputs, beams, early, penalty):
    settings = {"early_stopping": early, "length_penalty": penalty}
    theirs = wanted(network, inputs, beams, 24, ENDS, **settings)
    assert same(found(network, inputs, Rules(beams, 24, tuple(ENDS), PAD, **settings))[0], theirs)


@pytest.mark.parametrize("least", [1, 6, 24])
def test_no_text_ends_before_its_least_words(network, inputs, least):
    theirs = wanted(network, inputs, 4, 24, ENDS, min_new_tokens=least)
    ours, _ = found(network, inputs, Rules(4, 24, tuple(ENDS), PAD, least=least))
    assert same(ours, theirs)
    assert not torch.isin(ours[:, 2 : least + 1], torch.tensor(ENDS)).any()


@pytest.mark.parametrize("beams", [1, 4])
def test_a_text_has_the_same_words_alone(network, inputs, beams):
    rules = Rules(beams, 24, tuple(ENDS), PAD)
    together, _ = found(network, inputs, rules)
    for number, words in enumerate(together):
        alone = {name: value[number : number + 1, : number + 2] for name, value in inputs.items()}
        assert same(found(network, alone, rules)[0], words[None])


def test_texts_end_at_different_words_and_leave_the_batch(network, inputs):
    words, decoder = found(network, inputs, Rules(4, 24, tuple(ENDS), PAD))
    lengths = (words != PAD).sum(1)
    assert len(set(lengths.tolist())) > 3
    assert decoder.rows[:2] == [(11, 2), (44, 1)]  # the first words once a text, then each beam's latest
    assert decoder.rows[-1][0] < 44
    assert [rows for rows, _ in decoder.rows[1:]] == sorted((rows for rows, _ in decoder.rows[1:]), reverse=True)


def test_all_texts_may_end_at_their_first_word(network, inputs):
    one = {name: value[:1] for name, value in inputs.items()}
    ends = [word for word in range(WORDS) if word != FORCED]
    ours, decoder = found(network, one, Rules(1, 24, tuple(ends), PAD))
    assert ours.shape == (1, 3)
    assert same(ours, wanted(network, one, 1, 24, ends))
    assert len(decoder.rows) == 1
