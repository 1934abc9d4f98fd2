"""The demo as a process of its own, and a real browser that visits it as a person does."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",  # root, as in most containers, has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
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
START = 120
"""Seconds that the server may take to start."""
COUNT_RUNS = """
// How often the page's script has come to its end.
window.runs = 0;
new MutationObserver(changes => {
    window.runs += changes.filter(change => change.target.dataset.testScriptState === 'notRunning').length;
}).observe(document, {subtree: true, attributes: true, attributeFilter: ['data-test-script-state']});
"""


@dataclass(frozen=True)
class Demo:
    """The running server."""

    url: str
    folder: Path
    """Where its settings, albums, fitted models and submissions lie."""

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


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
        """Keeps an error. Streamlit itself looks for its server below a page's address before it looks at the root."""
        url = message.location.get("url", "")
        if message.type == "error" and not re.fullmatch(r"http://[^/]+/\w+/_stcore/(health|host-config)", url):
            self.errors.append(f"{message.text} ({url})")

    def request(self, request: Request) -> None:
        """Keeps an address of another host."""
        if not request.url.startswith((f"http://{self.host}/", "data:", "blob:")):
            self.strangers.append(request.url)


@pytest.fixture(scope="package")
def chromium() -> str:
    """The browser's program. Without one these tests are skipped, but not where a change is to be judged."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found:
        return found
    missing = f"expected a browser ({', '.join(BROWSERS)}) on the PATH, found none; apt-get install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="package")
def demo(chromium, tmp_path_factory) -> Iterator[Demo]:
    """The demo with the bundled models; what it writes stays out of the checkout."""
    folder = tmp_path_factory.mktemp("demo")
    host = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
    command += ["--server.address", "127.0.0.1", "--server.port", host.split(":")[1]]
    environment = {name: value for name, value in os.environ.items() if name != "SUITE_PUBLIC"}
    environment |= {"PROFILE": "mini", "DEMO_CONFIG": str(settings(folder)), "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        running = Demo(f"http://{host}", folder)
        wait_until_healthy(running, process)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
        context.add_init_script(COUNT_RUNS)
        yield context.new_page()


def settings(folder: Path) -> Path:
    """The mini profile's settings, with few samples, and with all that is written in `folder`."""
    for task, names in FEW.items():
        for name in names:
            (folder / "samples" / task / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "samples" / task / name, folder / "samples" / task / name)
    search = yaml.safe_load((ROOT / "configs/mini/search.yaml").read_text(encoding="utf-8"))
    search |= {"albums": str(folder / "albums")}
    demo = yaml.safe_load((ROOT / "configs/mini/demo.yaml").read_text(encoding="utf-8"))
    demo |= {name: str(folder / name) for name in ("samples", "fitted", "submissions")}
    demo |= {"search": str(folder / "search.yaml")}
    for name, content in (("search.yaml", search), ("demo.yaml", demo)):
        (folder / name).write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return folder / "demo.yaml"


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_healthy(demo: Demo, process: "subprocess.Popen[bytes]") -> None:
    """Returns once the server answers; fails with its log where it ends or takes too long."""
    ends = time.monotonic() + START
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urlopen(f"{demo.url}/_stcore/health", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"the demo did not start within {START} s:\n{demo.log}")
