"""Particles come off nouns, and off nothing that only ends like them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.core.words.morphemes import tokens
from pipelines.core.words.particles import stems


@pytest.mark.parametrize(
    ("word", "stem"),
    [
        ("강아지가", "강아지"),
        ("강아지들을", "강아지"),
        ("바다에서의", "바다"),
        ("소가", "소"),
        ("납땜 불량이", "납땜 불량"),
        ("빨간불이", "빨간불"),
    ],
)
def test_particles_come_off(word, stem):
    assert stem in stems(word)


@pytest.mark.parametrize(
    ("word", "part"), [("차이", "차"), ("길이", "길"), ("높이", "높"), ("오이", "오"), ("마을", "마")]
)
def test_other_nouns_stay(word, part):
    assert part not in stems(word)


def test_threads_share_the_analyser():
    words = ["강아지가 두 마리", "고양이를 찾아줘", "빨간 자동차"] * 50
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(tokens, words)) == [tokens(word) for word in words]
