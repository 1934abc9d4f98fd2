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
