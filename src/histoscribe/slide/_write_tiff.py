"""Write a pyramidal TIFF that every slide reader opens, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from histoscribe.core.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.core.pixels import PixelSource

__all__ = ["Compression", "write_tiff"]

Compression = Literal["deflate", "jpeg"]

_TILE = 256
#: The coarsest level's longer side is at most this, px: a viewer shows it at once.
_SMALLEST_PX = 1024
#: Files from here on need 64-bit offsets; pixels are counted uncompressed, to be safe.
_BIG = 4_000_000_000
_JPEG_QUALITY = 90


def write_tiff(
    slide: PixelSource, path: Path | str, *, mpp: float | None = None, compression: Compression = "deflate"
) -> Path:
    """Write all pixels of `slide` as a tiled pyramid, atomically.

    Levels are pages of one chain, each half as fine as the one before, and the scale is a resolution in px per cm: the
    layout that OpenSlide, QuPath and tifffile all read. One row of tiles is in memory at a time.

    Parameters
    ----------
    slide
        Where the pixels come from.
    path
        The ``.tif`` to write; an existing file is replaced.
    mpp
        um per level-0 px to state; by default what the slide states, else none.
    compression
        ``"deflate"`` keeps every pixel; ``"jpeg"`` (quality 90) is several times smaller and changes them a little.

    Returns
    -------
    `path`.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written; no half file is left.
    """
    import tifffile

    path = Path(path)
    mpp = slide.mpp if mpp is None else mpp
    width, height = slide.size
    options: dict[str, Any] = {"dtype": np.uint8, "tile": (_TILE, _TILE), "photometric": "rgb", "metadata": None}
    options |= {"compression": compression, "software": "histoscribe"}
    if compression == "jpeg":
        options["compressionargs"] = {"level": _JPEG_QUALITY}
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=width * height * 3 > _BIG) as tiff:
        factor = 1
        while True:
            out = (max(1, width // factor), max(1, height // factor))
            if mpp is not None:
                per_cm = 1e4 / (mpp * factor)
                options |= {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
            tiles = _tiles(slide, factor, out)
            tiff.write(tiles, shape=(out[1], out[0], 3), subfiletype=int(factor > 1), **options)
            if max(out) <= _SMALLEST_PX:
                break
            factor *= 2
    return path


def _tiles(slide: PixelSource, factor: int, out: tuple[int, int]) -> Iterator[np.ndarray]:
    """Yield the tiles of one level, row by row; those at the right and lower edge are filled with white."""
    width, height = out
    for top in range(0, height, _TILE):
        rows = min(_TILE, height - top)
        # The level covers factor times its size: a remainder of less than one of its px at the far edge is left out.
        strip = slide.region(0, top * factor, width=width * factor, height=rows * factor, out=(width, rows)).pixels
        for left in range(0, width, _TILE):
            tile = np.full((_TILE, _TILE, 3), 255, dtype=np.uint8)
            piece = strip[:, left : left + _TILE]
            tile[:rows, : piece.shape[1]] = piece
            yield tile
