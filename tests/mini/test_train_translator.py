"""The translator is shown sentences and nouns in every form that people type them."""

from random import Random

import pytest
import torch

from mini.train_translator import (
    english_to_korean,
    in_digits,
    korean_to_english,
    make_tokenizer,
    train,
    two_nouns,
    with_particle,
)
from mini.world import KINDS


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("강아지", "강아지"),
        ("강아지 한 마리", "강아지 1마리"),
        ("강아지 두 마리와 자동차 여덟 대", "강아지 2마리와 자동차 8대"),
        ("배 세 척, 집 네 채와 책 다섯 권", "배 3척, 집 4채와 책 5권"),
    ],
)
def test_numerals_become_digits(words, digits):
    assert in_digits(words) == digits


def test_particles_fit_the_last_syllable():
    assert two_nouns(KINDS["dog"], KINDS["cat"]) == ("dog and cat", "강아지와 고양이")
    assert two_nouns(KINDS["book"], KINDS["ball"]) == ("book and ball", "책과 공")
    assert with_particle("말", "이", "가") == "말이"


@pytest.mark.parametrize("pair", [english_to_korean, korean_to_english])
def test_what_is_drawn_can_be_spelled(pair):
    tokenizer = make_tokenizer()
    for seed in range(200):
        for text in pair(Random(seed)):
            assert tokenizer.unk_token_id not in tokenizer(text).input_ids


def test_a_few_steps_and_then_one_more(tmp_path):
    tokenizer = make_tokenizer()
    model, _ = train(2, tokenizer, tmp_path / "run.pt")
    before = model.model.shared.weight.detach().clone()
    longer, training = train(3, tokenizer, tmp_path / "run.pt")
    assert training.step == 3 and not torch.equal(before, longer.model.shared.weight)
