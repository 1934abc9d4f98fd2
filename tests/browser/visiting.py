"""What a visitor does on any page, each step waiting until the page has answered."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page

WORK = 300_000
"""Milliseconds that a model may take for a few pictures, its loading included, on a machine that is busy."""


def visit(page: Page, address: str = "/") -> None:
    """Opens a page of the demo and waits until it is all there."""
    page.goto(address)
    opened(page)


def reload(page: Page) -> None:
    """Opens the page again, by the address that it has now."""
    page.reload()
    opened(page)


def opened(page: Page) -> None:
    """Waits until a page that was just opened has run its script."""
    page.wait_for_function("window.runs > 0")
    idle(page)


def idle(page: Page) -> None:
    """Waits until the page's script is at its end."""
    page.wait_for_selector('[data-test-script-state="notRunning"]')


@contextmanager
def rerun(page: Page) -> Iterator[None]:
    """Waits until what the body does to the widgets has run the page's script to its end."""
    before = page.evaluate("[window.runs, performance.now()]")
    yield
    page.wait_for_function("before => window.ran(...before)", arg=before)
    idle(page)


def press(page: Page, name: str | re.Pattern[str]) -> None:
    """Presses the button of that name and waits for what it does."""
    with rerun(page):
        page.get_by_role("button", name=name).first.click()


def upload(page: Page, *files: Path) -> None:
    """Gives files to the page's uploader, as if they were dropped there."""
    with rerun(page):
        page.locator('input[type="file"]').first.set_input_files(files)


def cell(page: Page, column: int, row: int) -> Locator:
    """A cell of the page's table. It is drawn on a canvas; its texts are there for those who cannot see it, too."""
    return page.get_by_test_id(f"glide-cell-{column}-{row}")


def downloaded(page: Page, name: str | re.Pattern[str] = "CSV 받기") -> list[dict[str, str]]:
    """The rows of the CSV that the button of that name gives."""
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def watch_work(page: Page, key: str) -> None:
    """From now on, `worked` tells whether the page has shown that models work; `key` is that of its `working`."""
    page.evaluate(
        """key => {
            window.worked = false;
            const look = () => { window.worked ||= document.querySelector(`.st-key-working-${key}`) !== null; };
            new MutationObserver(look).observe(document.body, {subtree: true, childList: true});
        }""",
        key,
    )


def worked(page: Page) -> bool:
    """Whether a model has worked since `watch_work`."""
    return bool(page.evaluate("window.worked"))
