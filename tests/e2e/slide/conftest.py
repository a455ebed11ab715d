"""A studio on the lattice's items, and a Chromium with WebGL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from e2e.conftest import FLAGS, STATIC, Studio, chromium
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
    """A browser with WebGL in software, so that the layer is drawn on machines without a GPU."""
    with chromium([*(flag for flag in FLAGS if flag != "--disable-gpu"), *GPU_FLAGS]) as started:
        yield started


@pytest.fixture
def open_item(open_page, studio):
    """Open an item's page and wait until its gene, if it has any, is drawn."""

    def open_at(name: str, query: str = "", *, gene: str = "", **options) -> Page:
        page = open_page(f"/slide/{studio.items[name]}{query}", **options)
        if gene:
            drawn(page, gene)
        return page

    return open_at
