"""Exact search finds what a person would by comparing one by one."""

import pytest
import torch

from pipelines.search.exact import Found, most_similar

VECTORS = torch.eye(4)[[0, 1, 2, 1]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_best_come_first_and_of_equals_the_earlier(dtype):
    query = torch.tensor([[0.6, 0.8, 0.0, 0.0]])
    found = most_similar(query, VECTORS.to(dtype), top=3)
    assert found.places.tolist() == [[1, 3, 0]]
    assert found.scores.tolist() == [pytest.approx([0.8, 0.8, 0.6])] and found.scores.dtype == torch.float32


@pytest.mark.parametrize("count", [0, 1, 4])
def test_there_are_at_most_as_many_as_vectors(count):
    assert most_similar(torch.eye(4)[:2], VECTORS[:count], top=10).places.shape == (2, count)


def test_more_queries_than_a_block_are_ranked_in_order():
    queries = torch.nn.functional.normalize(torch.randn(600, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    assert most_similar(queries, queries, top=1).places.flatten().tolist() == list(range(600))


def test_unequal_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(Q, K\)"):
        Found(torch.zeros(1, 2), torch.zeros(1, 3, dtype=torch.int64))
