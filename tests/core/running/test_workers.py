import threading

import pytest
import torch

from pipelines.core.running.workers import workers


@pytest.fixture
def threads():
    """Two threads for PyTorch, however many cores there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield 2
    torch.set_num_threads(before)


def test_each_computes_alone_and_others_as_before(threads):
    everywhere = []
    with workers(3) as pool:
        assert list(pool.map(lambda _: torch.get_num_threads(), range(6))) == [1] * 6
        beside = threading.Thread(target=lambda: everywhere.append(torch.get_num_threads()))
        beside.start()
        beside.join()
    assert [torch.get_num_threads(), *everywhere] == [threads, threads]
