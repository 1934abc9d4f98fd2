import gc
from pathlib import Path

import pytest

LONG = ("test_full_size.py", "browser/", "published/test_commands.py", "anomaly/test_pipeline.py", "test_stress.py",
        "corpus/test_images.py", "published/test_models.py", "album/test_indexing.py", "grounding_dino/")  # fmt: skip
"""What takes 20 s or more of a core, the longest first: begun last, it would leave the other cores without work."""


def pytest_collection():
    """What is imported stays: to look through it for garbage again and again would take seconds, each time."""
    gc.disable()


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_sessionfinish():
    gc.unfreeze()


def pytest_collection_modifyitems(items):
    """The long files first; all others, and the tests of each, in their order."""

    def place(item):
        return next((at for at, name in enumerate(LONG) if name in Path(item.path).as_posix()), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="module", autouse=True)
def one_thread(request):
    """Tiny networks are fastest on one thread, above all where other programs run; full-size ones get them all."""
    import torch  # not above: the process that shares out the work does without

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
