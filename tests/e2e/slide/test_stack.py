"""A registered stack: stepped through with the place kept, and fanned out with one range."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from e2e.slide.look import drawn, picture_of, settled
from e2e.slide.stack import DEPTHS_UM, DISC_UM, MARK_UM, MPP, on_slide

SCALE = 0.5  # CSS px per level-0 px
LOW, HIGH = (68, 1, 84), (253, 231, 37)  # the ends of viridis


def middles(page) -> list[tuple[int, int]]:
    """Middle of each panel, CSS px of the stage."""
    stage = page.locator(".stage").bounding_box()
    boxes = [panel.bounding_box() for panel in page.locator(".panel").all()]
    return [(round(b["x"] - stage["x"] + b["width"] / 2), round(b["y"] - stage["y"] + b["height"] / 2)) for b in boxes]


def marks(page) -> np.ndarray:
    """Colours of one mark, by panel: it lies where the stack has it, whichever way its slide is turned."""
    picture, step = picture_of(page), (MARK_UM - DISC_UM) / MPP * SCALE
    return np.array([picture[round(y + step[1]), round(x + step[0])] for x, y in middles(page)])


def assert_disc_in_the_middle(page) -> None:
    picture = picture_of(page)
    for x, y in middles(page):
        assert picture[y, x].max() < 90
        assert picture[y, x + 25].min() > 190  # beyond the disc and before the next mark


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), ("zh", "dark")])
def test_a_stack_keeps_its_place_from_section_to_section_and_side_by_side(open_item, axe, lang, theme):
    words = {
        "en": ("Stack of 3 sections", "Depth", "ok", "doubtful", "All 3 sections", "selected"),
        "zh": ("3 张切片的堆叠", "深度", "可用", "存疑", "全部 3 张切片", "已选"),
    }[lang]
    x, y = on_slide(0, DISC_UM)[0]
    page = open_item("t0", f"?gene=STEP&alpha=1&range=q0-100&at={x},{y},{SCALE}", gene="STEP", lang=lang, theme=theme)
    expect(page.get_by_role("heading", name=words[0])).to_be_visible()
    rows = page.locator(".stack-rows li")
    expect(rows).to_have_text(["t00 µm", f"t112.5 µm{words[2]}", f"t225 µm{words[3]}"])
    assert_disc_in_the_middle(page)

    page.keyboard.press(".")
    expect(page.get_by_role("heading", level=1)).to_have_text("t1")
    assert_disc_in_the_middle(page)
    at = re.search(r"at=([-\d.]+)%2C([-\d.]+)", settled(page)).groups()
    assert np.abs(np.array(at, float) - on_slide(1, DISC_UM)[0]).max() <= 1

    slider = page.get_by_role("slider", name=words[1])
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", f"t2, {DEPTHS_UM[2]:g} µm")
    expect(page.locator(".stack-why")).to_contain_text("overlap 71 % is below 75 %")
    assert_disc_in_the_middle(page)
    assert np.abs(marks(page) - HIGH).max() <= 3

    page.get_by_text(words[4]).click()
    drawn(page, "STEP")
    expect(page.locator(".panel")).to_have_count(3)
    expect(page.locator(".colour-bar")).to_have_count(1)
    assert_disc_in_the_middle(page)
    colours = marks(page)
    assert np.abs(colours[0] - LOW).max() <= 3
    assert np.abs(colours[2] - HIGH).max() <= 3
    assert axe(page) == []

    page.get_by_role("radio", name="Domains" if lang == "en" else "区域").check()
    page.locator(".groups").get_by_role("button", name="right").click()
    expect(page.locator(".selection-head")).to_contain_text(words[5])
    colours = marks(page)
    # "right" is one colour, though it is the only group of the first section and the second of the others.
    assert np.abs(colours - colours[0]).max() <= 2
    page.keyboard.press(",")
    expect(page.get_by_role("heading", level=1)).to_have_text("t1")
    expect(page.locator(".panel")).to_have_count(3)
    assert_disc_in_the_middle(page)
