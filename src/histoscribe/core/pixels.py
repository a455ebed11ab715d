"""PixelSource: what every slide backend offers, and all that the rest of the package knows of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

__all__ = ["PixelSource", "Region"]


@dataclass(frozen=True)
class Region:
    """Pixels of one rectangle.

    Attributes
    ----------
    pixels
        RGB, ``(h, w, 3)`` uint8.
    padded
        Share of the rectangle that lay outside the slide and was filled, 0-1.
    """

    pixels: np.ndarray
    padded: float


@runtime_checkable
class PixelSource(Protocol):
    """An image file that gives a rectangle at any resolution.

    Level-0 coordinates are continuous: (0, 0) is the top-left corner of the image and (0.5, 0.5) the centre of its
    first pixel; x runs right, y down.
    """

    @property
    def path(self) -> Path:
        """The file (or the folder's index file) that holds the pixels."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of level 0, px."""
        ...

    @property
    def mpp(self) -> float | None:
        """Scale that the file states trustworthily, um per level-0 px, or None."""
        ...

    def region(self, x: float, y: float, *, width: float, height: float, out: tuple[int, int]) -> Region:
        """Read the rectangle with top-left corner (x, y) and given size, all in level-0 px.

        `out` is (width, height) of the result in px. Downsampling is antialiased; what lies outside the slide is
        filled by repeating the edge and counted in `Region.padded`.
        """
        ...

    def thumbnail(self, *, max_px: int) -> np.ndarray:
        """Return the whole slide as ``(h, w, 3)`` uint8 whose longer side is at most `max_px`."""
        ...

    def digest(self) -> str:
        """SHA-256 of the file's content (hex), remembered for one open slide."""
        ...

    def close(self) -> None:
        """Release the file and any decoded pixels."""
        ...
