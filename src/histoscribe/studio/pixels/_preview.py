"""Preview: the coarse levels of a flat JPEG, decoded at an eighth of its size, before its pyramid is built."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from histoscribe.slide._codecs import kind_of
from histoscribe.studio.pixels._built import encode, padded

if TYPE_CHECKING:
    from histoscribe.slide import Pyramid
    from histoscribe.studio.pixels._tiles import TileLevel

__all__ = ["Preview"]

#: libjpeg leaves out the high frequencies: a sixteenth of the work beyond Huffman decoding, 0.25 s for 92 Mpx.
_SCALE = 8


class Preview:
    """A flat image at an eighth of its size; of use only where the file is JPEG."""

    def __init__(self, slide: Pyramid) -> None:
        self._slide, self._lock = slide, threading.Lock()
        self._pixels: np.ndarray | None = None
        with slide.path.open("rb") as file:
            self._jpeg = kind_of(file.read(12)) == "JPEG"

    def covers(self, downsample: float) -> bool:
        """Say whether a level is coarse enough to be cut from the preview."""
        return self._jpeg and downsample >= _SCALE

    def tile(self, level: TileLevel, column: int, row: int) -> bytes:
        """Return a tile of a level that `covers` allows, as JPEG."""
        image, w, h = self._reduced(level.downsample), level.tile_width, level.tile_height
        return encode(padded(image[row * h : (row + 1) * h, column * w : (column + 1) * w], w, h))

    def thumbnail(self, max_px: int) -> np.ndarray | None:
        """Return the whole image no larger than `max_px`, or None where the preview is too small for that."""
        size = self._slide.size
        if not self._jpeg or max_px > max(size) / _SCALE:
            return None
        image = Image.fromarray(self._decoded())
        image.thumbnail((max_px, max_px), Image.Resampling.BICUBIC)
        return np.asarray(image)

    def _reduced(self, downsample: float) -> np.ndarray:
        factor = round(downsample / _SCALE)
        pixels = self._decoded()
        return pixels if factor == 1 else np.asarray(Image.fromarray(pixels).reduce(factor))

    def _decoded(self) -> np.ndarray:
        with self._lock:
            if self._pixels is None:
                # The class, not Image.open: its guard refuses more than 179 Mpx, and such slides are what we are for.
                with JpegImageFile(self._slide.path) as image:
                    image.draft("RGB", tuple(n // _SCALE for n in self._slide.size))
                    self._pixels = np.asarray(image.convert("RGB"))
            return self._pixels
