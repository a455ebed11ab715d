"""TIFF tile by tile: generic tiled TIFF, SubIFD pyramids and OME-TIFF, of which OpenSlide sees one level."""

from __future__ import annotations

import logging
import struct
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import tifffile

from histoscribe.core.errors import SlideError
from histoscribe.slide._cache import TileCache
from histoscribe.slide._pyramid import Pyramid, levels_of
from histoscribe.slide._rgb import to_rgb
from histoscribe.slide._segments import assemble
from histoscribe.slide._tiff_level import TiffLevel, colour_series
from histoscribe.slide._tiff_scale import tiff_mpp

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["TiffSlide", "hidden_levels"]

# tifffile logs what it finds odd in a file; what matters of it becomes a SlideError here.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
#: What the parser and the codecs raise on damaged bytes; found by changing bytes of whole files at random.
_DAMAGE = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError, struct.error)


class TiffSlide(Pyramid):
    """A TIFF whose tiles are decoded as they are needed; a TIFF of strips is decoded once, level by level.

    Scale from OME-XML, else from a resolution in cm where that is plausible. A resolution in inches is what programs
    write that know nothing of scale (72 dpi), and is not believed. Tiles that a writer left out are white.
    """

    backend = "tiff"

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._file: BinaryIO | None = None
        self._cache = TileCache()
        self._whole: dict[int, np.ndarray] = {}
        try:
            with tifffile.TiffFile(self.path) as tiff:
                series = colour_series(tiff, self.path)
                self._mpp = tiff_mpp(tiff, series)
                self._levels = [TiffLevel.of(level, self.path) for level in series.levels]
        except _DAMAGE as err:
            msg = f"slide {self.path} is damaged or truncated: {_said(err)}. Copy or download it again."
            raise SlideError(msg) from err
        self._check_length()
        self.levels = levels_of([level.size for level in self._levels])

    @property
    def mpp(self) -> float | None:
        """Scale from OME-XML or a plausible resolution in cm, um per level-0 px, or None."""
        return self._mpp

    def _check_length(self) -> None:
        needed, size = max(level.end for level in self._levels), self.path.stat().st_size
        if needed > size:
            msg = f"slide {self.path} is truncated: {size:,} of at least {needed:,} bytes. Copy or download it again."
            raise SlideError(msg)

    def _read(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        if not self._levels[level].tiled:
            return self._decode_whole(level)[top : top + height, left : left + width]

        def get(column: int, row: int) -> np.ndarray:
            return self._cache.get((level, column, row), lambda: self._decode(level, column, row))

        return assemble(get, tile=self._levels[level].tile, at=(left, top), size=(width, height))

    def _decode_whole(self, level: int) -> np.ndarray:
        with self._lock:
            if level not in self._whole:
                found = self._levels[level]
                pixels = np.empty((found.size[1], found.size[0], 3), dtype=np.uint8)
                for row in range(found.grid[1]):
                    strip = self._decode(level, 0, row)
                    top = row * found.tile[1]
                    pixels[top : top + found.tile[1]] = strip[: len(pixels) - top]
                self._whole[level] = pixels
            return self._whole[level]

    def _decode(self, level: int, column: int, row: int) -> np.ndarray:
        """Decode one tile or strip: ``(h, w, 3)`` uint8."""
        where = f"slide {self.path}, level {level}, tile ({column}, {row})"
        try:
            pixels = self._levels[level].decode(self._bytes, column, row)
        except _DAMAGE as err:
            msg = f"{where} is damaged: {_said(err)}. Copy or download the file again."
            raise SlideError(msg) from err
        return to_rgb(pixels, where=where)

    def _bytes(self, offset: int, count: int) -> bytes:
        with self._lock:
            if self._file is None:
                self._file = self.path.open("rb")
            self._file.seek(offset)
            found = self._file.read(count)
        if len(found) < count:
            msg = f"it ends {count - len(found)} bytes early"
            raise ValueError(msg)
        return found

    def close(self) -> None:
        """Close the file and drop decoded pixels; a later read opens it again."""
        with self._lock:
            file, self._file = self._file, None
            self._whole.clear()
        self._cache.clear()
        if file is not None:
            file.close()

    def __del__(self) -> None:
        # Sections are dropped without being closed; the file must not wait for it with a warning.
        if (file := getattr(self, "_file", None)) is not None:
            file.close()


def hidden_levels(path: Path) -> bool:
    """True where OpenSlide sees one level of a TIFF and tifffile sees more."""
    import openslide

    try:
        with openslide.OpenSlide(str(path)) as slide:
            if slide.level_count > 1:
                return False
        with tifffile.TiffFile(path) as tiff:
            return len(tiff.series[0].levels) > 1
    except (openslide.OpenSlideError, *_DAMAGE):
        return False  # the backend that opens it says what is wrong


def _said(err: BaseException) -> Any:
    """Return the first line of an error's text: those of the codecs run over several."""
    return (str(err).strip() or type(err).__name__).splitlines()[0].rstrip(".")
