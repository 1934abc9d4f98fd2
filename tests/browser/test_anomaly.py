"""Anomalies: the bundled normal photos are learned, and the threshold slider judges again."""

import pytest
from playwright.sync_api import expect

from tests.browser.visiting import downloaded, press, rerun, visit, watch_work, worked


@pytest.fixture
def inspected(page):
    """The page after the sample photos were inspected."""
    visit(page, "/anomaly")
    press(page, "이상 찾기")
    return page


def labels(page):
    """Photo -> label of the CSV."""
    return {row["image"]: row["label"] for row in downloaded(page)}


def test_a_hole_is_found_and_the_good_photo_is_not(inspected):
    expect(inspected.get_by_role("heading", name="사진 2장 중 이상 1장")).to_be_visible()
    found = labels(inspected)
    assert found["hole/000.jpg"] != found["good/000.jpg"]
    expect(inspected.get_by_alt_text("hole/000.jpg").last).to_be_visible()


def test_the_threshold_slider_judges_again_without_the_model(inspected):
    watch_work(inspected, "anomaly")
    threshold = inspected.get_by_role("slider", name="문턱값")
    with rerun(inspected):
        threshold.press("End")
    expect(inspected.get_by_role("heading", name="사진 2장 중 이상 0장")).to_be_visible()
    with rerun(inspected):
        threshold.press("Home")
    expect(inspected.get_by_role("heading", name="사진 2장 중 이상 2장")).to_be_visible()
    assert len(set(labels(inspected).values())) == 1
    assert not worked(inspected)


def test_a_row_of_the_table_shows_its_photo(inspected):
    expect(inspected.get_by_role("strong").filter(has_text="hole/000.jpg")).to_be_visible()
    table = inspected.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    corner = table.bounding_box()
    with rerun(inspected):
        inspected.mouse.click(corner["x"] + 15, corner["y"] + 36 + 72 + 36)  # a canvas: the box of its second row
    expect(inspected.get_by_role("strong").filter(has_text="good/000.jpg")).to_be_visible()
