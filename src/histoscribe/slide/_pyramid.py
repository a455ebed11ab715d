"""Pyramid: the arithmetic that every backend shares, from a rectangle of level 0 to antialiased pixels."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from histoscribe.core.errors import SlideError
from histoscribe.core.files import file_digest
from histoscribe.core.pixels import Region

__all__ = ["Level", "Pyramid", "levels_of"]

#: A level may be this much coarser than what is asked for: levels of odd sizes are rounded (2.0001 instead of 2).
_SLACK = 1.01
#: Source pixels that are in memory at once while a large rectangle is reduced: 28 MB, in numpy and in Pillow.
_BAND_PX = 4_000_000


@dataclass(frozen=True)
class Level:
    """One resolution of a slide: size in px, and level-0 px per px of this level."""

    width: int
    height: int
    downsample: float


def levels_of(sizes: list[tuple[int, int]]) -> tuple[Level, ...]:
    """Make levels of (width, height) sizes, level 0 first.

    Writers round the size of a level up or down, so that the ratio of sizes is a little off the true downsample; where
    a whole number explains the sizes, it is taken. At the far side of a large slide this is several px.
    """
    (w0, h0), levels = sizes[0], []
    for w, h in sizes:
        ratio = (w0 / w + h0 / h) / 2
        whole = max(1, round(w0 / w))
        fits = abs(w0 / whole - w) < 1 and abs(h0 / whole - h) < 1
        levels.append(Level(w, h, float(whole) if fits else ratio))
    return tuple(levels)


class Pyramid(ABC):
    """A `PixelSource` over levels of decreasing resolution; a backend says what they are and how to read them.

    A backend sets `levels` when it opens the file and writes `_read`. Slides can be used from several threads, and be
    pickled: the copy opens the file again.

    Attributes
    ----------
    backend
        Registry name.
    levels
        Finest first; ``levels[0]`` is level 0.
    """

    backend: ClassVar[str]
    levels: tuple[Level, ...]

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._lock = threading.RLock()
        self._digest: str | None = None

    @abstractmethod
    def _read(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        """Read a rectangle that lies inside the level, px of that level: ``(height, width, 3)`` uint8."""

    @property
    def path(self) -> Path:
        """The file (or the folder's index file) that holds the pixels."""
        return self._path

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of level 0, px."""
        return self.levels[0].width, self.levels[0].height

    @property
    def mpp(self) -> float | None:
        """Scale that the file states trustworthily, um per level-0 px, or None."""
        return None

    def region(self, x: float, y: float, *, width: float, height: float, out: tuple[int, int]) -> Region:
        """Read a rectangle at any resolution.

        The coarsest level that is fine enough is read and reduced (or, beyond level 0, enlarged) with a bicubic filter
        as wide as the reduction: no aliasing, exact at fractions of a px, and what image networks were trained on
        (a triangle filter blurs enlarged tiles and costs accuracy). Where the rectangle fits the pixels of a level,
        they come back unchanged.

        Parameters
        ----------
        x, y
            Top-left corner, level-0 px; (0, 0) is the corner of the image and (0.5, 0.5) the centre of its first px.
        width, height
            Size, level-0 px.
        out
            (width, height) of the result, px.

        Returns
        -------
        ``(h, w, 3)`` uint8 and the share of the rectangle outside the slide, which repeats the edge.

        Raises
        ------
        SlideError
            If the rectangle is empty or not finite, or the file cannot be decoded there.
        """
        if not (np.isfinite([x, y, width, height]).all() and min(width, height) > 0 and min(out) >= 1):
            what = f"{width:g} x {height:g} px at ({x:g}, {y:g}) into {out} px"
            msg = f"cannot read {what} of slide {self.path}. Give finite places and sizes above 0."
            raise SlideError(msg)
        index = self._level_for(min(width / out[0], height / out[1]))
        level = self.levels[index]
        d = level.downsample
        box = (x / d, y / d, (x + width) / d, (y + height) / d)
        w, h = self.size
        inside = max(0.0, min(x + width, w) - max(x, 0.0)) * max(0.0, min(y + height, h) - max(y, 0.0))
        return Region(self._resampled(index, box, out), float(max(0.0, 1.0 - inside / (width * height))))

    def thumbnail(self, *, max_px: int) -> np.ndarray:
        """Return the whole slide as ``(h, w, 3)`` uint8 whose longer side is at most `max_px`."""
        w, h = self.size
        scale = min(1.0, max_px / max(w, h))
        out = (max(1, round(w * scale)), max(1, round(h * scale)))
        return self.region(0, 0, width=w, height=h, out=out).pixels

    def digest(self) -> str:
        """SHA-256 of the file's content, 64 hex digits; read once and remembered."""
        with self._lock:
            if self._digest is None:
                self._digest = self._content_digest()
            return self._digest

    def _content_digest(self) -> str:
        return file_digest(self.path)

    @abstractmethod
    def close(self) -> None:
        """Release the file and any decoded pixels; a later read opens it again."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,)

    def __repr__(self) -> str:
        w, h = self.size
        mpp = "um/px not stated" if self.mpp is None else f"{self.mpp:.4g} um/px"
        return f"{type(self).__name__}({str(self.path)!r}): {w} x {h} px, {len(self.levels)} levels, {mpp}"

    def _level_for(self, scale: float) -> int:
        """Index of the coarsest level whose downsample does not exceed `scale`."""
        fine_enough = [i for i, level in enumerate(self.levels) if level.downsample <= scale * _SLACK]
        return max(fine_enough, key=lambda i: self.levels[i].downsample, default=0)

    def _resampled(self, index: int, box: tuple[float, float, float, float], out: tuple[int, int]) -> np.ndarray:
        """Resample `box` (px of the level) to `out`, in bands where it is large."""
        x0, y0, x1, y1 = box
        if (x1 - x0, y1 - y0) == out and x0.is_integer() and y0.is_integer():
            return self._padded(index, int(x0), int(y0), out[0], out[1])
        per_row = (x1 - x0) * (y1 - y0) / out[1]  # source px per row of the result
        rows = max(1, int(_BAND_PX / max(per_row, 1.0)))
        if rows >= out[1]:
            return self._resized(index, box, out)
        result = np.empty((out[1], out[0], 3), dtype=np.uint8)
        step = (y1 - y0) / out[1]
        for row in range(0, out[1], rows):
            end = min(row + rows, out[1])
            result[row:end] = self._resized(index, (x0, y0 + row * step, x1, y0 + end * step), (out[0], end - row))
        return result

    def _resized(self, index: int, box: tuple[float, float, float, float], out: tuple[int, int]) -> np.ndarray:
        x0, y0, x1, y1 = box
        # The filter reaches beyond the rectangle by its own width; without these px its border would differ.
        spans = ((x1 - x0) / out[0], (y1 - y0) / out[1])
        reach_x, reach_y = (int(np.ceil(2 * max(1.0, span))) + 1 for span in spans)
        left, top = int(np.floor(x0)) - reach_x, int(np.floor(y0)) - reach_y
        right, bottom = int(np.ceil(x1)) + reach_x, int(np.ceil(y1)) + reach_y
        source = Image.fromarray(self._padded(index, left, top, right - left, bottom - top))
        within = (x0 - left, y0 - top, x1 - left, y1 - top)
        return np.asarray(source.resize(out, Image.Resampling.BICUBIC, box=within))

    def _padded(self, index: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        """Read a rectangle of a level that may reach outside, where the edge is repeated."""
        level = self.levels[index]
        x0, y0 = (min(max(v, 0), n - 1) for v, n in ((left, level.width), (top, level.height)))
        x1 = min(max(left + width, x0 + 1), level.width)
        y1 = min(max(top + height, y0 + 1), level.height)
        pixels = self._read(index, x0, y0, x1 - x0, y1 - y0)
        if (x1 - x0, y1 - y0) == (width, height):
            return np.ascontiguousarray(pixels)
        before = (min(max(y0 - top, 0), height), min(max(x0 - left, 0), width))
        inner = (min(max(y1 - top, 0), height) - before[0], min(max(x1 - left, 0), width) - before[1])
        if min(inner) <= 0:  # wholly outside: nothing but the edge
            columns = np.clip(np.arange(left, left + width), x0, x1 - 1) - x0
            rows = np.clip(np.arange(top, top + height), y0, y1 - 1) - y0
            return pixels[rows[:, None], columns[None, :]]
        return _with_edge(pixels, (height, width), before)


def _with_edge(pixels: np.ndarray, size: tuple[int, int], before: tuple[int, int]) -> np.ndarray:
    """Return `pixels` within a larger ``size`` of (rows, columns), with the edge repeated around.

    Ten times as fast as taking rows and columns by index.
    """
    (h, w), (top, left) = pixels.shape[:2], before
    padded = np.empty((*size, 3), dtype=np.uint8)
    padded[top : top + h, left : left + w] = pixels
    padded[top : top + h, :left] = pixels[:, :1]
    padded[top : top + h, left + w :] = pixels[:, -1:]
    padded[:top] = padded[top]
    padded[top + h :] = padded[top + h - 1]
    return padded
