"""The main path of each page, in both languages, with links that restore a view."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from e2e.conftest import until

LANGS = ("en", "zh")
TITLES = {
    "/": ("Slides", "切片"),
    "/predict": ("Predict", "预测"),
    "/jobs": ("Jobs", "任务"),
    "/boards": ("Boards", "榜单"),
    "/papers": ("Papers", "论文"),
    "/datasets": ("Data sets", "数据集"),
}


@pytest.mark.parametrize("lang", LANGS)
def test_every_part_is_reached_from_the_bar_and_says_its_name(open_page, lang):
    page = open_page("/", lang=lang)
    for path, titles in TITLES.items():
        name = titles[LANGS.index(lang)]
        page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        expect(page).to_have_title(f"{name} · HistoScribe")
        assert page.evaluate("location.pathname") == path
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES["/papers"][LANGS.index(lang)])


def test_the_language_switches_in_place_and_is_remembered(open_page):
    page = open_page("/papers?query=graph")
    expect(page.get_by_role("heading", level=1)).to_have_text("Papers")
    page.get_by_role("button", name="切换到中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("论文")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    expect(page.get_by_role("searchbox")).to_have_value("graph")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("论文")


def test_the_theme_follows_the_system_until_it_is_chosen(open_page):
    page = open_page("/jobs", theme="dark")
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.get_by_role("button", name="Switch to light").click()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != dark
    page.reload()
    expect(page.get_by_role("button", name="Switch to dark")).to_be_visible()


@pytest.mark.parametrize("lang", LANGS)
def test_home_shows_what_was_given_and_leads_to_it(open_page, lang):
    page = open_page("/", lang=lang)
    cards = page.locator(".item-card")
    expect(cards).to_have_count(2)
    expect(page.locator(".item-card img")).to_have_count(2)
    until(page, "[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    cards.first.get_by_role("link").click()
    assert page.evaluate("location.pathname").startswith("/slide/")


@pytest.mark.parametrize("lang", LANGS)
def test_a_board_tells_first_which_controls_win_and_shows_every_record(open_page, lang):
    page = open_page("/boards", lang=lang)
    page.locator('a[href="/boards/her2st-dev"]').click()
    first = page.locator("main h2").first
    expect(first).to_have_text({"en": "Read this first", "zh": "请先阅读"}[lang])
    expect(page.locator(".wins").first).to_contain_text("sister-copy")
    rows = page.locator("table").filter(has=page.locator(".row-name")).locator("tbody tr")
    expect(rows.filter(has=page.locator(".control-tag"))).to_have_count(5)
    page.get_by_role("combobox").first.select_option("depth_partial_pcc_gene")
    assert "metric=depth_partial_pcc_gene" in page.url
    page.reload()
    expect(page.get_by_role("combobox").first).to_have_value("depth_partial_pcc_gene")


def test_a_table_of_scores_sorts_both_ways_by_keyboard(open_page):
    page = open_page("/boards/her2st-dev")
    heading = page.get_by_role("columnheader", name="pcc_gene ↑", exact=True)
    column = page.locator("table").filter(has=page.locator(".row-name"))
    heading.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")
    best = column.locator("tbody th").first.inner_text()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert column.locator("tbody th").first.inner_text() != best


@pytest.mark.parametrize("lang", LANGS)
def test_papers_are_found_filtered_and_restored_from_the_address(open_page, lang):
    page = open_page("/papers", lang=lang)
    page.get_by_role("searchbox").fill("BLEEP")
    expect(page.locator(".line").first).to_contain_text("bleep")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("checkbox").check()
    expect(page.locator(".chip")).to_have_count(1)
    page.locator(".facet").first.click()
    expect(page.locator(".chip")).to_have_count(2)
    expect(page.locator("[aria-busy=false]")).to_have_count(1)
    count = page.locator("h2").first.inner_text()
    again = open_page(page.evaluate("location.pathname + location.search"), lang=lang)
    expect(again.locator("h2").first).to_have_text(count)
    again.locator(".line a").first.click()
    expect(again.locator(".ladder li")).to_have_count(6)


@pytest.mark.parametrize("lang", LANGS)
def test_a_paper_gives_its_bibtex_and_keeps_reported_apart_from_measured(open_page, lang):
    page = open_page("/papers/st-net-2020", lang=lang)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name={"en": "Copy BibTeX", "zh": "复制 BibTeX"}[lang]).click()
    expect(page.get_by_role("status")).to_have_text({"en": "Copied", "zh": "已复制"}[lang])
    assert page.evaluate("navigator.clipboard.readText()").startswith("@article{st-net-2020")
    for name in {"en": ("Reported", "Measured here"), "zh": ("论文报告", "此处测得")}[lang]:
        expect(page.get_by_role("columnheader", name=name)).to_be_visible()


@pytest.mark.parametrize("lang", LANGS)
def test_data_sets_are_listed_and_say_what_they_share(open_page, lang):
    page = open_page("/datasets", lang=lang)
    page.get_by_role("searchbox").fill("her2")
    page.get_by_role("link", name="HER2ST").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("HER2ST")
    expect(page.locator(".facts").first).to_contain_text("CC-BY-4.0")


def test_an_address_that_is_none_says_so_and_what_to_do(open_page):
    page = open_page("/nowhere")
    expect(page.locator("main")).to_contain_text("There is no such page")
    page.get_by_role("link", name="Go to the slides").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Slides")
