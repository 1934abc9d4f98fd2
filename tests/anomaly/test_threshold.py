import numpy as np
import pytest

from pipelines.anomaly.threshold import check_rate, of_quantile, of_rate, out_of_fold, p_value, split
from pipelines.core.errors import InputError


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images_is_an_error_that_says_how_many(count):
    with pytest.raises(InputError, match=f"at least 2 normal images that can be read, found {count}"):
        out_of_fold(count, lambda _, others, held_out: [1.0] * len(held_out), 5, 0)


@pytest.mark.parametrize(("count", "folds", "parts"), [(2, 5, 2), (3, 2, 2), (10, 5, 5), (11, 5, 5), (31, 5, 5)])
def test_folds_part_the_images_evenly(count, folds, parts):
    found = list(split(count, folds, seed=0))
    assert len(found) == parts
    assert sorted(index for fold in found for index in fold) == list(range(count))
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_the_seed_shuffles():
    assert list(split(20, 5, 0)) == list(split(20, 5, 0)) != list(split(20, 5, 1))


@pytest.mark.parametrize("count", [2, 4, 5, 13])
def test_no_image_is_scored_by_a_model_that_saw_it(count):
    fitted_on = []

    def scores_of(fold, others, held_out):
        assert fold == len(fitted_on)
        assert sorted([*others, *held_out]) == list(range(count))
        fitted_on.append(len(others))
        return [10.0 * place for place in held_out]

    assert out_of_fold(count, scores_of, 5, 0) == [10.0 * place for place in range(count)]
    assert len(fitted_on) == min(5, count)
    assert min(fitted_on) >= count - -(-count // 5)


@pytest.mark.parametrize(("quantile", "expected"), [(0, 1.0), (0.5, 2.0), (0.75, 2.5), (1, 3.0)])
def test_quantile(quantile, expected):
    assert of_quantile([3.0, 1.0, 2.0], quantile) == expected


@pytest.mark.parametrize(
    ("normals", "rate", "rank"),
    [(19, 0.05, 19), (20, 0.05, 20), (39, 0.05, 38), (99, 0.29, 71), (9, 0.5, 5), (1, 0.5, 1)],
)
def test_rate_is_the_corrected_quantile(normals, rate, rank):
    """ceil((n + 1)(1 - rate)), worked out by hand; 0.29 is where floats are off by one."""
    assert of_rate([float(score) for score in range(normals, 0, -1)], rate) == rank


@pytest.mark.parametrize(("normals", "rate"), [(19, 0.05), (99, 0.29), (40, 0.1), (30, 0.333)])
def test_a_p_value_at_most_the_rate_is_a_score_above_the_threshold(normals, rate):
    held_out = np.random.default_rng(0).integers(0, 12, normals).astype(float).tolist()  # with ties
    threshold = of_rate(held_out, rate)
    for score in np.arange(-1, 13, 0.5):
        assert (p_value(score, held_out) <= rate) == (score > threshold)


@pytest.mark.parametrize(("score", "expected"), [(0.5, 1.0), (2.0, 0.75), (2.5, 0.5), (9.0, 0.25)])
def test_p_value(score, expected):
    assert p_value(score, [1.0, 2.0, 3.0]) == expected


def test_the_rate_is_kept_on_new_normals():
    rng = np.random.default_rng(1)
    runs = [(rng.random(500) > of_rate(rng.random(30).tolist(), 0.1)).mean() for _ in range(400)]
    assert 0.08 < np.mean(runs) < 0.1 + 0.005


@pytest.mark.parametrize(
    ("normals", "rate", "needed", "least"), [(18, 0.05, 19, "0.0527"), (0, 0.5, 1, "1"), (30, 0.001, 999, "0.0323")]
)
def test_too_few_normals_for_a_rate_is_an_error_that_says_how_many(normals, rate, needed, least):
    message = f"expected at least {needed} normal images .* of {rate}, found {normals}; .* at least {least}$"
    with pytest.raises(InputError, match=message):
        of_rate([1.0] * normals, rate)
    check_rate(needed, rate)
