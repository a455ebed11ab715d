"""Squares of a slide-level map around observations, cut out only when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

__all__ = ["Crops", "reduced"]


class Crops:
    """A view of ``(n, 1, px, px)`` squares that holds one map: 1,120 px around 13,620 spots would be 17 GB.

    Choosing rows gives crops again; `numpy.asarray` cuts them. What lies outside the map is 0.

    Parameters
    ----------
    plane
        ``(h, w)`` uint8 map.
    centres
        ``(n, 2)`` x and y of the squares' centres, map px.
    px
        Side of a square.
    """

    def __init__(self, plane: np.ndarray, centres: np.ndarray, px: int) -> None:
        self._plane, self._px = plane, px
        self._corner = np.rint(np.asarray(centres) - px / 2).astype(np.int64)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n, 1, px, px)``."""
        return (len(self), 1, self._px, self._px)

    def __len__(self) -> int:
        return len(self._corner)

    def __getitem__(self, rows: Any) -> Crops:
        chosen = object.__new__(Crops)
        chosen._plane, chosen._px, chosen._corner = self._plane, self._px, self._corner[rows]
        return chosen

    # NumPy's own signature, its boolean argument included.
    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:  # noqa: FBT001
        del copy  # always one: the squares overlap
        out = np.zeros(self.shape, dtype=self._plane.dtype)
        height, width = self._plane.shape
        for i, (x, y) in enumerate(self._corner):
            x0, x1, y0, y1 = max(x, 0), min(x + self._px, width), max(y, 0), min(y + self._px, height)
            if x0 < x1 and y0 < y1:
                out[i, 0, y0 - y : y1 - y, x0 - x : x1 - x] = self._plane[y0:y1, x0:x1]
        return out if dtype is None else out.astype(dtype)


def reduced(plane: np.ndarray, factor: int) -> np.ndarray:
    """Average ``(h, w)`` uint8 over squares of `factor` px; what does not fill a square is cut off."""
    if factor == 1:
        return plane
    h, w = (side // factor for side in plane.shape)
    squares = plane[: h * factor, : w * factor].reshape(h, factor, w, factor)
    return np.rint(squares.mean((1, 3), dtype=np.float32)).astype(np.uint8)
