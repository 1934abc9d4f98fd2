"""Find and count: a prompt is typed, and the score slider counts again."""

import pytest
from playwright.sync_api import expect

from tests.browser.visiting import downloaded, rerun, visit, watch_work, worked


@pytest.fixture
def counted(page):
    """The page after somebody has typed two prompts and pressed Enter."""
    visit(page, "/detect")
    prompts = page.get_by_label("찾을 것")
    prompts.fill("강아지, 고양이")
    with rerun(page):
        prompts.press("Enter")
    return page


def total(page):
    """All that the CSV counts."""
    rows = downloaded(page)
    assert [row["image"] for row in rows] == ["scene_003.jpg", "scene_004.jpg", "scene_005.jpg"]
    assert list(rows[0]) == ["image", "강아지", "고양이"]
    return sum(int(row["강아지"]) + int(row["고양이"]) for row in rows)


def test_what_the_detector_was_asked_is_said_and_boxes_are_shown(counted):
    expect(counted.get_by_text("강아지 → dog")).to_be_visible()
    expect(counted.get_by_role("img", name="scene_003.jpg · 강아지 1")).to_be_visible()
    expect(counted.get_by_role("img", name="scene_004.jpg · 강아지 2")).to_be_visible()


def test_the_score_slider_counts_again_without_the_model(counted):
    before = total(counted)
    assert before > 0
    watch_work(counted, "detect")
    score = counted.get_by_role("slider", name="점수")
    with rerun(counted):
        score.press("End")
    assert total(counted) == 0
    with rerun(counted):
        score.press("Home")
    assert total(counted) > before
    assert not worked(counted)


def test_a_word_that_has_no_english_is_a_sentence(page):
    visit(page, "/detect")
    page.get_by_label("찾을 것").fill("없는낱말")
    with rerun(page):
        page.get_by_role("button", name="찾고 세기").click()
    expect(page.get_by_text("영어로 옮기지 못한 말: 없는낱말")).to_be_visible()
