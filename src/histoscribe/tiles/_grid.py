"""Lay tiles around observations, or on a regular grid over the tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, ScaleError, SlideError
from histoscribe.core.grid import TileGrid
from histoscribe.tiles._section_mask import section_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section

__all__ = ["padded_share", "tile"]


def tile(
    section: Section,
    size_um: float | Sequence[float] = 112.0,
    *,
    tile_px: int = 224,
    step_um: float | None = None,
    read_mpp: float | None = None,
    min_tissue: float = 0.5,
    tissue_filters: Sequence[str] = (),
) -> Section:
    """Put tiles around each observation, or, where there are none, on a grid over the tissue.

    Parameters
    ----------
    section
        A section with a slide.
    size_um
        Side of the tiles, um; several give context. The default, 112, is a Visium spot with its rim and 224 px at
        0.5 um/px.
    tile_px
        Side given to an encoder, px.
    step_um
        Distance of grid points, um; default the smallest side. Ignored where there are observations.
    read_mpp
        Finest detail given to an encoder, um/px; default what the slide has, and not finer than an encoder can see.
    min_tissue
        Share of a grid tile of the smallest side that must be tissue, 0-1.
    tissue_filters
        Names in `FILTERS` that further drop from the tissue; see `tissue_mask`. Ignored where there are observations.

    Returns
    -------
    The section with `grid` set and ``obs["padded_share"]`` (share of the largest tile outside the slide). Grid points
    are named ``x<column>y<row>`` and carry ``obs["array_row"]`` and ``["array_col"]``.

    Raises
    ------
    SlideError
        If there is no slide, or no tissue to lay a grid on.
    ScaleError
        If a size is not a positive number.
    CoordinateError
        If observations lie outside the image.
    """
    if section.slide is None:
        msg = f"section {section.name!r} has no slide, so there is nothing to tile. Read it with its image."
        raise SlideError(msg)
    sides = tuple(float(s) for s in np.atleast_1d(np.asarray(size_um, dtype=float)))
    if not sides or not all(np.isfinite(s) and s > 0 for s in (*sides, step_um or 1.0)) or tile_px < 1:
        what = f"tiles of {list(sides)} um at {tile_px} px, step {step_um} um"
        msg = f"{what} cannot be laid on section {section.name!r}. Give sizes above 0."
        raise ScaleError(msg)
    if not section.n_obs:
        section = _over_tissue(section, min(sides), step_um, min_tissue, tissue_filters)
    _check_inside(section)
    finest = read_mpp or max(section.mpp, min(sides) / tile_px)
    grid = TileGrid(section.xy, sides, tile_px, section.mpp, float(finest))
    table = section.table.copy()
    table.obs[keys.PADDED] = padded_share(section.slide, grid)
    return section.replace(table=table, grid=grid)


def padded_share(slide: PixelSource, grid: TileGrid) -> np.ndarray:
    """Return the ``(n,)`` float32 share of each largest tile that lies outside the slide."""
    half = grid.side_px(max(grid.sides_um)) / 2
    low = np.maximum(grid.centres - half, 0.0)
    high = np.minimum(grid.centres + half, np.asarray(slide.size, dtype=float))
    inside = np.maximum(high - low, 0.0).prod(1) / (2 * half) ** 2
    return (1.0 - inside).astype(np.float32)


def _check_inside(section: Section) -> None:
    assert section.slide is not None
    width, height = section.slide.size
    xy = section.xy
    outside = (xy < 0).any(1) | (xy[:, 0] > width) | (xy[:, 1] > height)
    if outside.any():
        first = section.table.obs_names[outside][0]
        msg = (
            f"{outside.sum()} of {section.n_obs} observations of section {section.name!r} (first: {first}) lie outside "
            f"the {width} x {height} px image. Run `histoscribe check` to see which swap, flip or scale would fit."
        )
        raise CoordinateError(msg)


def _over_tissue(
    section: Section, side_um: float, step_um: float | None, min_tissue: float, filters: Sequence[str]
) -> Section:
    """Make one observation per grid point whose tile is tissue enough."""
    assert section.slide is not None
    step = step_um or side_um
    width, height = (px * section.mpp for px in section.slide.size)
    columns, rows = (int(max(extent - step / 2, 0) // step) + 1 for extent in (width, height))
    row, column = (a.ravel() for a in np.indices((rows, columns)))
    xy = np.stack([column + 0.5, row + 0.5], axis=1) * step / section.mpp
    inside = (xy < np.asarray(section.slide.size)).all(1)
    row, column, xy = row[inside], column[inside], xy[inside]
    # The tile's inscribed disc stands for the tile.
    keep = section_mask(section, filters=filters).share(xy, side_um / 2) >= min_tissue
    if not keep.any():
        msg = (
            f"no tile of {side_um:g} um on section {section.name!r} is at least {min_tissue:.0%} tissue. "
            "Look at the slide, check its um/px, or lower min_tissue."
        )
        raise SlideError(msg)
    row, column, xy = row[keep], column[keep], xy[keep]
    obs = pd.DataFrame({keys.ARRAY_ROW: row, keys.ARRAY_COL: column})
    obs.index = pd.Index([f"x{c}y{r}" for r, c in zip(row, column, strict=True)])
    table = AnnData(obs=obs)
    table.obsm[keys.SPATIAL] = xy
    return section.replace(table=table, pitch_um=float(step), spot_um=None)
