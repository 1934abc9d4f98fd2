"""What holds for every page: it opens from the bar at the top, in both languages, and fits a phone."""

import pytest
from playwright.sync_api import expect

from tests.browser.visiting import idle, visit

PAGES = {
    "": ("캡션", "Captions"),
    "detect": ("찾고 세기", "Find and count"),
    "anomaly": ("이상 탐지", "Anomalies"),
    "search": ("사진 검색", "Photo search"),
    "runs": ("제출과 실행", "Submissions and runs"),
    "status": ("상태", "Status"),
}


def test_all_pages_are_in_the_bar(page):
    visit(page)
    for korean, _ in PAGES.values():
        page.get_by_role("link", name=korean).click()
        expect(page.get_by_role("heading", level=1, name=korean)).to_be_visible()
        idle(page)


@pytest.mark.parametrize("name", PAGES, ids=lambda name: name or "first")
def test_a_page_fits_a_phone_and_speaks_english(page, name):
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, f"/{name}?lang=English")
    expect(page.get_by_role("heading", level=1, name=PAGES[name][1])).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
