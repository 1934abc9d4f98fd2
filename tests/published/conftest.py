from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def hub_root(tmp_path_factory) -> Path:
    """All repositories of the facts, as a fake hub serves them; to be read, not changed, for it is made once."""
    from tests.published.build import build
    from tests.published.facts import read_facts

    root = tmp_path_factory.mktemp("hub")
    for facts in read_facts():
        build(facts, root)
    return root
