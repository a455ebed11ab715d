"""Put a rectangle together from a level's square tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["assemble"]


def assemble(
    get: Callable[[int, int], np.ndarray], *, tile: tuple[int, int], at: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """Read a rectangle that lies inside a level.

    Parameters
    ----------
    get
        (column, row) of a tile to its ``(h, w, 3)`` uint8 pixels; those of the last column and row may be smaller.
    tile
        (width, height) of a whole tile, px.
    at, size
        (left, top) and (width, height) of the rectangle, px.
    """
    (tw, th), (left, top), (width, height) = tile, at, size
    right, bottom = left + width, top + height
    if left // tw == (right - 1) // tw and top // th == (bottom - 1) // th:
        column, row = left // tw, top // th
        return get(column, row)[top - row * th : bottom - row * th, left - column * tw : right - column * tw]
    result = np.empty((height, width, 3), dtype=np.uint8)
    for row in range(top // th, (bottom - 1) // th + 1):
        y0, y1 = max(top, row * th), min(bottom, (row + 1) * th)
        for column in range(left // tw, (right - 1) // tw + 1):
            x0, x1 = max(left, column * tw), min(right, (column + 1) * tw)
            source = get(column, row)[y0 - row * th : y1 - row * th, x0 - column * tw : x1 - column * tw]
            result[y0 - top : y1 - top, x0 - left : x1 - left] = source
    return result
