"""The slide's page where something is missing, and for those who do not see or point."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


def test_what_is_not_there_is_said(open_item, open_page):
    page = open_item("a1", "?gene=NOSUCH")
    expect(page.locator(".gene-picker")).to_contain_text("NOSUCH is not among this item's genes")
    page = open_item("a1", "?show=measured,predicted&gene=RARE")
    expect(page.locator(".panel-note")).to_have_text("RARE has no “Predicted” values here.")
    page = open_item("bare")
    expect(page.get_by_text("Nothing is measured or predicted on this slide")).to_be_visible()
    expect(page.get_by_role("link", name="Predict its genes")).to_be_visible()
    page = open_page("/slide/0123456789abcdef", refused="404")
    expect(page.get_by_role("alert")).to_be_visible()
    page = open_item("a1")
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        " return kind.startsWith('webgl') ? null : get.call(this, kind, ...rest); }"
    )
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("no WebGL2")


@pytest.mark.parametrize(("theme", "lang"), [("light", "en"), ("dark", "zh")])
def test_axe_finds_nothing_on_the_slide_page(open_item, axe, theme, lang):
    page = open_item("a1", "?gene=LEFT&sel=0:domain&show=measured,predicted", gene="LEFT", theme=theme, lang=lang)
    page.locator(".markers tbody tr").first.wait_for()
    assert axe(page) == []
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    assert axe(page) == []
    page.keyboard.press("Escape")
    # Keys pressed in an open dialog are the dialog's own.
    page.get_by_role("dialog").wait_for(state="hidden")
    page.keyboard.press("s")
    page.locator(".swipe").wait_for()
    assert axe(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
