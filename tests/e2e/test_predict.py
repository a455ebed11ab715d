"""From a slide to a prediction: by keyboard alone, across a reload, and what cancelling and failing look like."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def tab_to(page, role, limit=40):
    """Press Tab until an element of this role has the focus, as one without a mouse does."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role') || document.activeElement.tagName") == role:
            return
    pytest.fail(f"Tab never reached {role}")


def test_predict_needs_no_mouse_and_its_job_survives_a_reload(open_page):
    page = open_page("/predict")
    page.locator(".bundle input:checked").wait_for()
    tab_to(page, "combobox")
    press(page, "ArrowDown")
    expect(page.get_by_role("option")).to_have_count(1)
    press(page, "Enter")
    expect(page.locator(".check .notice-title")).to_be_visible()
    expect(page.get_by_role("img", name="The tissue that was found")).to_be_visible()
    start = page.get_by_role("button", name="Start the prediction")
    expect(start).to_be_enabled()
    while not start.evaluate("element => element === document.activeElement"):
        press(page, "Tab")
    press(page, "Enter")
    page.wait_for_url("**job=*")
    page.reload()
    look = page.get_by_role("link", name="Look at it on the slide")
    look.wait_for()
    look.focus()
    press(page, "Enter")
    page.wait_for_url("**/slide/*")


def test_a_finished_prediction_is_compared_with_what_was_measured(open_page):
    page = open_page("/predict", lang="zh")
    page.get_by_role("combobox").click()
    page.get_by_role("option").first.click()
    page.get_by_role("button", name="开始预测").click()
    page.get_by_role("button", name="与 s2 的实测值比较").click()
    expect(page.locator("table.scores")).to_contain_text("pcc_gene")
    page.get_by_role("navigation").get_by_role("link", name="任务").click()
    expect(page.locator(".job")).not_to_have_count(0)


def test_a_slide_without_scale_is_asked_for_it_before_the_check(open_page, studio):
    page = open_page("/predict")
    page.set_input_files("input[type=file]", studio.folder / "plain.png")
    scale = page.get_by_label("Scale of the full resolution")
    expect(page.locator(".check")).to_have_count(0)
    scale.fill("2")
    expect(page.locator(".check .findings")).to_be_visible()


def test_a_file_that_is_no_slide_is_refused_in_three_parts(open_page, tmp_path):
    page = open_page("/predict", refused="422")
    path = tmp_path / "notes.txt"
    path.write_text("no slide")
    page.set_input_files("input[type=file]", path)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("notes.txt")
    expect(alert).to_contain_text("What to do")
