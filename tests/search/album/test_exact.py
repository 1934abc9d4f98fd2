"""Exact search finds what a person would by comparing one by one."""

import pytest
import torch

from pipelines.search.album.exact import Found, most_similar

VECTORS = torch.eye(4)[[0, 1, 2, 1]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_best_come_first_and_of_equals_the_earlier(dtype):
    query = torch.tensor([[0.6, 0.8, 0.0, 0.0]])
    found = most_similar(query, VECTORS.to(dtype), top=3)
    assert found.places.tolist() == [[1, 3, 0]]
    assert found.scores.tolist() == [pytest.approx([0.8, 0.8, 0.6])] and found.scores.dtype == torch.float32


def test_only_some_are_looked_at():
    found = most_similar(torch.eye(4)[:2], VECTORS, 5, among=torch.tensor([1, 2, 3]))
    assert found.places.tolist() == [[1, 2, 3], [1, 3, 2]]
    assert found.scores.tolist() == [[0, 0, 0], [1, 1, 0]]
    assert most_similar(torch.eye(4)[:2], VECTORS, 5, among=torch.empty(0, dtype=torch.int64)).places.shape == (2, 0)


def test_rounding_to_half_precision_hides_none_of_the_best():
    """Of thousands that differ by less than float16 tells apart the best are found all the same."""
    generator = torch.Generator().manual_seed(0)
    query = torch.nn.functional.normalize(torch.randn(512, generator=generator), dim=0)
    spread = 0.003 * torch.randn(5000, 512, generator=generator)
    vectors = torch.nn.functional.normalize(query + spread, dim=1).half()
    exact = (vectors.double() @ query.double()).topk(10)
    found = most_similar(query[None], vectors, 10)
    assert (vectors @ query.half()).topk(10).indices.tolist() != exact.indices.tolist()
    assert found.places[0].tolist() == exact.indices.tolist()
    assert found.scores[0].tolist() == pytest.approx(exact.values.tolist(), abs=1e-6)


def test_a_score_does_not_depend_on_what_else_there_is():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(1000, 512, generator=generator), dim=1).half()
    query = vectors[:1].float()
    found = most_similar(query, vectors, 50)
    for place, score in zip(found.places[0].tolist(), found.scores[0].tolist(), strict=True):
        assert most_similar(query, vectors[place : place + 1], 1).scores.item() == score


@pytest.mark.parametrize("count", [0, 1, 4])
def test_there_are_at_most_as_many_as_vectors(count):
    assert most_similar(torch.eye(4)[:2], VECTORS[:count], top=10).places.shape == (2, count)


def test_more_queries_than_a_block_are_ranked_in_order():
    queries = torch.nn.functional.normalize(torch.randn(600, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    assert most_similar(queries, queries, top=1).places.flatten().tolist() == list(range(600))


def test_unequal_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(Q, K\)"):
        Found(torch.zeros(1, 2), torch.zeros(1, 3, dtype=torch.int64))
