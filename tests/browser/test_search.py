"""Photo search: an album of the samples, asked in Korean and by a photo, and kept in the address."""

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import visitor
from tests.browser.visiting import press, reload, rerun, visit

DOGS = {"scene_003.jpg", "scene_040.jpg", "scene_043.jpg", "scene_069.jpg"}
WORDS = "무엇이 보이는 사진인가요?"
"""What the field of the query is called."""


@pytest.fixture(scope="module")
def album(demo, browser):
    """The album that the first visitor makes of the samples."""
    with visitor(demo, browser) as page:
        visit(page, "/search")
        page.get_by_role("button", name="예시 사진으로 앨범 만들기").click()
        expect(page.get_by_text("앨범에 사진이 11장 있습니다")).to_be_visible()


def ask(page, words):
    """Types words and presses Enter."""
    field = page.get_by_role("textbox", name=WORDS)
    field.fill(words)
    with rerun(page):
        field.press("Enter")


def photos(page):
    """The names of the photos that are shown, in order."""
    page.get_by_role("img").first.wait_for()
    return [image.get_attribute("alt") for image in page.get_by_role("img").all()]


def asked(page):
    """What the address bar says."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_korean_query_finds_photos_and_a_reload_finds_them_again(album, page):
    visit(page, "/search")
    ask(page, "강아지")
    expect(page.get_by_text("강아지 → dog")).to_be_visible()
    found = photos(page)
    assert set(found) <= DOGS and found
    assert asked(page)["words"] == "강아지"
    reload(page)
    expect(page.get_by_role("textbox", name=WORDS)).to_have_value("강아지")
    expect(page.get_by_alt_text(found[0])).to_be_visible()
    assert photos(page) == found


def test_similar_photos_are_one_click_away_and_in_the_address(album, page):
    visit(page, "/search?words=강아지")
    first = photos(page)[0]
    press(page, "비슷한 사진")
    assert asked(page)["like"] == first
    expect(page.get_by_alt_text("찾는 사진")).to_be_visible()
    assert len(photos(page)) > 2 and first not in photos(page)
    press(page, "사진 빼기")
    assert "like" not in asked(page)


def test_a_photo_is_shown_large(album, page):
    visit(page, "/search?words=강아지")
    first = photos(page)[0]
    with rerun(page):
        page.get_by_role("button", name="크게").first.click()
    expect(page.get_by_role("dialog").get_by_text(first)).to_be_visible()


def test_a_query_that_no_photo_matches_is_said(album, page):
    visit(page, "/search")
    ask(page, "소파")
    expect(page.get_by_text("맞는 사진이 없습니다")).to_be_visible()
