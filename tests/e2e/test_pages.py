"""The main path of each page, in both languages, with links that restore a view."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from e2e.conftest import ask, until

LANGS = ("en", "zh")
TITLES = {
    "/": ("Slides", "切片"),
    "/predict": ("Predict", "预测"),
    "/jobs": ("Jobs", "任务"),
    "/boards": ("Boards", "榜单"),
    "/papers": ("Papers", "论文"),
    "/datasets": ("Data sets", "数据集"),
}


def switch(page):
    """Go on in the other language."""
    page.get_by_role("button", name=re.compile("切换到中文|Switch to English")).click()


def test_every_part_is_reached_from_the_bar_and_says_its_name_in_both_languages(open_page):
    page, lang = open_page("/"), 0
    for path, titles in TITLES.items():
        page.get_by_role("navigation").get_by_role("link", name=titles[lang], exact=True).click()
        for _ in LANGS:
            expect(page.get_by_role("heading", level=1)).to_have_text(titles[lang])
            expect(page).to_have_title(f"{titles[lang]} · HistoScribe")
            switch(page)
            lang = 1 - lang
        assert page.evaluate("location.pathname") == path
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(TITLES["/papers"][0])


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
def test_home_shows_what_was_given_and_leads_to_it(open_page, studio, lang):
    # What other tests predicted is there, too.
    items = ask(studio, "items")["items"]
    assert len(items) >= 2
    page = open_page("/", lang=lang)
    cards = page.locator(".item-card")
    expect(cards).to_have_count(len(items))
    expect(page.locator(".item-card img")).to_have_count(len(items))
    until(page, "[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    cards.first.get_by_role("link").click()
    assert page.evaluate("location.pathname").startswith("/slide/")


def test_a_board_tells_first_which_controls_win_and_shows_every_record(open_page):
    page = open_page("/boards")
    page.locator('a[href="/boards/her2st-dev"]').click()
    expect(page.locator("main h2").first).to_have_text("Read this first")
    expect(page.locator(".wins").first).to_contain_text("sister-copy")
    rows = page.locator("table").filter(has=page.locator(".row-name")).locator("tbody tr")
    expect(rows.filter(has=page.locator(".control-tag"))).to_have_count(5)
    page.get_by_role("combobox").first.select_option("depth_partial_pcc_gene")
    assert "metric=depth_partial_pcc_gene" in page.url
    again = open_page(page.evaluate("location.pathname + location.search"), lang="zh")
    expect(again.locator("main h2").first).to_have_text("请先阅读")
    expect(again.locator(".wins").first).to_contain_text("sister-copy")
    expect(again.get_by_role("combobox").first).to_have_value("depth_partial_pcc_gene")


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


def test_papers_are_found_filtered_and_restored_from_the_address_in_the_other_language(open_page):
    page = open_page("/papers")
    page.get_by_role("searchbox").fill("BLEEP")
    expect(page.locator(".line").first).to_contain_text("bleep")
    page.get_by_role("searchbox").fill("")
    page.get_by_role("checkbox").check()
    expect(page.locator(".chip")).to_have_count(1)
    page.locator(".facet").first.click()
    expect(page.locator(".chip")).to_have_count(2)
    expect(page.locator("[aria-busy=false]")).to_have_count(1)
    count = re.sub(r"\D", "", page.locator("h2").first.inner_text())
    again = open_page(page.evaluate("location.pathname + location.search"), lang="zh")
    expect(again.locator("h2").first).to_have_text(re.compile(rf"{count}\D*[\u4e00-\u9fff]"))
    expect(again.locator(".chip")).to_have_count(2)
    again.locator(".line a").first.click()
    expect(again.locator(".ladder li")).to_have_count(6)


def test_a_paper_gives_its_bibtex_and_keeps_reported_apart_from_measured(open_page):
    page = open_page("/papers/st-net-2020")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    words = (("Copy BibTeX", "Copied", "Reported", "Measured here"), ("复制 BibTeX", "已复制", "论文报告", "此处测得"))
    for button, said, *columns in words:
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("status").filter(has_text=said)).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()").startswith("@article{st-net-2020")
        page.evaluate("navigator.clipboard.writeText('')")
        for name in columns:
            expect(page.get_by_role("columnheader", name=name)).to_be_visible()
        switch(page)


def test_data_sets_are_listed_and_say_what_they_share_in_both_languages(open_page):
    page = open_page("/datasets", lang="zh")
    page.get_by_role("searchbox").fill("her2")
    page.get_by_role("link", name="HER2ST").click()
    for _ in LANGS:
        expect(page.get_by_role("heading", level=1)).to_have_text("HER2ST")
        expect(page.locator(".facts").first).to_contain_text("CC-BY-4.0")
        switch(page)


def test_an_address_that_is_none_says_so_and_what_to_do(open_page):
    page = open_page("/nowhere")
    expect(page.locator("main")).to_contain_text("There is no such page")
    page.get_by_role("link", name="Go to the slides").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Slides")
