"""`colour`: eight colour statistics of a tile, the control that every image feature has to beat."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image

from histoscribe.core.card import Card
from histoscribe.core.files import digest
from histoscribe.encoders._encoder import Encoder
from histoscribe.tiles._stain import DENSITY, HAEMATOXYLIN

__all__ = ["Colour"]

_CODE_VERSION = "1"
#: Cells along a side of the feature map: as many as the embedded network has.
_CELLS = 7


class Colour(Encoder):
    """Mean and sd of R, G and B, mean haematoxylin, and mean saturation.

    ====== ============================ ======= ==================================================================
    column statistic                    range   definition
    ====== ============================ ======= ==================================================================
    0-2    mean of R, G, B              0-1     pixel / 255
    3-5    sd of R, G, B                0-0.5   population sd of pixel / 255
    6      mean haematoxylin            any     optical density, unmixed (Ruifrok & Johnston 2001), per pixel
    7      mean saturation              0-1     (max - min) / max of R, G, B; 0 for black
    ====== ============================ ======= ==================================================================
    """

    card = Card(
        name="colour",
        summary="Mean and sd of R, G, B, mean haematoxylin and mean saturation: the eight-statistics control.",
        paper="ruifrok-2001",
        control=True,
    )
    dim = 8

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        """Compute the statistics of ``(b, 3, h, w)`` uint8 tiles: ``(b, 8)`` float32."""
        return np.stack([_statistics(tile) for tile in tiles]) if len(tiles) else np.empty((0, self.dim), np.float32)

    def maps(self, tiles: np.ndarray) -> np.ndarray:
        """Compute the statistics in 7 x 7 cells: ``(b, 8, 7, 7)`` float32."""
        edges = np.linspace(0, tiles.shape[-1], _CELLS + 1).astype(int)
        cells = [slice(a, b) for a, b in pairwise(edges)]
        found = [self.encode(tiles[:, :, r, c]) for r in cells for c in cells]
        return np.stack(found, axis=2).reshape(len(tiles), self.dim, _CELLS, _CELLS)

    def fingerprint(self) -> str:
        """Name the definition of the statistics."""
        return digest("colour", _CODE_VERSION)


def _statistics(tile: np.ndarray) -> np.ndarray:
    """``(3, h, w)`` uint8 -> ``(8,)`` float32."""
    # Means, variances and densities depend on a channel's histogram alone, which is exact; Pillow's is the quickest.
    counts = np.array([Image.fromarray(channel).histogram() for channel in tile])  # (3, 256)
    share = counts / counts.sum(1, keepdims=True)
    values = np.arange(256) / 255.0
    mean = share @ values
    sd = np.sqrt(np.maximum(share @ values**2 - mean**2, 0.0))
    haematoxylin = (share @ DENSITY) @ HAEMATOXYLIN
    top, bottom = tile.max(0), tile.min(0)
    saturation = ((top - bottom) / np.maximum(top, 1, dtype=np.float64)).mean()
    return np.array([*mean, *sd, haematoxylin, saturation], dtype=np.float32)
