"""What tests of the slide's page look at: pixels, places, outlines, the settled address."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from e2e.lattice import COLUMNS, ROWS, SPOT_PX, STEP_PX

if TYPE_CHECKING:
    from playwright.sync_api import Page


def drawn(page: Page, gene: str) -> None:
    """Wait until a gene is on the stage."""
    page.locator(f".stage[data-gene='{gene}']").wait_for(state="attached")
    page.locator(".colour-bar").first.wait_for()


def picture_of(page: Page) -> np.ndarray:
    """Return the stage's pixels, (h, w, 3) int."""
    page.wait_for_timeout(400)  # the last frame after the last movement
    return np.asarray(Image.open(io.BytesIO(page.locator(".stage").screenshot())).convert("RGB")).astype(int)


def place(page: Page, xy, view) -> tuple[int, int]:
    """Where a point of the slide lies on the stage of one panel, CSS px."""
    box = page.locator(".stage").bounding_box()
    cx, cy, scale = view
    return round(box["width"] / 2 + (xy[0] - cx) * scale), round(box["height"] / 2 + (xy[1] - cy) * scale)


def settled(page: Page) -> str:
    """Return the address once it has followed the view."""
    page.wait_for_timeout(500)  # the address follows a moment after the view
    return page.url


def middle_mark(box) -> tuple[float, float]:
    """The mark nearest to a panel's middle: the first view shows all observations, middle on middle."""
    room = 0.06 * (COLUMNS - 1) * STEP_PX + SPOT_PX
    width, height = (COLUMNS - 1) * STEP_PX + 2 * room, (ROWS - 1) * STEP_PX + 2 * room
    scale = min(box["width"] / width, box["height"] / height)
    half = STEP_PX / 2 * scale
    return box["x"] + box["width"] / 2 + half, box["y"] + box["height"] / 2 + half


def outlines(page: Page) -> np.ndarray:
    """Corners of the selection's outline in each panel, relative to it."""
    page.locator("polygon.outline:not(.under)").first.wait_for(state="attached")
    found = page.evaluate(
        "[...document.querySelectorAll('polygon.outline:not(.under)')].map(p => [p.ownerSVGElement.viewBox.baseVal.x,"
        " p.ownerSVGElement.viewBox.baseVal.y, p.getAttribute('points')])"
    )
    return np.array([np.array(re.split(r"[ ,]", text), float).reshape(-1, 2) - (x, y) for x, y, text in found])
