import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def one_thread(request):
    """Tiny networks are fastest on one thread, above all where other programs run; full-size ones get them all."""
    if request.node.get_closest_marker("slow"):
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
