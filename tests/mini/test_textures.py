import numpy as np
import pytest

from mini.textures import DEFECTS, MASKED_FROM, TEXTURES, defect, texture


def drawn(name="weave", seed=0, size=64):
    return texture(name, np.random.default_rng(seed), size)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"weave, brick, leather, metal, found 'wool'"):
        drawn("wool")
    with pytest.raises(ValueError, match=r"scratch, hole, stain, missing, found 'dent'"):
        defect(drawn(), "dent", np.random.default_rng(0))


@pytest.mark.parametrize("name", TEXTURES)
@pytest.mark.parametrize("size", [64, 161])
def test_a_texture_is_rgb_uint8_of_the_size_asked_with_some_relief(name, size):
    image = drawn(name, size=size)
    assert image.shape == (size, size, 3) and image.dtype == np.uint8
    assert image.mean(axis=2).std() > 5


@pytest.mark.parametrize("name", TEXTURES)
def test_a_seed_gives_the_same_texture_and_another_seed_another(name):
    assert np.array_equal(drawn(name, seed=1), drawn(name, seed=1))
    assert not np.array_equal(drawn(name, seed=1), drawn(name, seed=2))


@pytest.mark.parametrize("name", TEXTURES)
@pytest.mark.parametrize("kind", DEFECTS)
def test_a_defect_changes_what_its_mask_covers_and_nothing_far_from_it(name, kind):
    image = drawn(name, seed=3, size=160)
    before = image.copy()
    changed, mask = defect(image, kind, np.random.default_rng(4))
    assert changed.shape == image.shape and changed.dtype == np.uint8
    assert mask.shape == image.shape[:2] and mask.dtype == np.bool_
    assert np.array_equal(image, before)
    assert 10 <= mask.sum() < 0.05 * mask.size
    difference = np.abs(changed.astype(int) - image).max(axis=2)
    # a pixel outside of the mask takes less than MASKED_FROM of any change
    assert difference[~mask].max() <= MASKED_FROM * 255
    assert difference[mask].mean() > 3 * max(difference[~mask].mean(), 1)


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_seed_gives_the_same_defect_and_another_seed_another_place(kind):
    masks = [defect(drawn(size=160), kind, np.random.default_rng(seed))[1] for seed in (5, 5, 6)]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])
