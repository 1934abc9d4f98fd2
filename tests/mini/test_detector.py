"""The bundled Grounding DINO: its words are where its code expects them, and its boxes become counts."""

import random

import pytest
import torch
from transformers import AutoProcessor, GroundingDinoForObjectDetection

from mini.detector import Asked, best_threshold, class_scores, figures, make_tokenizer, prompt_ids, word_places
from mini.train_detector import WEIGHTS, draw_batch, kind_map
from mini.world import FONT, KINDS, VALIDATION_SEEDS

CLS, SEP, DOT, UNK = 101, 102, 1012, 100
needs_font = pytest.mark.skipif(not FONT.is_file(), reason="drawing scenes needs the emoji font")


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


def test_a_kind_is_one_token_and_its_place_is_known(tokenizer):
    (row,) = prompt_ids(tokenizer, list(KINDS), 1)
    assert (row[0], row[-1]) == (CLS, SEP)
    words = row[word_places(list(KINDS))].tolist()
    assert len(set(words)) == len(KINDS) and UNK not in words
    assert row[2:-1:2].unique().tolist() == [DOT]


@pytest.mark.parametrize("word", ["zebra", "traffic light", "강아지", "café", "[MASKED]", "3"])
def test_any_other_word_is_unknown_and_no_error(tokenizer, word):
    inner = tokenizer(f"dog. {word}.").input_ids[3:-2]
    assert inner and set(inner) <= {UNK, 1012}


@pytest.mark.parametrize(
    ("truth", "scores", "threshold", "count"),
    [(0, [], 0.3, 0), (0, [0.2], 0.3, 0), (2, [0.9, 0.4, 0.3], 0.3, 2), (1, [0.9, 0.4], 0.5, 1)],
)
def test_a_count_is_of_the_scores_above_the_threshold(truth, scores, threshold, count):
    assert Asked(truth, scores).count(threshold) == count


def test_the_threshold_that_counts_best_is_found():
    asked = [Asked(1, [0.62, 0.41]), Asked(2, [0.8, 0.52]), Asked(0, [0.44])]
    threshold = best_threshold(asked)
    assert 0.44 <= threshold < 0.52
    assert figures(asked, threshold) == {
        "present_exact": 1.0,
        "absent_zero": 1.0,
        "mean_absolute_error": 0.0,
        "present_exact_if_always_one": 0.5,
    }
    assert figures(asked, 0.05)["mean_absolute_error"] == pytest.approx(2 / 3, abs=1e-3)


@needs_font
def test_a_batch_asks_about_what_it_shows_and_about_more():
    batch = draw_batch(random.Random(3), 8)
    assert len(batch.scenes) == 8
    for drawn, labels in zip(batch.scenes, batch.labels(), strict=True):
        asked = [kind for kind in drawn.kinds if kind in batch.prompt]
        assert [batch.prompt[place] for place in labels["class_labels"]] == asked
        assert labels["boxes"].shape == (len(asked), 4)
        assert ((labels["boxes"] > 0) & (labels["boxes"] < 1)).all()


@needs_font
def test_each_object_has_a_cell_of_its_kind():
    scenes = draw_batch(random.Random(5), 8).scenes
    for drawn, cells in zip(scenes, kind_map(scenes), strict=True):
        shown = {kind for kind, grid in zip(KINDS, cells, strict=True) if grid.any()}
        assert shown == set(drawn.kinds)


@needs_font
def test_the_bundled_weights_load_as_any_checkpoint_and_count():
    model = GroundingDinoForObjectDetection.from_pretrained(WEIGHTS).eval()
    assert model.dtype == torch.float32
    tokenizer = AutoProcessor.from_pretrained(WEIGHTS).tokenizer
    asked = []
    for seed in VALIDATION_SEEDS[1000:1003]:
        batch = draw_batch(random.Random(seed), 8)
        for drawn, by_kind in zip(
            batch.scenes, class_scores(model, tokenizer, batch.scenes, batch.prompt), strict=True
        ):
            asked += [
                Asked(drawn.kinds.count(kind), scores) for kind, scores in zip(batch.prompt, by_kind, strict=True)
            ]
    found = figures(asked, best_threshold(asked))
    assert found["present_exact"] > 0.7 and found["absent_zero"] > 0.95
