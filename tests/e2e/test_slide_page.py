"""The slide's page: what is drawn where, in which colour; selection, exports, links, keys. Generated data."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import FLAGS, STATIC, WAIT_MS, Studio, unexpected, watch
from e2e.lattice import COLUMNS, HEIGHT, IN_LEFT, MPP, ROWS, SPOT_PX, STEP_PX, XY, serving, write_items

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

#: WebGL in software; the rest of the page is drawn without it, as a browser without a GPU does.
GPU_FLAGS = (
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--disable-gpu-rasterization", "--disable-gpu-compositing"),
)


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    """Serve what `lattice` makes."""
    if not STATIC.is_file():
        pytest.skip("the studio's page is not built (cd web && npm ci && npm run build)")
    folder = tmp_path_factory.mktemp("slide")
    with serving(write_items(folder), folder) as (url, items):
        yield Studio(url, folder, items)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with WebGL in software, so that the layer is drawn on machines without a GPU."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    api.expect.set_options(timeout=WAIT_MS)
    flags = [flag for flag in FLAGS if flag != "--disable-gpu"]
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[*flags, *GPU_FLAGS])
        yield started
        started.close()


@pytest.fixture(scope="module")
def contexts(browser):
    """Profiles by language and theme: a page opens in half the time in one that has compiled scripts and shaders."""
    known = {}

    def profile(lang: str, theme: str):
        if (lang, theme) not in known:
            locale = {"en": "en-GB", "zh": "zh-CN"}[lang]
            known[lang, theme] = browser.new_context(
                locale=locale, color_scheme=theme, reduced_motion="reduce", viewport={"width": 1280, "height": 900}
            )
            known[lang, theme].set_default_timeout(WAIT_MS)
        return known[lang, theme]

    yield profile
    for context in known.values():
        context.close()


@pytest.fixture
def open_page(contexts, studio):
    """As `conftest`'s, but with profiles that are kept from test to test."""
    pages, wrong, allowed = [], [], []

    def open_at(path: str, *, lang: str = "en", theme: str = "light", refused: str = "") -> Page:
        allowed.append(refused)
        page = contexts(lang, theme).new_page()
        pages.append(page)
        watch(page, wrong)
        page.goto(studio.url + path)
        return page

    yield open_at
    for page in pages:
        page.evaluate("localStorage.clear()")
        page.close()
    assert unexpected(wrong, allowed) == []


@pytest.fixture
def open_item(open_page, studio):
    """Open an item's page and wait until its gene, if it has any, is drawn."""

    def open_at(name: str, query: str = "", *, gene: str = "", **options) -> Page:
        page = open_page(f"/slide/{studio.items[name]}{query}", **options)
        if gene:
            _drawn(page, gene)
        return page

    return open_at


def _drawn(page: Page, gene: str) -> None:
    page.locator(f".stage[data-gene='{gene}']").wait_for(state="attached")
    page.locator(".colour-bar").first.wait_for()


def _picture(page: Page) -> np.ndarray:
    page.wait_for_timeout(400)  # the last frame after the last movement
    return np.asarray(Image.open(io.BytesIO(page.locator(".stage").screenshot())).convert("RGB")).astype(int)


def _place(page: Page, xy, view) -> tuple[int, int]:
    """Where a point of the slide lies on the stage of one panel, CSS px."""
    box = page.locator(".stage").bounding_box()
    cx, cy, scale = view
    return round(box["width"] / 2 + (xy[0] - cx) * scale), round(box["height"] / 2 + (xy[1] - cy) * scale)


def test_marks_lie_where_the_slide_says_at_their_true_size_in_the_colours_of_the_legend(open_item):
    view = (2600.0, 2200.0, 0.15)
    page = open_item("a1", f"?show=measured&gene=LEFT&alpha=1&at={view[0]},{view[1]},{view[2]}", gene="LEFT")
    picture = _picture(page)
    low, high = np.array([68, 1, 84]), np.array([253, 231, 37])  # the ends of viridis
    radius = SPOT_PX / 2 * view[2]
    for xy, left in list(zip(XY, IN_LEFT, strict=True))[26:94:3]:
        x, y = _place(page, xy, view)
        is_low = np.abs(picture[y, x] - low).sum() < np.abs(picture[y, x] - high).sum()
        assert is_low == (not left)
        for dx, dy in [(1, 0), (-1, 0), (0, 1), (0, -1)]:
            inside, outside = round(radius - 3), round(radius + 3)
            assert np.abs(picture[y + inside * dy, x + inside * dx] - picture[y, x]).max() <= 2
            assert picture[y + outside * dy, x + outside * dx].min() > 190  # pale tissue again


def test_the_scale_bar_is_as_long_as_it_says_at_every_zoom(open_item):
    page = open_item("a1", "?show=measured&gene=LEFT&at=2600,2200,0.1", gene="LEFT")
    for scale in (0.1, 0.4, 2.5):
        page.goto(re.sub(r"at=[^&]*", f"at=2600,2200,{scale}", page.url))
        _drawn(page, "LEFT")
        label = page.locator(".scale-label").first.inner_text()
        number, unit = label.split()
        um = float(number) * {"µm": 1, "mm": 1000}[unit]
        width = page.locator(".scale-line").first.bounding_box()["width"]
        assert width == pytest.approx(um / MPP * scale, abs=1.0)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_main_path_search_a_gene_see_its_trust_point_at_a_mark(open_item, lang):
    words = {
        "en": ("Gene", "Prediction can be trusted", "Prediction is not to be trusted", "Measured", "Predicted"),
        "zh": ("基因", "预测可信", "预测不可信", "实测", "预测"),
    }[lang]
    page = open_item("a1", lang=lang)
    _drawn(page, "LEFT")  # the server's first: trusted
    expect(page.locator(".trust")).to_contain_text(words[1])
    expect(page.locator(".panel-title")).to_have_text([words[3], words[4]])
    field = page.get_by_role("combobox", name=words[0])
    field.fill("fla")
    page.get_by_role("option", name=re.compile("FLAT")).wait_for()
    field.press("Enter")
    _drawn(page, "FLAT")
    expect(page.locator(".trust")).to_contain_text(words[2])
    assert "gene=FLAT" in _settled(page)
    box = page.locator(".panel").first.bounding_box()
    page.mouse.move(*_middle_mark(box))
    live = page.locator(".stage [aria-live]")
    expect(live).to_contain_text("FLAT")
    assert re.search(rf"{words[3]} \d", live.text_content())
    assert page.evaluate("document.documentElement.lang") == {"en": "en-GB", "zh": "zh-CN"}[lang]


def _middle_mark(box) -> tuple[float, float]:
    """The mark nearest to a panel's middle: the first view shows all observations, middle on middle."""
    room = 0.06 * (COLUMNS - 1) * STEP_PX + SPOT_PX
    width, height = (COLUMNS - 1) * STEP_PX + 2 * room, (ROWS - 1) * STEP_PX + 2 * room
    scale = min(box["width"] / width, box["height"] / height)
    half = STEP_PX / 2 * scale
    return box["x"] + box["width"] / 2 + half, box["y"] + box["height"] / 2 + half


def _settled(page: Page) -> str:
    page.wait_for_timeout(500)  # the address follows a moment after the view
    return page.url


def test_panels_pan_and_zoom_as_one(open_item):
    outline = "1000_1000_3000_1000_3000_3000_1000_3000"
    page = open_item("a1", f"?show=measured,predicted,residual,uncertainty&gene=LEFT&sel={outline}", gene="LEFT")
    box = page.locator(".panel").nth(1).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = _outlines(page)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(300)
    page.mouse.down()
    page.mouse.move(x - 60, y - 40, steps=4)
    page.mouse.up()
    page.wait_for_timeout(500)
    after = _outlines(page)
    assert len(after) == 4
    assert np.abs(after - before).max() > 20
    assert np.abs(after - after[0]).max() < 1.0


def _outlines(page: Page) -> np.ndarray:
    """Corners of the selection's outline in each panel, relative to it."""
    page.locator("polygon.outline:not(.under)").first.wait_for(state="attached")
    found = page.evaluate(
        "[...document.querySelectorAll('polygon.outline:not(.under)')].map(p => [p.ownerSVGElement.viewBox.baseVal.x,"
        " p.ownerSVGElement.viewBox.baseVal.y, p.getAttribute('points')])"
    )
    return np.array([np.array(re.split(r"[ ,]", text), float).reshape(-1, 2) - (x, y) for x, y, text in found])


def test_a_range_set_by_keys_shows_in_legend_address_and_colours(open_item):
    page = open_item("a1", "?show=measured&gene=DEPTH1", gene="DEPTH1")
    before = _picture(page)
    handle = page.get_by_role("slider", name="Highest colour")
    handle.focus()
    for _ in range(4):
        handle.press("PageDown")
    expect(page.get_by_label("Range by quantiles")).to_have_value("hand")
    url = _settled(page)
    low, high = map(float, re.search(r"range=([\d.]+)\.\.([\d.]+)", url).groups())
    assert float(handle.get_attribute("aria-valuenow")) == pytest.approx(high, rel=1e-3)
    assert low < high
    assert np.abs(_picture(page) - before).sum() > 0
    # `.colour-bar`'s name says the ends.
    assert f"{high:.3g}" in page.locator(".colour-bar").get_attribute("aria-label")


def test_the_residual_is_symmetric_about_0_in_a_map_of_its_own(open_item):
    page = open_item("a1", "?show=residual&gene=LEFT&map=magma", gene="LEFT")
    ends = re.search(r"from (\S+) to (\S+)", page.locator(".colour-bar").get_attribute("aria-label")).groups()
    assert float(ends[0].replace("−", "-")) == -float(ends[1])
    assert "rgb(68, 1, 84)" not in page.locator(".ramp").get_attribute("style")


def test_a_lasso_finds_the_marker_gene_and_saves_what_it_holds(open_item):
    view = (2600.0, 2200.0, 0.12)
    page = open_item("a1", f"?show=measured&gene=FLAT&at={view[0]},{view[1]},{view[2]}", gene="FLAT")
    page.keyboard.press("l")
    box = page.locator(".stage").bounding_box()
    half = COLUMNS // 2 * STEP_PX + STEP_PX / 2
    corners = [(200, 200), (half, 200), (half, HEIGHT - 200), (200, HEIGHT - 200), (200, 220)]
    at = [_place(page, corner, view) for corner in corners]
    page.mouse.move(box["x"] + at[0][0], box["y"] + at[0][1])
    page.mouse.down()
    for x, y in at[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=6)
    page.mouse.up()
    expect(page.locator(".selection-head")).to_contain_text(f"{IN_LEFT.sum()} selected")
    first = page.locator(".markers tbody tr").first
    expect(first).to_contain_text("LEFT")
    with page.expect_download() as saved:
        page.get_by_role("button", name="GeoJSON").click()
    features = json.loads(saved.value.path().read_text())["features"]
    assert len(features) == IN_LEFT.sum()
    first.get_by_role("button").click()
    _drawn(page, "LEFT")
    # The selection is in the address, and comes back from it.
    page.goto(_settled(page))
    expect(page.locator(".selection-head")).to_contain_text(f"{IN_LEFT.sum()} selected")
    page.keyboard.press("Escape")
    expect(page.locator(".selection-head")).to_have_count(0)


def test_keys_alone_step_genes_and_draw_a_polygon(open_item):
    page = open_item("a1", "?show=measured&gene=LEFT&at=2600,2200,0.12", gene="LEFT")
    page.locator(".stage").focus()
    page.keyboard.press("]")
    page.locator(".stage:not([data-gene='LEFT'])").wait_for(state="attached")
    page.keyboard.press("[")
    _drawn(page, "LEFT")
    page.keyboard.press("p")
    for step in (None, "ArrowRight", "ArrowDown"):
        for _ in range(3 if step else 0):
            page.keyboard.press(step)
        page.wait_for_timeout(150)
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator(".selection-head")).to_contain_text("selected")
    page.keyboard.press("2")
    expect(page.locator(".panel")).to_have_count(2)


def test_an_address_restores_the_view_in_its_language(open_item):
    query = "?lang=zh&show=measured,predicted&mode=swipe&swipe=0.30&gene=FLAT&map=magma&alpha=0.5&range=q5-95,log&own=1"
    page = open_item("a1", f"{query}&at=2000,1500,0.25&sel=0:domain", gene="FLAT")
    expect(page.get_by_role("radio", name="滑动对比")).to_be_checked()
    expect(page.get_by_role("radio", name="magma")).to_be_checked()
    expect(page.get_by_role("checkbox", name="对数色标")).to_be_checked()
    expect(page.get_by_role("checkbox", name="各面板使用相同范围")).not_to_be_checked()
    expect(page.get_by_role("slider", name=re.compile("分界"))).to_have_attribute("aria-valuenow", "30")
    expect(page.get_by_label("按分位数设定范围")).to_have_value("5-95")
    expect(page.locator(".selection-head")).to_contain_text(f"已选 {IN_LEFT.sum()} 个")
    words = dict(part.split("=") for part in _settled(page).split("?")[1].split("&"))
    x, y, scale = map(float, words["at"].replace("%2C", ",").split(","))
    assert (x, y, scale) == pytest.approx((2000, 1500, 0.25), abs=1)
    assert words["lang"] == "zh"


def test_the_swipe_divider_moves_by_keys_and_parts_the_layers(open_item):
    page = open_item("a1", "?show=measured,predicted&mode=swipe&gene=LEFT", gene="LEFT")
    divider = page.get_by_role("slider", name=re.compile("Divider"))
    before = _picture(page)
    divider.press("PageUp")
    divider.press("PageUp")
    expect(divider).to_have_attribute("aria-valuenow", "70")
    changed = np.abs(_picture(page) - before).sum(axis=(0, 2)) > 0
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
    picture = _picture(page)
    swatches = [
        np.array(re.findall(r"\d+", row.evaluate("e => getComputedStyle(e).backgroundColor")), int)
        for row in rows.locator(".swatch").all()
    ]
    for i in (40, 45):
        x, y = _place(page, XY[i], view)
        assert np.abs(picture[y, x] - swatches[0 if IN_LEFT[i] else 1]).max() <= 2
    page.get_by_text("Composition", exact=True).click()
    expect(page.locator(".parts-legend li")).to_have_text(["T cell", "B cell"])
    picture = _picture(page)
    # Three quarters T cell from 12 o'clock clockwise: the upper right is T, the upper left B.
    x, y = _place(page, XY[40], view)
    assert IN_LEFT[40]
    assert np.abs(picture[y - 7, x + 7] - picture[y + 7, x + 7]).max() <= 2
    assert np.abs(picture[y - 7, x + 7] - picture[y - 7, x - 7]).max() > 40
    rows.nth(1).get_by_role("button").click()
    expect(page.locator(".selection-head")).to_contain_text(f"{(~IN_LEFT).sum()} selected")


def test_sections_of_a_donor_are_stepped_through_and_fanned_out(open_item):
    page = open_item("a1", "?show=measured&gene=LEFT", gene="LEFT")
    page.get_by_text("All 2 sections").click()
    expect(page.locator(".panel-title")).to_have_text(["a1 · Measured", "a2 · Measured"])
    expect(page.locator(".colour-bar")).to_have_count(2)
    page.keyboard.press(".")
    expect(page.get_by_role("heading", level=1)).to_have_text("a2")
    assert "mode=sections" in _settled(page)


def test_a_figure_holds_shapes_legend_and_scale_bar(open_item):
    page = open_item("a1", "?show=measured,predicted&gene=FLAT", gene="FLAT")
    page.keyboard.press("e")
    files = {}
    for name in ("SVG", "PNG", "CSV", "Page (HTML)", "Vitessce"):
        with page.expect_download() as saved:
            page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()
        files[name] = (saved.value.suggested_filename, saved.value.path().read_bytes())
    svg = files["SVG"][1].decode()
    assert files["SVG"][0] == "a1_FLAT.svg"
    assert svg.count("<circle") == 2 * len(XY)
    for text in ("FLAT, Measured", "FLAT, Predicted", "µm</text>", "not to be trusted", "data:image/jpeg"):
        assert text in svg
    picture = Image.open(io.BytesIO(files["PNG"][1]))
    stage = page.locator(".stage").bounding_box()
    assert picture.width >= 2 * stage["width"]
    assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 100
    assert files["CSV"][1].decode().count("\n") == len(XY) + 1
    assert re.findall(rb"https?://(?!www.w3.org)", files["Page (HTML)"][1]) == []
    assert zipfile.ZipFile(io.BytesIO(files["Vitessce"][1])).testzip() is None
