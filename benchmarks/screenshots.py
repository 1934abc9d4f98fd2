"""Takes the pictures of the README from the demo with the bundled models: `python -m benchmarks.screenshots`."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipelines.core.terminal import settle
from tests.browser.server import COUNT_RUNS, FLAGS, Demo, chromium_path, running_demo
from tests.browser.visiting import WORK, press, rerun, visit

FOLDER = Path(__file__).parents[1] / "docs/images"


@dataclass(frozen=True)
class Picture:
    """A page of the demo after something was done there."""

    name: str
    address: str
    do: Callable[[Page], None]
    width: int = 1280
    height: int = 900
    scheme: Literal["light", "dark"] = "light"


def caption(page: Page) -> None:
    """The samples, captioned."""
    press(page, "설명 만들기")
    page.get_by_test_id("glide-cell-1-0").wait_for(state="attached", timeout=WORK)


def detect(page: Page) -> None:
    """Three prompts in the samples."""
    page.get_by_test_id("stForm").get_by_role("button", name="찾고 세기").click()
    expect(page.get_by_alt_text("scene_007.jpg", exact=False).last).to_be_visible(timeout=WORK)


def anomaly(page: Page) -> None:
    """The worst of the samples under its heatmap."""
    page.get_by_test_id("stMain").get_by_role("button", name="이상 찾기").click()
    page.get_by_text("히트맵 진하기").wait_for(timeout=WORK)


def search(page: Page) -> None:
    """An album with captions and counts, asked for dogs."""
    words = page.get_by_role("textbox", name="무엇이 보이는 사진인가요?")
    if not words.count():
        page.get_by_role("button", name="예시 사진으로 앨범 만들기").click()
        words.wait_for(timeout=WORK)
        page.get_by_role("button", name="앨범 관리").click()
        page.get_by_role("button", name="캡션과 개수 넣기").click()
        expect(page.get_by_text("캡션을 200장에")).to_be_visible(timeout=WORK)
    words.fill("강아지")
    with rerun(page):
        words.press("Enter")


PICTURES = (
    Picture("caption", "/", caption, height=1000),
    Picture("detect", "/detect", detect, height=1180, scheme="dark"),
    Picture("anomaly", "/anomaly", anomaly, height=1180),
    Picture("search", "/search", search, width=390, height=1180),
)


def take(picture: Picture, demo: Demo, browser: Browser) -> Path:
    """Visits a page, does what is to be seen there, and keeps what is seen."""
    context = browser.new_context(
        base_url=demo.url,
        locale="ko-KR",
        color_scheme=picture.scheme,
        viewport={"width": picture.width, "height": picture.height},
    )
    with context:
        context.add_init_script(COUNT_RUNS)
        page = context.new_page()
        visit(page, picture.address)
        picture.do(page)
        page.mouse.move(0, 0)
        page.wait_for_timeout(1500)  # charts and canvases draw themselves
        path = FOLDER / f"{picture.name}.jpg"
        page.screenshot(path=path, type="jpeg", quality=82)
        return path


def main() -> None:
    """Takes them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_demo(Path(folder)) as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), headless=True, args=FLAGS)
        for picture in PICTURES:
            path = take(picture, demo, browser)
            print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
        browser.close()


if __name__ == "__main__":
    settle()
    main()
