"""What the tests of the mini world share."""

import pytest

from mini.world import FONT


@pytest.fixture(scope="session")
def emoji():
    """Skips where no new scene can be drawn."""
    if not FONT.is_file():
        pytest.skip("the emoji font (Debian's fonts-noto-color-emoji), which drawing scenes needs, is missing")
