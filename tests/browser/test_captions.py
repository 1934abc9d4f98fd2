"""Captions, as a visitor with two photos and a file that is none sees them."""

import pytest
from playwright.sync_api import expect

from tests.browser.server import ROOT
from tests.browser.visiting import cell, downloaded, idle, press, rerun, upload, visit

PHOTOS = [ROOT / "samples/caption/images" / name for name in ("scene_003.jpg", "scene_014.jpg")]


@pytest.fixture
def captioned(page):
    """The page after two photos of the visitor's were captioned."""
    visit(page)
    upload(page, *PHOTOS)
    press(page, "설명 만들기")
    return page


def test_the_page_begins_with_samples_to_try(page):
    visit(page)
    expect(page.get_by_role("heading", name="캡션")).to_be_visible()
    expect(page.get_by_alt_text("scene_000.jpg")).to_be_visible()
    expect(page.get_by_role("button", name="설명 만들기")).to_be_enabled()


def test_what_is_no_picture_is_refused_in_a_sentence_whatever_its_name(page, tmp_path):
    text = tmp_path / "note.png"
    text.write_text("not a picture")
    visit(page)
    upload(page, PHOTOS[0], text)
    expect(page.get_by_text("받지 않은 파일")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("note.png: 내용이 사진")
    expect(page.get_by_alt_text("scene_003.jpg")).to_be_visible()
    expect(page.get_by_alt_text("note.png")).to_have_count(0)


def test_each_photo_gets_a_caption_in_both_languages(captioned):
    expect(cell(captioned, 2, 0)).to_have_text("a horse")
    rows = downloaded(captioned)
    assert [row["image"] for row in rows] == [photo.name for photo in PHOTOS]
    assert ["말" in rows[0]["caption"], "코끼리" in rows[1]["caption"]] == [True, True]


def test_a_caption_is_corrected_in_its_cell(captioned):
    expect(cell(captioned, 1, 0)).to_contain_text("말")
    table = captioned.get_by_test_id("stDataFrame").bounding_box()
    captioned.mouse.dblclick(table["x"] + 250, table["y"] + 90)  # the table is a canvas: its first caption is there
    captioned.locator("#portal textarea").fill("말 한 마리가 서 있습니다")
    with rerun(captioned):
        captioned.keyboard.press("Enter")
    assert downloaded(captioned)[0]["caption"] == "말 한 마리가 서 있습니다"


def test_the_ending_changes_without_captioning_again(captioned):
    before = downloaded(captioned)
    with rerun(captioned):
        captioned.get_by_role("radio", name="-다", exact=True).click()
    assert [row["image"] for row in downloaded(captioned)] == [row["image"] for row in before]


def test_in_english_the_captions_stay(captioned):
    before = downloaded(captioned)
    with rerun(captioned):
        captioned.get_by_role("radio", name="English").click()
    expect(captioned.get_by_role("heading", name="Captions")).to_be_visible()
    assert downloaded(captioned, "Download the CSV") == before


def test_the_address_keeps_the_language(page):
    visit(page)
    with rerun(page):
        page.get_by_role("radio", name="English").click()
    visit(page, page.url)
    expect(page.get_by_role("heading", name="Captions")).to_be_visible()


def test_work_stops_when_it_is_told_to_and_what_is_finished_stays(page):
    visit(page)
    upload(page, *sorted((ROOT / "samples/caption/images").glob("*.jpg")))
    page.get_by_role("button", name="설명 만들기").click()
    page.get_by_role("button", name="중지").click()
    expect(page.get_by_role("button", name="중지")).to_have_count(0)
    idle(page)
    rows = downloaded(page) if page.get_by_role("button", name="CSV 받기").count() else []
    assert len(rows) < 60
    assert all(row["caption"] for row in rows)
