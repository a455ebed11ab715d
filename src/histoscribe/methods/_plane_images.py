"""Features of tiles at any places of a section, for methods of stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.features import Features
from histoscribe.core.grid import TileGrid
from histoscribe.encoders import encode

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["tile_features"]

_TILE_PX = 224


def tile_features(section: Section, centres_px: np.ndarray, side_um: float, encoder: str) -> np.ndarray:
    """Encode one tile at each place; features are cached by content as all others are.

    Parameters
    ----------
    section
        A section with a slide.
    centres_px
        ``(n, 2)`` x and y, level-0 px; places outside the slide are moved to its edge.
    side_um
        Side of a tile, um.
    encoder
        Registry name.

    Returns
    -------
    ``(n, d)`` float32.
    """
    assert section.slide is not None
    places = np.clip(np.asarray(centres_px, dtype=np.float64), 0.0, np.asarray(section.slide.size, dtype=np.float64))
    table = AnnData(obs=pd.DataFrame(index=pd.RangeIndex(len(places)).astype(str)))
    table.obsm[keys.SPATIAL] = places
    grid = TileGrid(places, (float(side_um),), _TILE_PX, section.mpp, max(section.mpp, side_um / _TILE_PX))
    tiled = section.replace(table=table, grid=grid, whole=None)
    return Features.of(encode(tiled, encoder, show=False).table, encoder).matrix
