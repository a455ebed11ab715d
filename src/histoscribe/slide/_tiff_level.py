"""One level of a TIFF: where its tiles are in the file and how they are decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.errors import SlideError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import tifffile

__all__ = ["TiffLevel", "colour_series"]

_GREY, _RGB, _YCBCR = 1, 2, 6  # PhotometricInterpretation
_SEPARATE = 2  # PlanarConfiguration: each channel in tiles of its own


@dataclass(frozen=True)
class _Plane:
    """Tiles of one channel, or of all where they are interleaved."""

    offsets: np.ndarray
    counts: np.ndarray
    tables: bytes | None
    decode: Callable[..., Any]

    def tile(self, read: Callable[[int, int], bytes], index: int, shape: tuple[int, int, int]) -> np.ndarray:
        """Decode tile `index` to ``(h, w, samples)``; a tile that was left out is white and of `shape`."""
        if not self.counts[index]:
            return np.full(shape, 255, dtype=np.uint8)
        data = read(int(self.offsets[index]), int(self.counts[index]))
        return self.decode(data, index, jpegtables=self.tables)[0][0]  # (depth 1, h, w, samples)


@dataclass(frozen=True)
class TiffLevel:
    """One level.

    Attributes
    ----------
    size, tile, grid
        (width, height) of the level and of a tile in px, and (columns, rows) of tiles. A strip is a tile as wide as
        the level.
    tiled
        False for strips.
    planes
        One where channels are interleaved, three where they lie apart.
    """

    size: tuple[int, int]
    tile: tuple[int, int]
    grid: tuple[int, int]
    tiled: bool
    samples: int
    planes: tuple[_Plane, ...]

    @classmethod
    def of(cls, series: tifffile.TiffPageSeries, path: Path) -> TiffLevel:
        """Read what is needed of a level, so that the file can be closed."""
        page = series.keyframe
        if int(page.photometric) not in {_GREY, _RGB, _YCBCR}:
            msg = f"slide {path} stores colours as {page.photometric!s}. Convert it to RGB."
            raise SlideError(msg)
        size = (page.imagewidth, page.imagelength)
        tile = (page.tilewidth, page.tilelength) if page.is_tiled else (size[0], min(page.rowsperstrip, size[1]))
        grid = (-(-size[0] // tile[0]), -(-size[1] // tile[1]))
        planes = tuple(p for one in series.pages for p in _planes(one, page, n=grid[0] * grid[1]))
        samples = page.samplesperpixel if int(page.planarconfig) != _SEPARATE else 1
        return cls(size, tile, grid, page.is_tiled, samples, planes)

    @property
    def end(self) -> int:
        """Bytes that the file must at least have."""
        return max(int((p.offsets + p.counts).max()) for p in self.planes)

    def decode(self, read: Callable[[int, int], bytes], column: int, row: int) -> np.ndarray:
        """Decode a tile or strip to ``(h, w, channels)``, `read` giving bytes at (offset, count)."""
        index = row * self.grid[0] + column
        shape = (self.tile[1], self.tile[0], self.samples)
        found = [plane.tile(read, index, shape) for plane in self.planes]
        return found[0] if len(found) == 1 else np.concatenate(found, axis=2)


def _planes(one: Any, page: tifffile.TiffPage, *, n: int) -> list[_Plane]:
    offsets = np.asarray(one.dataoffsets, dtype=np.int64)
    counts = np.asarray(one.databytecounts, dtype=np.int64)
    n_planes = page.samplesperpixel if int(page.planarconfig) == _SEPARATE else 1
    if len(offsets) != n * n_planes or len(counts) != len(offsets):
        msg = f"{len(offsets)} places of tiles for {n * n_planes} tiles"
        raise ValueError(msg)
    parts = (slice(i * n, (i + 1) * n) for i in range(n_planes))
    return [_Plane(offsets[part], counts[part], one.jpegtables, page.decode) for part in parts]


def colour_series(tiff: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """Choose the largest image of a TIFF that is one plane of colours (not a stack, not fluorescence).

    Raises
    ------
    SlideError
        If there is none.
    ValueError
        If there is nothing at all: the file is damaged.
    """
    if not tiff.series:
        msg = "there is no image in it"
        raise ValueError(msg)
    usable = [series for series in tiff.series if _is_colour(series)]
    if not usable:
        found = ", ".join(f"{s.axes} {tuple(s.shape)} {s.dtype}" for s in tiff.series[:3]) or "no image"
        msg = f"slide {path} holds no image in colour ({found}). Give the H&E image, as 8-bit RGB."
        raise SlideError(msg)
    return max(usable, key=lambda s: s.keyframe.imagewidth * s.keyframe.imagelength)


def _is_colour(series: tifffile.TiffPageSeries) -> bool:
    shape = dict(zip(series.axes, series.shape, strict=True))
    channels = shape.pop("S", 1) * shape.pop("C", 1)
    extent = shape.pop("Y", 1) * shape.pop("X", 1)
    one_plane = all(n == 1 for n in shape.values())
    sizes_fit = len(series.pages) in {1, 3} and series.keyframe.imagedepth == 1
    # One channel of 16 bits is fluorescence or a raw camera image; see `to_rgb`.
    stained = series.dtype == np.uint8 or (series.dtype == np.uint16 and channels > 1)
    return one_plane and sizes_fit and extent > 0 and channels in {1, 3, 4} and stained
