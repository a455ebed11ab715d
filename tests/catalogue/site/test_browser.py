"""The site opened from disk in a headless browser; skipped where there is none."""

import re
import shutil
import subprocess
from urllib.parse import quote

import pytest

from histoscribe.catalogue import Catalogue
from histoscribe.catalogue.index import Index
from histoscribe.catalogue.query import Filters

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture
def dom(tmp_path):
    def load(address):
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=3000",
        ]
        done = subprocess.run(
            [CHROMIUM, *options, "--dump-dom", address], capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout

    return load


def found(dom):
    return int(re.search(r'id="found"[^>]*data-n="(\d+)"', dom).group(1))


def first(dom):
    results = dom.partition('id="results"')[2]
    return re.search(r'href="paper/([a-z0-9-]+)\.html', results).group(1)


@pytest.fixture(scope="module")
def index():
    index = Index.build(Catalogue.load())
    yield index
    index.close()


def test_an_address_restores_search_and_filters_and_both_languages_agree(whole, dom, index):
    start = f"{whole.as_uri()}/index.html#"
    chinese = dom(start + "q=" + quote("空间域") + "&level=1&lang=zh&theme=dark")
    english = dom(start + "q=spatial%20domains&level=1&lang=en")
    wanted = index.count("spatial domains", Filters(kind="paper", has_code=True))
    assert found(chinese) == found(english) == wanted > 10
    assert '<html lang="zh-Hans"' in chinese
    assert 'data-theme="dark"' in chinese
    assert "篇论文" in chinese
    assert 'value="空间域"' not in chinese  # the box's property is set, never its markup
    assert first(english) == first(chinese)


def test_a_name_finds_its_paper_first_as_the_command_does(whole, dom, index):
    query = "triplex"
    wanted = index.search(query, Filters(kind="paper"), limit=1)[0].key
    assert first(dom(f"{whole.as_uri()}/index.html#q={query}")) == wanted


def test_nothing_of_a_hostile_record_runs(few, dom):
    home = dom(f"{few.as_uri()}/index.html#q=alert&lang=%3Cscript%3E&task=%22%3E%3Cimg%20src=x%20onerror=alert(1)%3E")
    page = dom(f"{few.as_uri()}/paper/hostile-2024.html#lang=zh")
    for text in (home, page):
        assert "data-pwned" not in re.match(r".*?<head>", text, flags=re.DOTALL).group()
        assert "<img" not in text
    assert "阅读论文" in page
