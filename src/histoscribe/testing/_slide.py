"""An image in memory that offers what every slide backend offers: for tests and generated sections."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from histoscribe.core.pixels import Region

__all__ = ["ArraySlide"]


class ArraySlide:
    """A `PixelSource` over an array.

    Parameters
    ----------
    pixels
        RGB, ``(h, w, 3)`` uint8.
    mpp
        um per px, or None where the image does not say.
    name
        Becomes the name of a path that does not exist: nothing is on disk.
    """

    def __init__(self, pixels: np.ndarray, *, mpp: float | None, name: str = "synthetic") -> None:
        self._pixels = np.ascontiguousarray(pixels, dtype=np.uint8)
        self._mpp = mpp
        self._path = Path(f"{name}.png")

    @property
    def path(self) -> Path:
        """A name for messages; there is no such file."""
        return self._path

    @property
    def pixels(self) -> np.ndarray:
        """``(h, w, 3)`` uint8, the array itself."""
        return self._pixels

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), px."""
        height, width = self._pixels.shape[:2]
        return width, height

    @property
    def mpp(self) -> float | None:
        """Scale, um per px, or None."""
        return self._mpp

    def region(self, x: float, y: float, *, width: float, height: float, out: tuple[int, int]) -> Region:
        """Read a rectangle, level-0 px, antialiased to `out`; the outside repeats the edge and is counted."""
        w, h = self.size
        inside = max(0.0, min(x + width, w) - max(x, 0.0)) * max(0.0, min(y + height, h) - max(y, 0.0))
        # A margin of whole pixels gives the resampling filter its support beyond the rectangle's border.
        margin = int(np.ceil(max(width / out[0], height / out[1]))) + 1
        left, top = int(np.floor(x)) - margin, int(np.floor(y)) - margin
        right, bottom = int(np.ceil(x + width)) + margin, int(np.ceil(y + height)) + margin
        columns = np.clip(np.arange(left, right), 0, w - 1)
        rows = np.clip(np.arange(top, bottom), 0, h - 1)
        crop = Image.fromarray(self._pixels[rows[:, None], columns[None, :]])
        box = (x - left, y - top, x - left + width, y - top + height)
        # Bilinear in Pillow is a triangle filter as wide as the reduction: antialiased, and without ringing.
        pixels = np.asarray(crop.resize(out, Image.Resampling.BILINEAR, box=box))
        return Region(pixels, float(1.0 - inside / (width * height)))

    def thumbnail(self, *, max_px: int) -> np.ndarray:
        """Return the whole image with its longer side at most `max_px`."""
        w, h = self.size
        scale = min(1.0, max_px / max(w, h))
        out = (max(1, round(w * scale)), max(1, round(h * scale)))
        return self.region(0, 0, width=w, height=h, out=out).pixels

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(repr(self._pixels.shape).encode() + self._pixels.tobytes()).hexdigest()

    def digest(self) -> str:
        """SHA-256 of the shape and the pixels."""
        return self._digest

    def close(self) -> None:
        """Nothing to release: the array belongs to its owner."""
