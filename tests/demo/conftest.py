from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]
SECONDS = 300
HEADER = 623
"""Bytes of a sample's JPEG ahead of its data: one that ends there has a size, and nothing that can be shown."""


@pytest.fixture
def app():
    """The demo as a visitor finds it, with the bundled models: its first page."""
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=SECONDS).run()


def page_app(module):
    """One page by itself: AppTest changes to pages that are files only."""
    script = f"import pipelines.demo.{module} as shown\nshown.page()"
    return AppTest.from_string(script, default_timeout=SECONDS).run()


def press(app, label):
    """Presses the button of that label."""
    return next(button for button in app.button if button.label == label).click().run()
