"""wsidata: tiles and features of a LazySlide user's object as a section, and results back into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, ScaleError
from histoscribe.core.features import Features, FeatureSpec
from histoscribe.core.files import digest
from histoscribe.core.grid import TileGrid
from histoscribe.core.section import Origin, Section
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import open_image
from histoscribe.io._table_names import allow_names
from histoscribe.io._tile_files import SIDE_TOLERANCE
from histoscribe.io.spatialdata_write import need_spatialdata

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["from_wsidata", "to_wsidata"]

#: obs column of wsidata's tables, and column of its tiles, that name a tile.
_TILE_ID = "tile_id"


def from_wsidata(
    wsi: Any,
    *,
    tile_key: str = "tiles",
    slide: Path | str | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Turn a WSIData object into a section whose observations are its tiles.

    Written for wsidata 0.12. Of the object only ``properties.mpp``, ``properties.shape``, ``reader.file``, ``shapes``,
    ``tables`` and ``tile_spec(key)`` are used, so that wsidata itself is not imported.

    Parameters
    ----------
    wsi
        ``wsidata.open_wsi(...)`` after ``lazyslide.pp.tile_tissues``.
    tile_key
        Which tiles.
    slide
        The slide's file; by default the one that the object reads.
    name, donor, species
        Names; both names default to the slide's.
    mpp
        um per level-0 px; by default the object's.

    Returns
    -------
    A section without counts, with `grid` set, and with ``obsm["X_<model>"]`` for each table ``"<model>_<tile_key>"``.

    Raises
    ------
    DataError
        If there are no such tiles, or a table of features does not cover them.
    ScaleError
        If tiles are not squares of one size, or there is no um/px.
    CoordinateError
        If the slide has another size than the object says.
    """
    if tile_key not in wsi.shapes:
        have = ", ".join(wsi.shapes) or "none"
        msg = f"the WSIData object has no tiles {tile_key!r} (it has {have}). Make them, or give tile_key=."
        raise DataError(msg)
    file = slide or getattr(wsi.reader, "file", None)
    opened = None if file is None else open_image(file, where="the WSIData object")
    name = name or (opened.path.name.split(".")[0] if opened is not None else "wsidata")
    where = f"section {name!r}"
    height, width = (int(n) for n in wsi.properties.shape)
    if opened is not None and opened.size != (width, height):
        msg = (
            f"{where}: {opened.path} has {opened.size} px, but the object's slide {(width, height)}. Give slide=<file>."
        )
        raise CoordinateError(msg)
    stated = wsi.properties.mpp if mpp is None else mpp
    mpp = check_mpp(stated, where=where, remedy="Give mpp=<um per px>, or call wsi.set_mpp.")
    shapes = wsi.shapes[tile_key]
    grid = _grid(shapes.bounds.to_numpy(dtype=np.float64), wsi.tile_spec(tile_key), mpp, where)
    ids = shapes[_TILE_ID] if _TILE_ID in shapes else pd.Series(shapes.index, index=shapes.index)
    obs = shapes.drop(columns=[c for c in ("geometry", "x", "y") if c in shapes])
    obs.index = pd.Index(ids.astype(str).to_numpy(), dtype=object)
    table = AnnData(obs=pd.DataFrame(obs))
    table.obsm[keys.SPATIAL] = grid.centres
    table.uns[keys.UNS] = {"notes": [], "donor_stated": donor is not None}
    _attach_features(wsi, table, tile_key, grid, where)
    content = digest(grid.digest(), "\n".join(table.obs_names))
    return Section(
        table,
        opened,
        mpp,
        name,
        donor=donor or name,
        platform="wsidata",
        species=species,
        grid=grid,
        origin=Origin("wsidata", "" if file is None else str(file), {"tile_key": tile_key}, content),
    )


def to_wsidata(wsi: Any, table: AnnData, key: str, *, tile_key: str = "tiles") -> None:
    """Put a prediction (or any table over a section's tiles) into a WSIData object as a table of these tiles.

    Parameters
    ----------
    wsi
        The object that `from_wsidata` took the tiles from; it gets ``tables[key]``.
    table
        AnnData whose observations are named as the section's were.
    key
        Name of the new table; an existing one is refused.
    tile_key
        Which tiles.

    Raises
    ------
    DataError
        If `key` exists, or `table` has observations that are no tiles.
    """
    need_spatialdata("to_wsidata")
    from spatialdata.models import TableModel

    if key in wsi.tables:
        msg = f"the WSIData object has a table {key!r} already. Give another key."
        raise DataError(msg)
    shapes = wsi.shapes[tile_key]
    ids = (shapes[_TILE_ID] if _TILE_ID in shapes else pd.Series(shapes.index)).to_numpy()
    rows = pd.Index(ids.astype(str)).get_indexer(table.obs_names)
    if (rows < 0).any():
        first = table.obs_names[rows < 0][0]
        msg = (
            f"{int((rows < 0).sum())} observations (first {first}) are no tiles of {tile_key!r}. Give their tile_key=."
        )
        raise DataError(msg)
    copy = table.copy()
    allow_names(copy)
    copy.obs[_TILE_ID] = ids[rows]
    copy.obs["library_id"] = pd.Categorical([tile_key] * copy.n_obs)
    wsi.tables[key] = TableModel.parse(copy, region=tile_key, region_key="library_id", instance_key=_TILE_ID)


def _grid(bounds: np.ndarray, spec: Any, mpp: float, where: str) -> TileGrid:
    sides = bounds[:, 2:] - bounds[:, :2]
    if len(sides) and np.ptp(sides) > 1e-6 * sides.max():
        low, high = sides.min(), sides.max()
        msg = (
            f"{where}: tiles have sides of {low:g} to {high:g} px; squares of one size are needed. Tile without crops."
        )
        raise ScaleError(msg)
    side = float(sides[0, 0]) if len(sides) else float(getattr(spec, "base_width", 1))
    tile_px = round(side) if spec is None else int(spec.width)
    centres = (bounds[:, :2] + bounds[:, 2:]) / 2
    return TileGrid(centres, (side * mpp,), tile_px, mpp, side * mpp / tile_px)


def _attach_features(wsi: Any, table: AnnData, tile_key: str, grid: TileGrid, where: str) -> None:
    """Attach each table that annotates the tiles under wsidata's naming, in the section's order."""
    spec = wsi.tile_spec(tile_key)
    side, nominal = grid.sides_um[0], None if spec is None or spec.mpp is None else float(spec.mpp) * grid.tile_px
    # Slides whose exact sides differ a little have tiles of one kind: that which was asked for.
    if nominal is None or abs(nominal / side - 1) > SIDE_TOLERANCE:
        nominal = round(side, 1)
    geometry = {"sides_um": [nominal], "tile_px": grid.tile_px, "read_mpp": nominal / grid.tile_px}
    for key in [k for k in wsi.tables if k.endswith(f"_{tile_key}")]:
        stored = wsi.tables[key]
        encoder = key.removesuffix(f"_{tile_key}")
        ids = stored.obs[_TILE_ID].astype(str) if _TILE_ID in stored.obs else pd.Series(stored.obs_names)
        rows = pd.Index(ids.to_numpy()).get_indexer(table.obs_names)
        if (rows < 0).any():
            msg = f"{where}: features {key!r} lack {int((rows < 0).sum())} of {table.n_obs} tiles. Extract them again."
            raise DataError(msg)
        values = stored.X.toarray() if hasattr(stored.X, "toarray") else np.asarray(stored.X)
        matrix = np.ascontiguousarray(values[rows], dtype=np.float32)
        n = matrix.shape[1]
        blocks = {f"{encoder}@{nominal:g}um": (0, n)}
        Features(matrix, FeatureSpec(encoder, f"stored-{encoder}-{n}", blocks, geometry)).attach(table)
