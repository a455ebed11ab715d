"""The slide's page at work: genes, ranges, selection, links, keys, sections, exports."""

from __future__ import annotations

import io
import json
import re
import zipfile

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import watch
from e2e.lattice import COLUMNS, HEIGHT, IN_LEFT, STEP_PX, WIDTH, XY
from e2e.slide.look import drawn, middle_mark, picture_of, place, settled


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_main_path_search_a_gene_see_its_trust_point_at_a_mark(open_item, lang):
    words = {
        "en": ("Gene", "Prediction can be trusted", "Prediction is not to be trusted", "Measured", "Predicted"),
        "zh": ("基因", "预测可信", "预测不可信", "实测", "预测"),
    }[lang]
    page = open_item("a1", lang=lang)
    drawn(page, "LEFT")  # the server's first: trusted
    expect(page.locator(".trust")).to_contain_text(words[1])
    expect(page.locator(".panel-title")).to_have_text([words[3], words[4]])
    field = page.get_by_role("combobox", name=words[0])
    field.fill("fla")
    page.get_by_role("option", name=re.compile("FLAT")).wait_for()
    field.press("Enter")
    drawn(page, "FLAT")
    expect(page.locator(".trust")).to_contain_text(words[2])
    assert "gene=FLAT" in settled(page)
    box = page.locator(".panel").first.bounding_box()
    page.mouse.move(*middle_mark(box))
    live = page.locator(".stage [aria-live]")
    expect(live).to_contain_text("FLAT")
    assert re.search(rf"{words[3]} \d", live.text_content())
    assert page.evaluate("document.documentElement.lang") == {"en": "en-GB", "zh": "zh-CN"}[lang]


def test_a_range_set_by_keys_shows_in_legend_address_and_colours(open_item):
    page = open_item("a1", "?show=measured&gene=DEPTH1", gene="DEPTH1")
    before = picture_of(page)
    handle = page.get_by_role("slider", name="Highest colour")
    handle.focus()
    for _ in range(4):
        handle.press("PageDown")
    expect(page.get_by_label("Range by quantiles")).to_have_value("hand")
    url = settled(page)
    low, high = map(float, re.search(r"range=([\d.]+)\.\.([\d.]+)", url).groups())
    assert float(handle.get_attribute("aria-valuenow")) == pytest.approx(high, rel=1e-3)
    assert low < high
    assert np.abs(picture_of(page) - before).sum() > 0
    # `.colour-bar`'s name says the ends.
    assert f"{high:.3g}" in page.locator(".colour-bar").get_attribute("aria-label")


def test_a_lasso_finds_the_marker_gene_and_saves_what_it_holds(open_item):
    view = (2600.0, 2200.0, 0.12)
    page = open_item("a1", f"?show=measured&gene=FLAT&at={view[0]},{view[1]},{view[2]}", gene="FLAT")
    page.keyboard.press("l")
    box = page.locator(".stage").bounding_box()
    half = COLUMNS // 2 * STEP_PX + STEP_PX / 2
    corners = [(200, 200), (half, 200), (half, HEIGHT - 200), (200, HEIGHT - 200), (200, 220)]
    at = [place(page, corner, view) for corner in corners]
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
    drawn(page, "LEFT")
    # The selection is in the address, and comes back from it.
    page.goto(settled(page))
    expect(page.locator(".selection-head")).to_contain_text(f"{IN_LEFT.sum()} selected")
    page.keyboard.press("Escape")
    expect(page.locator(".selection-head")).to_have_count(0)


def test_keys_alone_step_genes_and_draw_a_polygon(open_item):
    page = open_item("a1", "?show=measured&gene=LEFT&at=2600,2200,0.12", gene="LEFT")
    page.locator(".stage").focus()
    page.keyboard.press("]")
    page.locator(".stage:not([data-gene='LEFT'])").wait_for(state="attached")
    page.keyboard.press("[")
    drawn(page, "LEFT")
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
    words = dict(part.split("=") for part in settled(page).split("?")[1].split("&"))
    x, y, scale = map(float, words["at"].replace("%2C", ",").split(","))
    assert (x, y, scale) == pytest.approx((2000, 1500, 0.25), abs=1)
    assert words["lang"] == "zh"


def test_sections_of_a_donor_are_stepped_through_and_fanned_out(open_item):
    page = open_item("a1", "?show=measured&gene=LEFT", gene="LEFT")
    page.get_by_text("All 2 sections").click()
    expect(page.locator(".panel-title")).to_have_text(["a1 · Measured", "a2 · Measured"])
    expect(page.locator(".colour-bar")).to_have_count(2)
    page.keyboard.press(".")
    expect(page.get_by_role("heading", level=1)).to_have_text("a2")
    assert "mode=sections" in settled(page)


def assert_opens_from_disk(page, path) -> None:
    """Open an exported page as a colleague does: tissue, marks in the gene's colours, a gene switch, no error."""
    wrong = []
    watch(page, wrong)
    page.on("request", lambda request: request.url.startswith("http") and wrong.append(request.url))
    page.goto(path.as_uri())
    expect(page.locator("#unit")).to_contain_text("ln(1 + counts")

    def colours() -> list[list[int]]:
        page.wait_for_timeout(300)
        picture = np.asarray(Image.open(io.BytesIO(page.locator("canvas").screenshot())).convert("RGB")).astype(int)
        scale = min(picture.shape[1] / WIDTH, picture.shape[0] / HEIGHT)
        corner = (np.array(picture.shape[1::-1]) - np.array([WIDTH, HEIGHT]) * scale) / 2
        spots = [np.round(corner + XY[i] * scale).astype(int) for i in (40, 45)]
        tissue = np.round(corner + (XY[40] + STEP_PX / 2) * scale).astype(int)
        return [picture[y, x].tolist() for x, y in [*spots, tissue]]

    expect(page.get_by_label("Gene")).to_have_value("FLAT")  # what was on show
    page.get_by_label("Gene").select_option("LEFT")
    page.get_by_label("Layer").select_option("measured")
    page.get_by_label("Opacity").fill("100")
    left, right, tissue = colours()
    assert np.abs(np.subtract(left, (253, 231, 37))).max() < 40  # near the upper end of viridis
    assert np.abs(np.subtract(right, (68, 1, 84))).max() < 40
    assert min(tissue) > 190
    page.get_by_label("Gene").select_option("FLAT")
    assert colours()[:2] != [left, right]
    page.get_by_role("button", name="中文").click()
    expect(page.locator("label[for=gene]")).to_have_text("基因")
    page.close()
    assert wrong == []


def test_a_figure_holds_shapes_legend_and_scale_bar(open_item, tmp_path):
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
    assert len(picture.convert("RGB").resize((300, 200)).getcolors(60_000)) > 100
    assert files["CSV"][1].decode().count("\n") == len(XY) + 1
    assert re.findall(rb"https?://(?!www.w3.org)", files["Page (HTML)"][1]) == []
    (tmp_path / "a1.html").write_bytes(files["Page (HTML)"][1])
    assert_opens_from_disk(page.context.new_page(), tmp_path / "a1.html")
    assert zipfile.ZipFile(io.BytesIO(files["Vitessce"][1])).testzip() is None
