"""axe-core on every page, light in English and dark in Chinese; and what it cannot see."""

from __future__ import annotations

import pytest

from e2e.conftest import until

#: Address and a selector that is there once the page is whole.
PAGES = {
    "home": ("/", ".item-card img"),
    "predict": ("/predict", ".bundle"),
    "jobs": ("/jobs", "h1"),
    "boards": ("/boards", ".board-line"),
    "board": ("/boards/her2st-dev", ".interval-row"),
    "papers": ("/papers", ".line"),
    "paper": ("/papers/st-net-2020", ".ladder"),
    "datasets": ("/datasets", "tbody tr"),
    "dataset": ("/datasets/her2st", ".facts"),
    "lost": ("/nowhere/at/all", ".empty"),
}


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_and_a_small_screen_does_not_scroll_sideways_on(name, open_page, axe):
    path, ready = PAGES[name]
    page = open_page(path)
    page.locator(ready).first.wait_for()
    found = [f"light, en: {line}" for line in axe(page)]
    page.get_by_role("button", name="Switch to dark").click()
    page.get_by_role("button", name="切换到中文").click()
    found += [f"dark, zh: {line}" for line in axe(page)]
    assert found == []
    page.set_viewport_size({"width": 390, "height": 800})
    until(page, "document.documentElement.scrollWidth <= innerWidth")


def test_the_skip_link_comes_first_and_leads_to_the_content(open_page):
    page = open_page("/papers")
    page.locator(".line").first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_dialog_keeps_the_focus_and_gives_it_back_on_escape(open_page, axe):
    page = open_page("/boards/her2st-dev")
    button = page.get_by_role("button", name="Record of the run of ridge").first
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("benchmark_version").wait_for()
    assert axe(page) == []
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "!document.activeElement || document.activeElement === document.body || "
            "document.activeElement.closest('dialog') !== null"
        )
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    assert button.evaluate("element => element === document.activeElement")
