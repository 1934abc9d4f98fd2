"""The mini world: its sentences say what is there, its scenes hold what their boxes and kinds say."""

import random

import numpy as np
import pytest

from mini.world import (
    ANOMALY_SAMPLE_SEED,
    CAPTION_SAMPLE_SEED,
    DETECT_SAMPLE_SEED,
    FONT,
    KINDS,
    MOST_OVERLAP,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    background,
    ends_in_consonant,
    free_box,
    glyph_font,
    korean_sentence,
    overlap,
    scene,
    sentence,
)

needs_font = pytest.mark.skipif(
    not FONT.is_file(),
    reason="the emoji font (Debian's fonts-noto-color-emoji), which drawing scenes needs, is missing",
)


@pytest.mark.parametrize(
    ("counts", "english", "korean"),
    [
        ({}, "", ""),
        ({"dog": 0}, "", ""),
        ({"dog": 1}, "a dog", "강아지 한 마리"),
        ({"apple": 1}, "an apple", "사과 한 개"),
        ({"dog": 2, "car": 1}, "two dogs and a car", "강아지 두 마리와 자동차 한 대"),
        (
            {"apple": 3, "car": 1, "dog": 2},
            "two dogs, a car and three apples",
            "강아지 두 마리, 자동차 한 대와 사과 세 개",
        ),
        ({"book": 4, "clock": 1}, "four books and a clock", "책 네 권과 시계 한 개"),
        (
            {"fish": 5, "flower": 6, "tree": 7, "penguin": 8},
            None,
            "물고기 다섯 마리, 나무 일곱 그루, 꽃 여섯 송이와 펭귄 여덟 마리",
        ),
        ({"boat": 1, "house": 1}, "a boat and a house", "배 한 척과 집 한 채"),
    ],
)
def test_sentences(counts, english, korean):
    assert korean_sentence(counts) == korean
    if english is not None:
        assert sentence(counts) == english


def test_sentences_do_not_depend_on_the_order_of_counts():
    counts = {"cup": 1, "bus": 2, "bee": 3}
    assert sentence(counts) == sentence(dict(reversed(counts.items()))) == "three bees, two buses and a cup"


@pytest.mark.parametrize("counts", [{"dragon": 1}, {"dog": 9}, {"dog": -1}])
@pytest.mark.parametrize("say", [sentence, korean_sentence])
def test_sentences_refuse_what_they_cannot_say(say, counts):
    (name, count), *_ = counts.items()
    with pytest.raises(ValueError, match=f"{count} of '{name}'"):
        say(counts)


@pytest.mark.parametrize(
    ("text", "closed"), [("마리", False), ("권", True), ("대", False), ("척", True), ("가", False)]
)
def test_ends_in_consonant(text, closed):
    assert ends_in_consonant(text) is closed


def test_the_kinds_are_told_apart_by_every_name():
    for names in (
        [k.name for k in KINDS.values()],
        [k.plural for k in KINDS.values()],
        [k.korean for k in KINDS.values()],
    ):
        assert len(set(names)) == len(KINDS) == 32
    assert list(KINDS) == [kind.name for kind in KINDS.values()]


def test_samples_come_from_seeds_that_training_and_validation_never_use():
    assert TRAINING_SEEDS.stop <= VALIDATION_SEEDS.start
    assert VALIDATION_SEEDS.stop <= min(CAPTION_SAMPLE_SEED, DETECT_SAMPLE_SEED, ANOMALY_SAMPLE_SEED)


@pytest.mark.parametrize(
    ("a", "b", "share"),
    [((0, 0, 4, 4), (4, 4, 8, 8), 0), ((0, 0, 4, 4), (2, 0, 6, 4), 0.5), ((0, 0, 10, 10), (2, 2, 4, 4), 1)],
)
def test_overlap_is_a_share_of_the_smaller_box(a, b, share):
    assert overlap(a, b) == overlap(b, a) == share


def test_no_place_is_free_on_a_full_picture():
    assert free_box(random.Random(0), (10, 10), 20, [(0, 0, 20, 20)]) is None
    assert free_box(random.Random(0), (20, 20), 20, []) == (0, 0, 20, 20)


def test_a_missing_font_names_the_package(tmp_path):
    with pytest.raises(FileNotFoundError, match="fonts-noto-color-emoji"):
        glyph_font(tmp_path / "missing.ttf")


@needs_font
@pytest.mark.parametrize(("size", "most"), [(160, 6), (97, 1), (192, 8)])
def test_scenes_hold_what_they_say(size, most):
    for seed in range(20):
        drawn = scene(random.Random(seed), size, most)
        assert drawn.image.size == (size, size) and drawn.image.mode == "RGB"
        assert 1 <= len(drawn.boxes) == len(drawn.kinds) <= most
        assert set(drawn.kinds) <= set(KINDS)
        for index, box in enumerate(drawn.boxes):
            left, top, right, bottom = box
            assert 0 <= left < right <= size and 0 <= top < bottom <= size
            assert all(overlap(box, other) <= MOST_OVERLAP for other in drawn.boxes[:index])


@needs_font
def test_a_seed_gives_one_scene():
    first, second, other = (scene(random.Random(seed)) for seed in (7, 7, 8))
    assert np.array_equal(first.image, second.image)
    assert (first.boxes, first.kinds) == (second.boxes, second.kinds)
    assert not np.array_equal(first.image, other.image)


@needs_font
def test_only_the_asked_kinds_are_drawn():
    assert {kind for seed in range(10) for kind in scene(random.Random(seed), kinds=["cat", "cup"]).kinds} == {
        "cat",
        "cup",
    }


@needs_font
def test_boxes_hold_all_that_is_drawn():
    for seed in range(10):
        drawn = scene(random.Random(seed))
        empty = np.asarray(background(random.Random(seed), 160))
        differs = (np.asarray(drawn.image) != empty).any(axis=2)
        for left, top, right, bottom in drawn.boxes:
            assert differs[top:bottom, left:right].mean() > 0.1
            differs[top:bottom, left:right] = False
        assert not differs.any()
