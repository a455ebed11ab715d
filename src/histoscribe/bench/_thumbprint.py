"""Fingerprint of a whole slide: what it looks like from afar, whichever way it lies and however it was compressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from histoscribe.core.pixels import PixelSource

__all__ = ["likeness", "thumbprint"]

_SIDE = 64
_MAX_PX = 512
#: Grey levels (sd, 0-255) below which an image shows nothing.
_FLAT = 1.0


def thumbprint(slide: PixelSource) -> np.ndarray | None:
    """Return the slide squeezed to a 64 x 64 grey square of mean 0 and norm 1, or None where it shows nothing.

    Squeezed, not padded, so that a quarter turn of the slide is one of the square.
    """
    from PIL import Image

    image = Image.fromarray(slide.thumbnail(max_px=_MAX_PX)).convert("L")
    square = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    if square.std() < _FLAT:
        return None
    square = square - square.mean()
    return square / np.linalg.norm(square)


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Return the largest correlation of two thumbprints over the four turns and their mirror images, -1 to 1."""
    ways = [np.rot90(image, turn) for image in (second, second[:, ::-1]) for turn in range(4)]
    return max(float((first * way).sum()) for way in ways)
