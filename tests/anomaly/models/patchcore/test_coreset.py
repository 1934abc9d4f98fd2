import pytest
import torch
from torch import Tensor

from pipelines.anomaly.models.patchcore.coreset import coreset, project, select


@pytest.fixture(autouse=True, params=[True, False], ids=["oneDNN", "plain"])
def products(request):
    """As in a run, and with gradients allowed: on the CPU other code multiplies then."""
    with torch.inference_mode(request.param):
        yield


CPU = torch.device("cpu")


def points(count: int, depth: int = 24, seed: int = 0) -> Tensor:
    drawn = torch.randn(count, depth, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn - drawn.mean(0)


def plain_greedy(x: Tensor, picks: int, start: int) -> list[int]:
    """One pass over all points a pick, distances by subtraction."""
    nearest, chosen = torch.full((len(x),), float("inf"), dtype=torch.float64), [start]
    while len(chosen) < picks:
        nearest = torch.minimum(nearest, (x - x[chosen[-1]]).square().sum(1))
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    return chosen


@pytest.mark.parametrize(("count", "picks", "expected"), [(1, 1, 1), (1, 5, 1), (2, 2, 2), (7, 7, 7), (7, 9, 7)])
def test_small_sets_are_taken_whole_and_never_twice(count, picks, expected):
    chosen = select(points(count), picks)
    assert len(chosen) == len(set(chosen)) == expected


@pytest.mark.parametrize(("pool", "start"), [(1, 0), (3, 5), (64, 0), (1024, 399)])
def test_picks_are_those_of_plain_greedy_in_the_same_order(pool, start):
    x = points(1500)
    assert select(x, 400, start, pool) == plain_greedy(x, 400, start)


def test_float32_picks_the_same_set():
    x = points(1500, seed=1)
    assert set(select(x.float(), 300)) == set(plain_greedy(x, 300, 0))


def test_equal_points_are_all_taken_when_all_are_asked_for():
    assert sorted(select(torch.zeros(20, 4), 20)) == list(range(20))


def images(count: int, depth: int = 8) -> list[Tensor]:
    return [image.float().reshape(4, 5, depth) + 3 for image in points(count * 20, depth).split(20)]


@pytest.mark.parametrize(("ratio", "most", "expected"), [(0.1, 100, 6), (1.0, 1000, 60), (1.0, 7, 7), (0.001, 7, 1)])
def test_ratio_and_cap_bound_what_is_kept(ratio, most, expected):
    kept = coreset(project(images(3), 256, 0, CPU), ratio, most, 0)
    assert len(kept) == 3
    assert sum(len(chosen) for chosen in kept) == expected
    assert all(chosen.tolist() == sorted(set(chosen.tolist())) for chosen in kept)


def test_kept_patches_are_the_picks_of_their_image():
    patches = images(3)
    kept = coreset(project(patches, 256, 0, CPU), 0.2, 100, 0)
    flat = torch.cat([20 * index + chosen for index, chosen in enumerate(kept)])
    start = int(torch.randint(60, (1,), generator=torch.Generator().manual_seed(0)))
    x = torch.cat([image.reshape(-1, 8) for image in patches]).double()
    assert set(flat.tolist()) == set(plain_greedy(x, 12, start))


def test_the_seed_decides_the_start():
    patches = project(images(3), 256, 0, CPU)
    kept = [torch.cat(coreset(patches, 0.1, 100, seed)).tolist() for seed in (0, 0, 1, 2)]
    assert kept[0] == kept[1]
    assert len({tuple(chosen) for chosen in kept}) > 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_projection_keeps_distances_and_centres(dtype):
    deep = [image.to(dtype) for image in images(2, depth=900)]
    projected = torch.cat(project(deep, 256, 0, CPU))
    assert projected.shape == (40, 256) and projected.dtype == torch.float32
    assert projected.mean(0).abs().max() < 1e-4
    before = torch.pdist(torch.cat([image.reshape(-1, 900) for image in deep]).float())
    ratio = torch.pdist(projected) / before
    assert ratio.min() > 0.7 and ratio.max() < 1.3


def test_shallow_features_are_not_projected():
    patches = images(2)
    x = torch.cat([image.reshape(-1, 8) for image in patches])
    torch.testing.assert_close(torch.cat(project(patches, 256, 0, CPU)), x - x.mean(0))
