"""A real browser that visits the demo as a person does."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.browser.server import BROWSERS, COUNT_RUNS, FLAGS, Demo, chromium_path, running_demo
from tests.browser.visiting import WORK

expect.set_options(timeout=WORK)

FEW = {
    "caption": [f"images/scene_{number:03}.jpg" for number in range(3)],
    "detect": [f"images/scene_{number:03}.jpg" for number in range(3, 6)],
    "anomaly": [
        *(f"weave/train/good/{number:03}.jpg" for number in range(6)),
        *(f"weave/test/{kind}/000.jpg" for kind in ("good", "hole")),
    ],
    "search": [f"images/scene_{number:03}.jpg" for number in (*range(8), 40, 43, 69)],
}
"""Of each task's samples, so that no model has much to do."""


@dataclass
class Heard:
    """What no visit should bring."""

    host: str
    """The only one that is to be asked, as `127.0.0.1:8501`."""
    errors: list[str] = field(default_factory=list)
    """Of the browser's console."""
    strangers: list[str] = field(default_factory=list)
    """Addresses elsewhere that the page asked for."""

    def console(self, message: ConsoleMessage) -> None:
        """Keeps an error, but for two that nobody sees.

        Streamlit itself looks for its server below a page's address before it looks at the root, and a picture that was
        replaced or left meanwhile is gone when the browser asks for it.
        """
        said = f"{message.text} ({message.location.get('url', '')})"
        if message.type == "error" and not re.search(r"/\w+/_stcore/(health|host-config)|/media/", said):
            self.errors.append(said)

    def request(self, request: Request) -> None:
        """Keeps an address of another host."""
        if not request.url.startswith((f"http://{self.host}/", "data:", "blob:")):
            self.strangers.append(request.url)


@pytest.fixture(scope="package")
def chromium() -> str:
    """The browser's program. Without one these tests are skipped, but not where a change is to be judged."""
    if found := chromium_path():
        return found
    missing = f"expected a browser ({', '.join(BROWSERS)}) on the PATH, found none; apt-get install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="package")
def demo(chromium, tmp_path_factory) -> Iterator[Demo]:
    """The demo with the bundled models and a few samples."""
    with running_demo(tmp_path_factory.mktemp("demo"), FEW, threads=1) as demo:
        yield demo


@pytest.fixture(scope="package")
def browser(chromium):
    """One browser for all tests. It ends with them: the loop that drives it must not run under others."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(demo, browser) -> Iterator[Page]:
    """A visitor. Neither browser nor server may report an error, whatever they do, and nobody else be asked."""
    before = len(demo.log)
    heard = Heard(demo.url.removeprefix("http://"))
    with visitor(demo, browser) as page:
        page.on("console", heard.console)
        page.on("pageerror", lambda error: heard.errors.append(str(error)))
        page.on("request", heard.request)
        yield page
    assert not heard.errors
    assert not heard.strangers
    assert "Traceback" not in demo.log[before:], demo.log[before:]


@contextmanager
def visitor(demo: Demo, browser: Browser) -> Iterator[Page]:
    """An empty page of somebody who reads Korean and was never here before."""
    with browser.new_context(base_url=demo.url, locale="ko-KR", viewport={"width": 1280, "height": 900}) as context:
        context.set_default_timeout(WORK)
        context.add_init_script(COUNT_RUNS)
        yield context.new_page()
