"""A studio on the lattice's items, and a Chromium with WebGL that keeps its profiles from test to test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from e2e.conftest import FLAGS, STATIC, WAIT_MS, Studio, unexpected, watch
from e2e.lattice import serving, write_items
from e2e.slide.look import drawn
from e2e.slide.stack import write_stack_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

#: WebGL in software; the rest of the page is drawn without it, as a browser without a GPU does.
GPU_FLAGS = (
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
    *("--disable-gpu-rasterization", "--disable-gpu-compositing"),
)


@pytest.fixture(scope="package")
def studio(tmp_path_factory) -> Iterator[Studio]:
    """Serve what `lattice` and `stack` make."""
    if not STATIC.is_file():
        pytest.skip("the studio's page is not built (cd web && npm ci && npm run build)")
    folder = tmp_path_factory.mktemp("slide")
    with serving([*write_items(folder), str(write_stack_folder(folder))], folder) as (url, items):
        yield Studio(url, folder, items)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with WebGL in software, so that the layer is drawn on machines without a GPU."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    api.expect.set_options(timeout=WAIT_MS)
    # Ended with each module, as the browser without WebGL: two cannot be open in one process.
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
            drawn(page, gene)
        return page

    return open_at
