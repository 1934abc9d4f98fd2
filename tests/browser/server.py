"""The demo as a process of its own, with what it writes out of the checkout; and what a browser needs to visit it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import yaml

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
START = 300
"""Seconds that the server may take to start."""
COUNT_RUNS = """
// How often the page's script was seen to come to its end: a short run may be over before the page shows that it is on.
window.runs = 0;
window.ran = (before, since) => window.runs > before || (performance.now() - since > 10000
    && document.querySelector('[data-test-script-state]')?.dataset.testScriptState === 'notRunning');
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
    pid: int

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")


def chromium_path() -> str | None:
    """The browser's program, where there is one."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def running_demo(
    folder: Path, few: Mapping[str, Sequence[str]] | None = None, threads: int | None = None
) -> Iterator[Demo]:
    """The demo with the bundled models, all samples or `few` of them, and torch's `threads`; ends with the body.

    Raises RuntimeError with its log where it does not start.
    """
    host = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "pipelines.demo"]
    command += ["--server.address", "127.0.0.1", "--server.port", host.split(":")[1]]
    environment = {name: value for name, value in os.environ.items() if name != "SUITE_PUBLIC"}
    environment |= {"PROFILE": "mini", "DEMO_CONFIG": str(settings(folder, few))}
    environment |= {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        running = Demo(f"http://{host}", folder, process.pid)
        wait_until_healthy(running, process)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def settings(folder: Path, few: Mapping[str, Sequence[str]] | None) -> Path:
    """The mini profile's settings, with all that is written in `folder`, and `few` samples (task -> files) if given."""
    for task, names in (few or {}).items():
        for name in names:
            (folder / "samples" / task / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "samples" / task / name, folder / "samples" / task / name)
    search = yaml.safe_load((ROOT / "configs/mini/search.yaml").read_text(encoding="utf-8"))
    search |= {"albums": str(folder / "albums")}
    demo = yaml.safe_load((ROOT / "configs/mini/demo.yaml").read_text(encoding="utf-8"))
    written = ("fitted", "submissions") if few is None else ("samples", "fitted", "submissions")
    demo |= {name: str(folder / name) for name in written}
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
    """Returns once the server answers; raises RuntimeError with its log where it ends or takes too long."""
    ends = time.monotonic() + START
    while time.monotonic() < ends and process.poll() is None:
        try:
            with urlopen(f"{demo.url}/_stcore/health", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"the demo did not start within {START} s:\n{demo.log}")
