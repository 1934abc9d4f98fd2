"""The status page, beside the others."""

from playwright.sync_api import expect

from tests.browser.visiting import visit


def test_it_says_what_the_demo_runs_on(page):
    visit(page, "/status")
    expect(page.get_by_test_id("stMetric").filter(has_text="장치")).to_contain_text("CPU")
    expect(page.get_by_test_id("stMetric").filter(has_text="기다리는 방문자")).to_contain_text("0")
