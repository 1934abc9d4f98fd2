from pathlib import Path

import pytest
import torch

LONG = ("test_full_size.py", "test_stress.py", "published/test_commands.py", "hub/test_commands.py", "browser/",
        "album/test_indexing.py", "benchmarks/test_anomaly.py")  # fmt: skip
"""Files that take a minute or more: begun last, they would leave the other cores without work."""


def pytest_collection_modifyitems(items):
    """The long files first; all others, and the tests of each, in their order."""
    items.sort(key=lambda item: not any(name in Path(item.path).as_posix() for name in LONG))


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


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """CLIP, which knows no Korean."""
    from tests import tiny

    return tiny.clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory):
    """SigLIP with Korean words."""
    from tests import tiny

    return tiny.siglip(tmp_path_factory.mktemp("siglip"))


@pytest.fixture(scope="session")
def nllb_folder(tmp_path_factory):
    """A translator from Korean to English and back."""
    from tests import tiny

    return tiny.nllb(tmp_path_factory.mktemp("nllb"))
