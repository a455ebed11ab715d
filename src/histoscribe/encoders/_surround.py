"""Encode what surrounds each observation: a square of neighbouring tiles, each encoded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.features import Features
from histoscribe.core.grid import TileGrid
from histoscribe.encoders._run import encode

if TYPE_CHECKING:
    from pathlib import Path

    from histoscribe.core.section import Section

__all__ = ["Surround", "encode_surround", "surround_centres"]


@dataclass(frozen=True, eq=False)
class Surround:
    """The k x k tiles around each observation, its own in the middle.

    Attributes
    ----------
    features
        ``(n, k * k, d)`` float32, row by row from the top left; zeros where `inside` is False.
    inside
        ``(n, k * k)`` bool: the tile lies wholly within the slide.
    """

    features: np.ndarray
    inside: np.ndarray


def surround_centres(section: Section, side_um: float, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``(n, k * k, 2)`` centres in level-0 px of abutting tiles, and which lie wholly in the slide."""
    assert section.slide is not None
    side = side_um / section.mpp
    steps = (np.arange(k) - (k - 1) / 2) * side
    y, x = (a.ravel() for a in np.meshgrid(steps, steps, indexing="ij"))
    centres = section.xy[:, None, :] + np.stack([x, y], axis=1)
    # A thousandth of a pixel of tolerance: an observation half a side from the edge is inside.
    low, high = centres - side / 2 + 1e-3, centres + side / 2 - 1e-3
    return centres, ((low >= 0) & (high <= np.asarray(section.slide.size))).all(-1)


def encode_surround(
    section: Section,
    encoder: str,
    *,
    k: int = 5,
    side_um: float | None = None,
    cache: Path | None = None,
    show: bool | None = None,
) -> Surround:
    """Encode the k x k abutting tiles around each observation of a tiled section.

    Tiles at the same place (those of a regular grid whose pitch divides the side) are encoded once; features are cached
    by content as all others are.

    Parameters
    ----------
    section
        A section with a slide and tiles.
    encoder
        Registry name.
    k
        Tiles along a side, odd.
    side_um
        Side of a tile, um; default the section's smallest tile.

    Raises
    ------
    DataError
        If the section has no slide or tiles, or k is even.
    """
    if section.grid is None or section.slide is None or k % 2 == 0:
        lacks = f"k={k} is even" if k % 2 == 0 else "it has no slide or no tiles"
        msg = f"the surroundings of section {section.name!r} cannot be encoded: {lacks}. Tile it, and give an odd k."
        raise DataError(msg)
    undivided = section.undivided()
    if undivided is not None:
        every = encode_surround(undivided, encoder, k=k, side_um=side_um, cache=cache, show=show)
        return Surround(every.features[section.whole.rows], every.inside[section.whole.rows])
    side = min(section.grid.sides_um) if side_um is None else side_um
    centres, inside = surround_centres(section, side, k)
    # To a hundredth of a pixel: places that differ by rounding only are one.
    places, index = np.unique(np.round(centres[inside], 2), axis=0, return_inverse=True)
    if not len(places):
        msg = f"no tile of {side:g} um around section {section.name!r} lies within its slide. Use smaller tiles."
        raise DataError(msg)
    table = AnnData(obs=pd.DataFrame(index=pd.RangeIndex(len(places)).astype(str)))
    table.obsm[keys.SPATIAL] = places
    grid = TileGrid(places, (side,), section.grid.tile_px, section.grid.mpp, section.grid.read_mpp)
    around = section.replace(table=table, grid=grid, name=f"{section.name} ({k} x {k} around)")
    matrix = Features.of(encode(around, encoder, cache=cache, show=show).table, encoder).matrix
    features = np.zeros((*inside.shape, matrix.shape[1]), dtype=np.float32)
    features[inside] = matrix[index.ravel()]
    return Surround(features, inside)
