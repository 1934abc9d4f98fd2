import pytest

from pipelines.anomaly.threshold import out_of_fold, split, threshold
from pipelines.core.errors import InputError


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images_is_an_error_that_says_how_many(count):
    with pytest.raises(InputError, match=f"at least 2 normal images that can be read, found {count}"):
        out_of_fold([1.0] * count, lambda _: lambda image: image, 5, 0)


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

    def fit(images):
        fitted_on.append(len(images))
        return lambda image: -1.0 if image in images else 10.0 * image

    assert out_of_fold(list(range(count)), fit, 5, 0) == [10.0 * image for image in range(count)]
    assert len(fitted_on) == min(5, count)
    assert min(fitted_on) >= count - -(-count // 5)


@pytest.mark.parametrize(("quantile", "expected"), [(0, 1.0), (0.5, 2.0), (0.75, 2.5), (1, 3.0)])
def test_quantile(quantile, expected):
    assert threshold([3.0, 1.0, 2.0], quantile) == expected
