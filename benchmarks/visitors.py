"""Times the demo as people meet it: how soon its first page and first caption are there, and ten visitors at once.

A real browser visits a server of its own, with the bundled models. Server and browser share the machine, so that the
figures are of both. Each visitor uses the pages in turn and looks at each answer for some seconds.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

import streamlit
import torch
import transformers
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, async_playwright

from pipelines.core.terminal import settle
from tests.browser.server import COUNT_RUNS, FLAGS, Demo, chromium_path, running_demo

RESULTS = Path(__file__).parent / "results/visitors.json"
PHOTOS = sorted(Path("samples/caption/images").glob("*.jpg"))
QUERIES = ("강아지", "자전거와 나무", "고양이", "바나나", "빨간 자동차", "새 두 마리")
PATIENCE = 120_000
"""Milliseconds that any step may take before it counts as failed."""
PAUSE = 3.0
"""Seconds that a visitor looks at an answer."""
BARS = {"first_page_s": 5.0, "first_caption_s": 5.0}
STARTS = 3


async def idle(page: Page) -> None:
    """Waits until the page's script is at its end."""
    await page.wait_for_selector('[data-test-script-state="notRunning"]', timeout=PATIENCE)


async def until(sign: Locator, act: Coroutine[Any, Any, None]) -> float:
    """Seconds from what is done to a widget until its answer is to be seen."""
    started = time.perf_counter()
    await act
    await sign.first.wait_for(state="attached", timeout=PATIENCE)
    return time.perf_counter() - started


def button(page: Page, name: str) -> Locator:
    """The first button of that name in the page's body."""
    return page.get_by_test_id("stMain").get_by_role("button", name=name).first


async def worked(page: Page, key: str, act: Coroutine[Any, Any, None]) -> float:
    """Seconds from a click until its work, whose progress the page shows meanwhile, is done."""
    started = time.perf_counter()
    await act
    progress = page.locator(f".st-key-working-{key}")
    await progress.wait_for(state="attached", timeout=PATIENCE)
    await progress.wait_for(state="detached", timeout=PATIENCE)
    return time.perf_counter() - started


async def caption(page: Page, turn: int) -> float:
    """Two photos of the visitor's own."""
    photos = [PHOTOS[(2 * turn + each) % len(PHOTOS)] for each in range(2)]
    uploader = page.locator('input[type="file"]').first
    await until(page.get_by_alt_text(photos[1].name), uploader.set_input_files(photos))
    return await worked(page, "caption", button(page, "설명 만들기").click())


async def detect(page: Page, turn: int) -> float:
    """The samples, for three prompts."""
    return await worked(page, "detect", button(page, "찾고 세기").click())


async def anomaly(page: Page, turn: int) -> float:
    """The samples, by the model that the first visitor's click has fitted."""
    return await worked(page, "anomaly", button(page, "이상 찾기").click())


async def search(page: Page, turn: int) -> float:
    """Words in the album of samples, which was made before."""
    words = page.get_by_role("textbox").first
    query = QUERIES[turn % len(QUERIES)]
    await words.fill(query)
    return await until(page.get_by_text(f"번역해서 물었습니다: {query}"), words.press("Enter"))


PAGES = {"캡션": caption, "찾고 세기": detect, "이상 탐지": anomaly, "사진 검색": search}
NAMES = {"캡션": "caption two photos", "찾고 세기": "count three things in eight photos",
         "이상 탐지": "inspect eight photos", "사진 검색": "search 200 photos by words"}  # fmt: skip


class Visit:
    """A visitor's session and what came of it."""

    def __init__(self, page: Page, number: int) -> None:
        self.page, self.number = page, number
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        """Keeps an error, but for two that nobody sees.

        Streamlit itself looks for its server below a page's address before it looks at the root, and a picture of a
        page that was left meanwhile is gone when the browser asks for it.
        """
        said = f"{message.text} ({message.location.get('url', '')})"
        if message.type == "error" and "/_stcore/" not in said and "/media/" not in said:
            self.errors.append(said)

    async def go_on(self, ends: float) -> None:
        """Uses one page after the other until the time is over."""
        turn = self.number
        await self.page.goto("/", timeout=PATIENCE)
        await idle(self.page)
        while time.monotonic() < ends:
            title = list(PAGES)[turn % len(PAGES)]
            try:
                heading = self.page.get_by_role("heading", name=title, exact=True)
                link = self.page.get_by_test_id("stTopNavLink").filter(has_text=title)
                self.seconds["open a page"].append(await until(heading, link.click(timeout=PATIENCE)))
                await idle(self.page)
                self.seconds[NAMES[title]].append(await PAGES[title](self.page, turn))
                self.errors += await self.page.locator(
                    '[data-testid="stException"], [data-testid="stAlertContentError"]'
                ).all_inner_texts()
            except Exception as error:
                self.errors.append(f"{title}: {error}")
            turn += 1
            await asyncio.sleep(PAUSE)


async def new_visit(browser: Browser, demo: Demo, number: int) -> Visit:
    """A visitor with a browser session of their own."""
    context = await browser.new_context(
        base_url=demo.url, locale="ko-KR", viewport={"width": 1280, "height": 900}, accept_downloads=True
    )
    await context.add_init_script(COUNT_RUNS)
    return Visit(await context.new_page(), number)


async def start(browser: Browser, number: int) -> dict[str, float]:
    """Seconds from the server's start to a first page that can be used, and from there to a sample's caption."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with running_demo(Path(folder)) as demo:
            page = (await new_visit(browser, demo, number)).page
            await page.goto("/", timeout=PATIENCE)
            await button(page, "설명 만들기").wait_for(timeout=PATIENCE)
            usable = time.perf_counter()
            await button(page, "설명 만들기").click()
            await page.get_by_test_id("glide-cell-1-0").wait_for(state="attached", timeout=PATIENCE)
            captioned = time.perf_counter()
            await page.context.close()
    return {"first_page_s": round(usable - began, 2), "first_caption_s": round(captioned - usable, 2)}


async def first_clicks(browser: Browser, demo: Demo) -> dict[str, float]:
    """Seconds that the first visitor waits for what is then there for all: the album and the fitted model."""
    page = (await new_visit(browser, demo, 0)).page
    took = {}
    for what, address, name, sign in (
        ("make the album of 200 photos", "/search", "예시 사진으로 앨범 만들기", "무엇이 보이는 사진인가요?"),
        ("fit the sample model on 30 photos and inspect 8", "/anomaly", "이상 찾기", "히트맵 진하기"),
    ):
        await page.goto(address, timeout=PATIENCE)
        await idle(page)
        took[what] = round(await until(page.get_by_text(sign), button(page, name).click()), 2)
    await page.context.close()
    return took


async def networks(browser: Browser, demo: Demo) -> list[str]:
    """The checkpoints of the networks in memory, by the status page."""
    page = (await new_visit(browser, demo, 0)).page
    await page.goto("/status", timeout=PATIENCE)
    await idle(page)
    table = page.get_by_test_id("stDataFrame").first
    await table.get_by_test_id("glide-cell-1-0").wait_for(state="attached", timeout=PATIENCE)
    cells = table.locator('[data-testid^="glide-cell-1-"]')
    found = await cells.all_inner_texts()
    await page.context.close()
    return sorted(text.strip() for text in found)


async def visitors(browser: Browser, count: int, seconds: float) -> dict[str, Any]:
    """`count` visitors at once for some time: latencies by step, errors, networks in memory, peak memory."""
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as demo:
        first = await first_clicks(browser, demo)
        visits = [await new_visit(browser, demo, number) for number in range(count)]
        ends = time.monotonic() + seconds
        await asyncio.gather(*(visit.go_on(ends) for visit in visits))
        took = defaultdict(list)
        for visit in visits:
            for name, each in visit.seconds.items():
                took[name] += each
        errors = [error for visit in visits for error in visit.errors]
        errors += [line for line in demo.log.splitlines() if "Traceback" in line]
        return {
            "visitors": count,
            "seconds": seconds,
            "first": first,
            "steps": {name: figures(took[name]) for name in ["open a page", *NAMES.values()]},
            "errors": errors[:20],
            "networks": await networks(browser, demo),
            "peak_mb": peak_mb(demo.pid),
        }


def figures(seconds: Sequence[float]) -> dict[str, float]:
    """How often a step was done, and what it took, in seconds."""
    if not seconds:
        return {"times": 0}
    ordered = sorted(seconds)
    return {
        "times": len(ordered),
        "p50_s": round(statistics.median(ordered), 2),
        "p95_s": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 2),
    }


def peak_mb(pid: int) -> int:
    """The most memory that a process had."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return round(int(line.split()[1]) * 1024 / 1e6)


async def measure(starts: int, count: int, seconds: float) -> dict[str, Any]:
    """All of it, one after the other, with one browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=FLAGS)
        began = [await start(browser, number) for number in range(starts)]
        together = await visitors(browser, count, seconds) if count else {}
        await browser.close()
    median = {name: round(statistics.median(each[name] for each in began), 2) for name in BARS} if began else {}
    return {"starts": began, "start": median, "bars": BARS, "together": together}


def main() -> int:
    """Prints the figures and, where wanted, keeps them; the exit code is 1 where one is beyond its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=STARTS, help="times that the server is started (%(default)s)")
    parser.add_argument("--visitors", type=int, default=10, help="at once (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="that they stay (%(default)s)")
    parser.add_argument("--write", action="store_true", help=f"also write {RESULTS}, which docs/demo.md shows")
    options = parser.parse_args()
    if chromium_path() is None:
        parser.error("expected chromium on the PATH, found none; apt-get install chromium")
    load = os.getloadavg()[1]
    found = asyncio.run(measure(options.starts, options.visitors, options.seconds))
    report = found | {
        "cores": os.cpu_count(), "load_before": round(load, 2), "streamlit": streamlit.__version__,
        "torch": torch.__version__, "transformers": transformers.__version__,
    }  # fmt: skip
    text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
    print(text, end="")
    if options.write:
        RESULTS.write_text(text, encoding="utf-8")
    late = any(found["start"].get(name, 0) > bar for name, bar in BARS.items())
    networks = found["together"].get("networks", [])
    return int(late or bool(found["together"].get("errors")) or len(set(networks)) < len(networks))


if __name__ == "__main__":
    settle()
    sys.exit(main())
