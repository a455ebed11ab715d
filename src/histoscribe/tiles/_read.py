"""Read tiles as the encoders want them: uint8 batches of one side in um."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from histoscribe.core.grid import TileGrid
    from histoscribe.core.pixels import PixelSource

__all__ = ["read_tiles"]

#: A slide this little finer than the resolution asked for is not reduced first: sections of one scanner differ by as
#: much, and a second interpolation would blur them for nothing.
_SLACK = 1.1


def read_tiles(
    slide: PixelSource, grid: TileGrid, side_um: float, rows: slice | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Read the tiles of one side around some of a grid's centres.

    Where the slide is finer than ``grid.read_mpp``, a tile is read at that resolution first and then enlarged, so that
    it shows no more detail than the training slides had.

    Parameters
    ----------
    slide
        Pixels.
    grid
        Tiles.
    side_um
        One of ``grid.sides_um``.
    rows
        Which centres.

    Returns
    -------
    ``(b, 3, tile_px, tile_px)`` uint8 RGB, and ``(b,)`` float32 shares outside the slide.
    """
    side, px = grid.side_px(side_um), grid.tile_px
    read_px = grid.read_px(side_um) if grid.mpp * _SLACK < grid.read_mpp else px
    centres = grid.centres[rows]
    tiles = np.empty((len(centres), 3, px, px), dtype=np.uint8)
    padded = np.empty(len(centres), dtype=np.float32)
    for i, (x, y) in enumerate(centres):
        region = slide.region(x - side / 2, y - side / 2, width=side, height=side, out=(read_px, read_px))
        pixels = region.pixels
        if read_px != px:
            pixels = np.asarray(Image.fromarray(pixels).resize((px, px), Image.Resampling.BICUBIC))
        tiles[i] = pixels.transpose(2, 0, 1)
        padded[i] = region.padded
    return tiles, padded
