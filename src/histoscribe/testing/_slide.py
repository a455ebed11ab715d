"""An image in memory that offers what every slide backend offers: for tests and generated sections."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import numpy as np

from histoscribe.slide._pyramid import Level, Pyramid

__all__ = ["ArraySlide"]


class ArraySlide(Pyramid):
    """A `PixelSource` over an array.

    Parameters
    ----------
    pixels
        RGB, ``(h, w, 3)`` uint8.
    mpp
        um per px, or None where the image does not say.
    name
        Becomes the name of a path that does not exist: nothing is on disk.

    Examples
    --------
    >>> slide = ArraySlide(np.full((40, 60, 3), 200, dtype=np.uint8), mpp=0.5)
    >>> slide.region(-10, 0, width=20, height=20, out=(10, 10)).padded
    0.5
    """

    backend: ClassVar[str] = "array"

    def __init__(self, pixels: np.ndarray, *, mpp: float | None, name: str = "synthetic") -> None:
        super().__init__(f"{name}.png")
        self.pixels = np.ascontiguousarray(pixels, dtype=np.uint8)
        height, width = self.pixels.shape[:2]
        self.levels = (Level(width, height, 1.0),)
        self._mpp = mpp

    @property
    def mpp(self) -> float | None:
        """Scale, um per px, or None."""
        return self._mpp

    def _read(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        assert level == 0
        return self.pixels[top : top + height, left : left + width]

    def _content_digest(self) -> str:
        return hashlib.sha256(repr(self.pixels.shape).encode() + self.pixels.tobytes()).hexdigest()

    def close(self) -> None:
        """Release nothing: the array belongs to its owner."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.pixels, self._mpp, self.path.stem)


def _again(pixels: np.ndarray, mpp: float | None, name: str) -> ArraySlide:
    return ArraySlide(pixels, mpp=mpp, name=name)
