from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/data/coco/images"


@pytest.fixture(scope="session")
def hub_root(tmp_path_factory) -> Path:
    """All repositories of the facts, as a fake hub serves them; to be read, not changed, for it is made once."""
    from tests.published.build import build
    from tests.published.facts import read_facts

    root = tmp_path_factory.mktemp("hub")
    for facts in read_facts():
        build(facts, root)
    return root


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    """Real photos of several sizes where they are there; else bundled scenes."""
    real = sorted(SHARED.glob("*.jpg"))
    return real[:60:12] if real else sorted((ROOT / "samples/detect/images").glob("*.jpg"))[:5]
