"""What is asked of every second judge, on the tiny checkpoint that its entry names."""

import pytest
import torch

from pipelines.core.errors import CheckpointError, ConfigError
from pipelines.search.models import RERANKERS, load_judge
from pipelines.search.models.judge import Pair
from tests import contract, tiny
from tests.search.conftest import draw

TEXTS = ["two dogs", "a photo of three cats and the red apples on one", "cats"]


@pytest.fixture(scope="module", params=RERANKERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def folder(name, tmp_path_factory):
    return contract.made(RERANKERS[name], tmp_path_factory.mktemp(name))


@pytest.fixture(scope="module")
def judge(name, folder):
    return load_judge(name, folder)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    photos = [draw(folder / f"{seed}.png", seed, size=(40, 32)) for seed in range(3)]
    return [Pair(photo, text) for photo in photos for text in TEXTS]


def test_the_entry_is_as_the_class(name, folder, judge):
    contract.check_entry(RERANKERS, name, folder, judge)


@pytest.mark.parametrize("count", contract.COUNTS)
def test_as_many_scores_as_pairs(judge, pairs, count):
    found = contract.results(judge, pairs[:count])
    assert len(found) == count and all(isinstance(score, float) for score in found)


def test_a_bad_picture_fails_alone(judge, pairs, tmp_path):
    found = contract.outcomes(judge, [*pairs[:2], Pair(contract.bad_picture(tmp_path), "cats"), *pairs[2:]])
    assert [outcome.ok for outcome in found] == [number != 2 for number in range(len(found))]
    assert "bad.jpg" in found[2].error


def test_a_score_does_not_depend_on_the_batch(judge, pairs):
    alone, together = (contract.results(judge, pairs, batch) for batch in (1, len(pairs)))
    assert together == pytest.approx(alone, abs=1e-5)
    assert torch.tensor(alone).std() > 0.01  # pairs differ


@pytest.mark.parametrize("dtype", ["fp16", "bf16"])
def test_half_precision_says_about_the_same(name, folder, pairs, dtype):
    if dtype not in RERANKERS[name].dtypes | RERANKERS[name].near_dtypes:
        pytest.skip(f"{name} does not run in {dtype}")
    exact, judge = contract.results(load_judge(name, folder), pairs), load_judge(name, folder)
    found = contract.in_half(judge, pairs) if dtype == "fp16" else contract.results(judge, pairs, precision=dtype)
    assert found == pytest.approx(exact, abs=0.1)


def test_a_text_that_is_too_long_is_cut(judge, pairs):
    assert len(contract.results(judge, [Pair(pairs[0].photo, "dogs " * 2000), pairs[0]])) == 2


def test_another_kind_of_checkpoint_is_refused(name, tmp_path):
    with pytest.raises(CheckpointError, match="expected"):
        load_judge(name, tiny.nllb(tmp_path))


def test_an_unknown_judge(tmp_path):
    with pytest.raises(ConfigError, match="found `nobody`") as refusal:
        load_judge("nobody", tmp_path)
    assert all(f"{name} ({model.fits})" in str(refusal.value) for name, model in RERANKERS.items())
