"""A pyramid for images that have none: a JPEG-tiled TIFF in the cache, made once, from which tiles are passed through.

It is for looking only (JPEG, quality 88); everything that computes reads the image itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from PIL import Image

from histoscribe.core.files import atomic_path, cache_dir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.core.pixels import PixelSource

__all__ = ["TILE", "build", "built_path", "encode", "halved", "padded"]

TILE = 512
_QUALITY = 88
#: All pyramids together; the oldest go first.
_MAX_BYTES = 4_000_000_000


def halved(size: tuple[int, int], *, largest: int = TILE) -> list[tuple[int, int]]:
    """Return `size` and its halves, rounded up, until the longer side is at most `largest`."""
    sizes = [size]
    while max(sizes[-1]) > largest:
        w, h = sizes[-1]
        sizes.append((-(-w // 2), -(-h // 2)))
    return sizes


def built_path(key: str) -> Path:
    """Return the file of the pyramid called `key`."""
    return cache_dir() / "studio" / "pyramids" / f"{key}.tif"


def build(slide: PixelSource, path: Path, *, of: tuple[int, int], full: bool) -> None:
    """Write the pyramid below a size, atomically; one row of tiles of each level is in memory at a time.

    Parameters
    ----------
    slide
        Where the pixels come from.
    path
        The TIFF.
    of
        (width, height) in px at which the slide is read: its own size, or that of its coarsest level.
    full
        Whether `of` itself becomes the first level, or the first half of it.
    """
    import tifffile

    sizes = halved(of)
    rows: list[list[bytes]] = [[] for _ in sizes]
    waiting: list[np.ndarray | None] = [None for _ in sizes]

    def push(level: int, pixels: np.ndarray, *, last: bool) -> None:
        have = pixels if waiting[level] is None else np.concatenate([waiting[level], pixels])
        while len(have) >= TILE or (last and len(have)):
            band, have = have[:TILE], have[TILE:]
            if full or level:
                rows[level].extend(encode(tile) for tile in _across(band))
            if level + 1 < len(sizes):
                push(level + 1, np.asarray(Image.fromarray(band).reduce(2)), last=last and not len(have))
        waiting[level] = have if len(have) else None

    for top, pixels in _bands(slide, of):
        push(0, pixels, last=top + len(pixels) >= of[1])
    _make_room(path.parent)
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=True) as tiff:
        for level, (w, h) in enumerate(sizes):
            if rows[level]:
                tiff.write(
                    iter(rows[level]),
                    shape=(h, w, 3),
                    dtype=np.uint8,
                    tile=(TILE, TILE),
                    photometric="ycbcr",
                    subsampling=(2, 2),
                    compression="jpeg",
                    subfiletype=int(level > (not full)),
                    metadata=None,
                )


def encode(pixels: np.ndarray) -> bytes:
    """Return ``(h, w, 3)`` uint8 as JPEG."""
    return imagecodecs.jpeg8_encode(np.ascontiguousarray(pixels), level=_QUALITY, subsampling="420")


def padded(pixels: np.ndarray, width: int = TILE, height: int = TILE) -> np.ndarray:
    """Return pixels grown to a full tile by repeating the last row and column: sharp edges would bleed in JPEG."""
    h, w = pixels.shape[:2]
    if (h, w) == (height, width):
        return pixels
    return np.pad(pixels, ((0, height - h), (0, width - w), (0, 0)), mode="edge")


def _across(band: np.ndarray) -> Iterator[np.ndarray]:
    for left in range(0, band.shape[1], TILE):
        yield padded(band[:, left : left + TILE])


def _bands(slide: PixelSource, of: tuple[int, int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield top row and pixels of each band of the slide at size `of`."""
    (w, h), (width, height) = of, slide.size
    for top in range(0, h, TILE):
        rows = min(TILE, h - top)
        # The last band ends with the slide, whatever the rounding of a coarser level's size.
        low, high = top * height / h, (top + rows) * height / h
        yield top, slide.region(0, low, width=width, height=high - low, out=(w, rows)).pixels


def _make_room(folder: Path) -> None:
    if not folder.is_dir():
        return
    found = sorted((p.stat().st_mtime, p.stat().st_size, p) for p in folder.glob("*.tif"))
    total = sum(size for _, size, _ in found)
    for _, size, old in found:
        if total <= _MAX_BYTES:
            return
        old.unlink(missing_ok=True)
        total -= size
