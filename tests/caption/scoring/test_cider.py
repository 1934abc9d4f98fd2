"""CIDEr-D equals a slow implementation that follows the paper's formulas vector by vector."""

import csv
import math
import random
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from pipelines.caption.scoring.cider import cider_d
from pipelines.caption.scoring.tokens import tokenizer

COCO = Path("../shared/data/coco/captions.csv")


def slow(captions, references):
    """Dense tf-idf vectors over all n-grams of a length, one pair of texts at a time."""
    totals = np.zeros(len(captions))
    for size in range(1, 5):
        grams = sorted({gram for texts in [captions, *references] for text in texts for gram in ngrams(text, size)})
        place = {gram: number for number, gram in enumerate(grams)}

        def counts(text, place=place, size=size):
            vector = np.zeros(len(place))
            for gram in ngrams(text, size):
                vector[place[gram]] += 1
            return vector

        pictures_with = sum(np.max([counts(text) > 0 for text in texts], axis=0) for texts in references)
        idf = np.log(len(references)) - np.log(np.maximum(pictures_with, 1))
        for number, (caption, texts) in enumerate(zip(captions, references, strict=True)):
            for text in texts:
                said, true = counts(caption) * idf, counts(text) * idf
                norm = np.linalg.norm(said) * np.linalg.norm(true)
                cosine = np.minimum(said, true) @ true / norm if norm else 0
                apart = len(ngrams(caption, 2)) - len(ngrams(text, 2))
                totals[number] += cosine * math.exp(-(apart**2) / 72) / len(texts) / 4 * 10
    return totals.tolist()


def ngrams(text, size):
    return [tuple(text[start : start + size]) for start in range(len(text) - size + 1)]


@pytest.mark.parametrize("pictures", [1, 2, 30])
def test_it_equals_the_slow_one_on_random_words(pictures):
    rng = random.Random(pictures)
    text = lambda: [rng.choice("abcdefgh") for _ in range(rng.randint(0, 12))]  # noqa: E731
    captions = [text() for _ in range(pictures)]
    references = [[text() for _ in range(rng.randint(1, 5))] for _ in range(pictures)]
    assert cider_d(captions, references) == pytest.approx(slow(captions, references), abs=1e-6)


@pytest.mark.skipif(not COCO.is_file(), reason="the real COCO captions in ../shared/data are missing")
def test_it_equals_the_slow_one_on_real_captions_each_left_out_in_turn():
    by_image = defaultdict(list)
    with COCO.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_image[row["image"]].append(tokenizer("13a")(row["caption"].lower()))
    for left_out in range(5):
        captions = [texts[left_out] for texts in by_image.values()]
        references = [texts[:left_out] + texts[left_out + 1 :] for texts in by_image.values()]
        assert cider_d(captions, references) == pytest.approx(slow(captions, references), abs=1e-6)


def test_the_most_is_ten_and_nothing_said_is_zero():
    words = [list("abcde"), list("fghij"), list("klmno")]
    assert cider_d(words, [[each] for each in words]) == pytest.approx([10, 10, 10])
    assert cider_d([[], [], []], [[each] for each in words]) == [0, 0, 0]
    assert cider_d([], []) == []


def test_a_longer_caption_scores_less():
    references = [[list("abcd")], [list("efgh")]]
    exact, longer = cider_d([list("abcd"), list("efghefgh")], references)
    assert exact == pytest.approx(10) and 0 < longer < 5


def test_published_behaviour_repeating_a_rare_word_does_not_help():
    """CIDEr-D clips counts, which is what its D is for: "D" makes it hard to game (section 5 of the paper)."""
    references = [[list("abcd")], [list("efgh")]]
    once, often = (cider_d([text, list("efgh")], references)[0] for text in (list("abxy"), list("aaaa")))
    assert often < once
