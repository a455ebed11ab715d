"""From a slide to a prediction: by keyboard alone, by mouse, across a reload; cancelled, failed, refused."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from e2e.conftest import ask, until


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


def worker_of(pid):
    """Wait for the process of a server's running job."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        children = Path(f"/proc/{pid}/task").glob("*/children")
        found = [int(child) for path in children for child in path.read_text().split()]
        jobs = [one for one in found if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()]
        if jobs:
            return max(jobs)
        time.sleep(0.05)
    pytest.fail("no process of a job began")


def start(page, words):
    """Choose the section by mouse, whatever other tests have dropped on the studio, and start its prediction."""
    page.get_by_role("combobox").click()
    page.get_by_role("option", name="s2").click()
    page.get_by_role("button", name=words).click()
    page.wait_for_url("**job=*")


def test_predict_and_view_need_no_mouse_and_the_job_survives_a_reload(open_page):
    page = open_page("/predict")
    page.locator(".bundle input:checked").wait_for()
    tab_to(page, "combobox")
    press(page, "ArrowDown")
    page.keyboard.type("s2")
    expect(page.get_by_role("option")).to_have_count(1)  # a slide dropped by a test that came before is filtered out
    press(page, "Enter")
    expect(page.locator(".check .notice-title")).to_be_visible()
    expect(page.get_by_role("img", name="The tissue that was found")).to_be_visible()
    begin = page.get_by_role("button", name="Start the prediction")
    expect(begin).to_be_enabled()
    while not begin.evaluate("element => element === document.activeElement"):
        press(page, "Tab")
    press(page, "Enter")
    page.wait_for_url("**job=*")
    page.reload()
    expect(page.get_by_role("progressbar")).to_be_visible()
    look = page.get_by_role("link", name="Look at it on the slide")
    look.wait_for()
    look.focus()
    press(page, "Enter")
    page.wait_for_url("**/slide/*")
    page.locator(".stage[data-gene]").wait_for(state="attached")
    first = page.locator(".stage").get_attribute("data-gene")
    press(page, "]")
    until(page, f"document.querySelector('.stage').dataset.gene !== {json.dumps(first)}")


def test_a_finished_prediction_is_compared_with_what_was_measured(open_page, studio):
    done = [job for job in ask(studio, "jobs")["jobs"] if (job["kind"], job["state"]) == ("predict", "done")]
    page = open_page(f"/predict?job={done[0]['id']}" if done else "/predict", lang="zh")
    if not done:  # this test alone
        start(page, "开始预测")
    page.get_by_role("button", name="与 s2 的实测值比较").click()
    expect(page.locator("table.scores")).to_contain_text("pcc_gene")
    expect(page.locator("p", has_text="合成数据")).to_contain_text("训练未用到测试供者")
    page.get_by_role("navigation").get_by_role("link", name="任务").click()
    expect(page.locator(".job")).not_to_have_count(0)


def test_a_running_prediction_is_cancelled_and_leaves_nothing(open_page, studio):
    page = open_page("/predict")
    before = {item["id"] for item in ask(studio, "items")["items"]}
    start(page, "Start the prediction")
    page.get_by_role("button", name="Cancel colour: s2").click()
    expect(page.get_by_role("status").filter(has_text="cancelled")).to_contain_text("Nothing was written")
    assert ask(studio, "jobs")["jobs"][0]["state"] == "cancelled"
    assert {item["id"] for item in ask(studio, "items")["items"]} == before
    page.get_by_role("button", name="Start another").click()
    expect(page.get_by_role("button", name="Start the prediction")).to_be_enabled()


def test_a_prediction_whose_process_is_killed_says_so_in_the_pages_language(open_page, studio):
    page = open_page("/predict", lang="zh")
    start(page, "开始预测")
    os.kill(worker_of(studio.pid), signal.SIGKILL)
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("任务进程被外部终止（信号 9（SIGKILL））；未保留任何结果。")
    expect(alert).to_contain_text("请重新开始")
    assert alert.locator("[lang=en]").all_inner_texts() == ["colour: s2"]


def test_a_papers_method_is_run_from_its_page(open_page, studio):
    page = open_page("/papers/st-net-2020")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url("**/jobs")
    job = page.locator(".job").first
    expect(job).to_contain_text("st-net-2020")
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_contain_text("cancelled")
    assert ask(studio, "jobs")["jobs"][0]["kind"] == "run"


def test_a_slide_dropped_by_mouse_is_asked_for_its_scale_before_the_check(open_page, studio):
    page = open_page("/predict")
    drop = page.locator(".drop")
    drop.scroll_into_view_if_needed()
    box = drop.bounding_box()
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    files = {"items": [], "files": [str(studio.folder / "plain.png")], "dragOperationsMask": 1}
    mouse = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver"):
        mouse.send("Input.dispatchDragEvent", {"type": kind, **at, "data": files})
    expect(page.locator(".drop.over")).to_be_visible()
    mouse.send("Input.dispatchDragEvent", {"type": "drop", **at, "data": files})
    scale = page.get_by_label("Scale of the full resolution")
    scale.wait_for()
    assert page.locator(".check").count() == 0
    scale.fill("2")
    expect(page.locator(".check .findings")).to_be_visible()


def test_a_file_that_is_no_slide_is_refused_in_three_parts(open_page, tmp_path):
    page = open_page("/predict", refused="422", lang="zh")
    path = tmp_path / "notes.txt"
    path.write_text("no slide")
    page.set_input_files("input[type=file]", path)
    alert = page.get_by_role("alert")
    for part in ("上传的文件", "notes.txt", "处理方法", "请给出 TIFF"):
        expect(alert).to_contain_text(part)
    assert alert.locator("[lang=en]").all_inner_texts() == ["notes.txt"]
