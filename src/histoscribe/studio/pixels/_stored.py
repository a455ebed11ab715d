"""JPEG tiles as a TIFF stores them: the page's tables are spliced in, nothing is decoded."""

from __future__ import annotations

import os
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from histoscribe.core.errors import SlideError
from histoscribe.slide._tiff_level import colour_series

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["StoredJpegs", "StoredLevel"]

_JPEG, _RGB, _YCBCR = 7, 2, 6
#: Adobe's marker says how three channels are meant; the last byte is 0 for RGB and 1 for YCbCr.
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
#: Vendors whose levels are plain TIFF pages: tiles neither overlap nor leave gaps.
_PLAIN = (None, "aperio", "generic-tiff")
#: What the parser raises on damaged bytes; the slide's own backend then says what is wrong.
_DAMAGE = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError, struct.error)


@dataclass(frozen=True, eq=False)
class StoredLevel:
    """Where the tiles of a level lie.

    Attributes
    ----------
    size, tile, grid
        (width, height) of the level and of a tile, px; (columns, rows) of tiles.
    offsets, counts
        ``(n,)`` place and length in bytes of each tile; length 0 where the writer left it out.
    head
        What goes between a tile's start-of-image marker and the rest: colour marker and the page's tables.
    strip_jfif
        True where a tile's own JFIF marker would overrule the colour marker.
    """

    size: tuple[int, int]
    tile: tuple[int, int]
    grid: tuple[int, int]
    offsets: np.ndarray
    counts: np.ndarray
    head: bytes
    strip_jfif: bool


class StoredJpegs:
    """The JPEG tiles of one TIFF, read by place; safe in several threads.

    Use `open`, which says whether a file has such tiles at all.
    """

    def __init__(self, path: Path, levels: tuple[StoredLevel, ...]) -> None:
        self.path = path
        self.levels = levels
        self._lock = threading.Lock()
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    @classmethod
    def open(cls, path: Path) -> StoredJpegs | None:
        """Return the tiles of `path`, or None where it is no TIFF of colour JPEG tiles."""
        import openslide

        try:
            if openslide.OpenSlide.detect_format(str(path)) not in _PLAIN:
                return None
            with tifffile.TiffFile(path) as tiff:
                levels = tuple(_level(series) for series in colour_series(tiff, path).levels)
        except (openslide.OpenSlideError, SlideError, *_DAMAGE):
            return None
        return None if None in levels else cls(path, levels)  # type: ignore[arg-type]

    def tile(self, level: int, column: int, row: int) -> bytes:
        """Return one whole JPEG file; empty where the writer left the tile out. Edge tiles are padded to full size."""
        found = self.levels[level]
        index = row * found.grid[0] + column
        count = int(found.counts[index])
        if not count:
            return b""
        data = self._read(int(found.offsets[index]), count)
        if len(data) < count:
            msg = f"slide {self.path} ends inside tile ({column}, {row}) of level {level}. Copy or download it again."
            raise SlideError(msg)
        body = _without_jfif(data) if found.strip_jfif else data[2:]
        return b"".join((b"\xff\xd8", found.head, body))

    def _read(self, offset: int, count: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file, count, offset)
        with self._lock:  # Windows: one position is shared by all threads
            os.lseek(self._file, offset, os.SEEK_SET)
            return os.read(self._file, count)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        # Items are dropped without being closed.
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)


def _level(series: tifffile.TiffPageSeries) -> StoredLevel | None:
    page: Any = series.keyframe
    plain = page.is_tiled and int(page.compression) == _JPEG and page.samplesperpixel == 3
    plain = plain and int(page.planarconfig) == 1 and page.bitspersample == 8 and len(series.pages) == 1
    if not plain or int(page.photometric) not in {_RGB, _YCBCR}:
        return None
    size, tile = (page.imagewidth, page.imagelength), (page.tilewidth, page.tilelength)
    grid = (-(-size[0] // tile[0]), -(-size[1] // tile[1]))
    one = series.pages[0]
    offsets, counts = np.asarray(one.dataoffsets, dtype=np.int64), np.asarray(one.databytecounts, dtype=np.int64)
    if len(offsets) != grid[0] * grid[1] or len(counts) != len(offsets):
        return None
    rgb = int(page.photometric) == _RGB
    tables = (one.jpegtables or b"\xff\xd8\xff\xd9")[2:-2]
    return StoredLevel(size, tile, grid, offsets, counts, _ADOBE + bytes([not rgb]) + tables, rgb)


def _without_jfif(data: bytes) -> bytes:
    """Return a JPEG without its first two bytes and, where it has one, its JFIF segment."""
    if data[2:4] == b"\xff\xe0":
        return data[4 + struct.unpack_from(">H", data, 4)[0] :]
    return data[2:]
