"""What is drawn where on a slide, how large and in which colour."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from e2e.lattice import IN_LEFT, MPP, SPOT_PX, XY
from e2e.slide.look import drawn, outlines, picture_of, place, settled


def test_marks_lie_where_the_slide_says_at_their_true_size_in_the_colours_of_the_legend(open_item):
    view = (2600.0, 2200.0, 0.15)
    page = open_item("a1", f"?show=measured&gene=LEFT&alpha=1&at={view[0]},{view[1]},{view[2]}", gene="LEFT")
    picture = picture_of(page)
    low, high = np.array([68, 1, 84]), np.array([253, 231, 37])  # the ends of viridis
    radius = SPOT_PX / 2 * view[2]
    for xy, left in list(zip(XY, IN_LEFT, strict=True))[26:94:3]:
        x, y = place(page, xy, view)
        is_low = np.abs(picture[y, x] - low).sum() < np.abs(picture[y, x] - high).sum()
        assert is_low == (not left)
        for dx, dy in [(1, 0), (-1, 0), (0, 1), (0, -1)]:
            inside, outside = round(radius - 3), round(radius + 3)
            assert np.abs(picture[y + inside * dy, x + inside * dx] - picture[y, x]).max() <= 2
            assert picture[y + outside * dy, x + outside * dx].min() > 190  # pale tissue again


def test_observations_too_many_for_shapes_are_drawn_as_their_means(open_item):
    view = (2200.0, 2200.0, 0.095)  # a pixel holds 10.5 px of the slide, a cell of the grid 2 x 2 observations
    page = open_item("dense", "?show=measured&gene=HALF&alpha=1&range=q0-100&at=2200,2200,0.095", gene="HALF")
    expect(page.locator(".panel-note.dense")).to_be_visible()
    picture = picture_of(page)
    for x, colour in ((1100, (253, 231, 37)), (3300, (33, 145, 140))):  # the end and the middle of viridis
        for k in range(-8, 9):
            at = place(page, (x + 7 * k, 2200 + 11 * k), view)
            assert np.abs(picture[at[::-1]] - colour).max() <= 3
    page.goto(re.sub("at=[^&]*", "at=2200,2200,0.9", settled(page)))
    drawn(page, "HALF")
    expect(page.locator(".panel-note.dense")).to_have_count(0)


def test_the_scale_bar_is_as_long_as_it_says_at_every_zoom(open_item):
    page = open_item("a1", "?show=measured&gene=LEFT&at=2600,2200,0.1", gene="LEFT")
    for scale in (0.1, 0.4, 2.5):
        page.goto(re.sub(r"at=[^&]*", f"at=2600,2200,{scale}", page.url))
        drawn(page, "LEFT")
        label = page.locator(".scale-label").first.inner_text()
        number, unit = label.split()
        um = float(number) * {"µm": 1, "mm": 1000}[unit]
        width = page.locator(".scale-line").first.bounding_box()["width"]
        assert width == pytest.approx(um / MPP * scale, abs=1.0)


def test_panels_pan_and_zoom_as_one(open_item):
    outline = "1000_1000_3000_1000_3000_3000_1000_3000"
    page = open_item("a1", f"?show=measured,predicted,residual,uncertainty&gene=LEFT&sel={outline}", gene="LEFT")
    box = page.locator(".panel").nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = outlines(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.move(x - 60, y - 40, steps=4)
    page.mouse.up()
    page.wait_for_timeout(500)
    after = outlines(page)
    assert len(after) == 4
    assert np.abs(after - before).max() > 20
    assert np.abs(after - after[0]).max() < 1.0


def test_the_residual_is_symmetric_about_0_in_a_map_of_its_own(open_item):
    page = open_item("a1", "?show=residual&gene=LEFT&map=magma", gene="LEFT")
    ends = re.search(r"from (\S+) to (\S+)", page.locator(".colour-bar").get_attribute("aria-label")).groups()
    assert float(ends[0].replace("−", "-")) == -float(ends[1])
    assert "rgb(68, 1, 84)" not in page.locator(".ramp").get_attribute("style")


def test_the_swipe_divider_moves_by_keys_and_parts_the_layers(open_item):
    page = open_item("a1", "?show=measured,predicted&mode=swipe&gene=LEFT", gene="LEFT")
    divider = page.get_by_role("slider", name=re.compile("Divider"))
    before = picture_of(page)
    divider.press("PageUp")
    divider.press("PageUp")
    expect(divider).to_have_attribute("aria-valuenow", "70")
    changed = np.abs(picture_of(page) - before).sum(axis=(0, 2)) > 0
    width = len(changed)
    assert changed[round(0.52 * width) : round(0.68 * width)].any()
    assert not changed[: round(0.44 * width)].any()


def test_groups_and_composition_are_coloured_counted_and_selected(open_item):
    view = (2600.0, 2200.0, 0.15)
    at = f"at={view[0]},{view[1]},{view[2]}"
    page = open_item("a1", f"?by=category:domain&alpha=1&{at}")
    page.locator(".stage:not([data-gene=''])").wait_for(state="attached")
    rows = page.locator(".groups tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(str(IN_LEFT.sum()))
    picture = picture_of(page)
    swatches = [
        np.array(re.findall(r"\d+", row.evaluate("e => getComputedStyle(e).backgroundColor")), int)
        for row in rows.locator(".swatch").all()
    ]
    for i in (40, 45):
        x, y = place(page, XY[i], view)
        assert np.abs(picture[y, x] - swatches[0 if IN_LEFT[i] else 1]).max() <= 2
    page.get_by_text("Composition", exact=True).click()
    expect(page.locator(".parts-legend li")).to_have_text(["T cell", "B cell"])
    picture = picture_of(page)
    # Three quarters T cell from 12 o'clock clockwise: the upper right is T, the upper left B.
    x, y = place(page, XY[40], view)
    assert IN_LEFT[40]
    assert np.abs(picture[y - 7, x + 7] - picture[y + 7, x + 7]).max() <= 2
    assert np.abs(picture[y - 7, x + 7] - picture[y - 7, x - 7]).max() > 40
    rows.nth(1).get_by_role("button").click()
    expect(page.locator(".selection-head")).to_contain_text(f"{(~IN_LEFT).sum()} selected")
