import pytest
import torch
from torch import Tensor

from pipelines.anomaly.models.patchcore.nearest import Subspace


@pytest.fixture(autouse=True, params=[True, False], ids=["oneDNN", "plain"])
def products(request):
    """As in a run, and with gradients allowed: on the CPU other code multiplies then."""
    with torch.inference_mode(request.param):
        yield


def drawn(count: int, seed: int, spread: float, depth: int = 60) -> Tensor:
    """Points whose variance falls from one dimension to the next, the faster the larger `spread`, far from zero."""
    points = torch.randn(count, depth, generator=torch.Generator().manual_seed(seed))
    return points * torch.arange(1, depth + 1) ** -spread + 30


@pytest.mark.parametrize("rows", [1, 2, 9, 2000])
@pytest.mark.parametrize("spread", [0.5, 1.0, 1.5])
def test_the_nearest_is_that_of_all_distances_in_float64(rows, spread):
    bank, queries = drawn(rows, 0, spread), torch.cat([drawn(300, 1, spread), drawn(20, 2, spread) + 3])
    found = Subspace(bank).nearest(queries)
    expected = torch.cdist(queries.double(), bank.double()).amin(1)
    distances = (queries - bank[found]).double().norm(dim=1)
    torch.testing.assert_close(distances, expected, rtol=1e-5, atol=1e-5)


def test_rows_themselves_are_found():
    bank = drawn(500, 0, 1.0)
    assert Subspace(bank).nearest(bank).tolist() == list(range(500))


def test_equal_rows_are_at_no_distance():
    bank = torch.full((7, 12), 3.0)
    found = Subspace(bank).nearest(bank + 1)
    assert found is None or len(found) == 7


def test_points_without_directions_do_not_pay():
    assert not Subspace(drawn(2000, 0, 0.0)).pays
    assert Subspace(drawn(2000, 0, 1.5)).pays


def test_a_bound_that_rules_out_nothing_is_no_answer():
    """All rows lie on a sphere around the queries."""
    bank = torch.nn.functional.normalize(torch.randn(400, 60, generator=torch.Generator().manual_seed(0)))
    assert Subspace(bank).nearest(torch.zeros(50, 60)) is None
