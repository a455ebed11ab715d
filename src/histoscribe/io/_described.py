"""Tables that describe themselves: what a section's AnnData must say so that it becomes the same section again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.files import atomic_path
from histoscribe.core.grid import TileGrid
from histoscribe.core.section import Origin, Section
from histoscribe.core.units import check_mpp
from histoscribe.io._counts import as_counts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from histoscribe.core.pixels import PixelSource

__all__ = ["TILES", "described", "described_table", "save_h5ad", "section_from"]

#: obsm: (n, 2) float64 centres of the tiles, where they are not the centres of the observations.
TILES = "tile_centres"
_NEEDED = ("section", "donor", "mpp")
_OPTIONAL = ("species", "spot_um", "pitch_um")


def described_table(section: Section, *, slide: Path | None, kind: str = "section") -> AnnData:
    """Return a table that shares the section's arrays and whose ``uns["histoscribe"]`` tells all of its roles.

    Parameters
    ----------
    section
        The section.
    slide
        File with its pixels, or None.
    kind
        What the file is, for people and for `histoscribe info`.
    """
    table = section.table.copy() if section.table.is_view else _shallow(section.table)
    about = {
        "kind": kind,
        "section": section.name,
        "donor": section.donor,
        "mpp": float(section.mpp),
        "platform": section.platform,
        "slide": "" if slide is None else str(slide.resolve()),
    }
    # A role that is not known is left out: AnnData before 0.12 cannot read None.
    about |= {k: v for k in _OPTIONAL if (v := getattr(section, k)) is not None}
    if section.grid is not None:
        about["grid"] = json.dumps(section.grid.geometry())
        if not np.array_equal(section.grid.centres, section.xy):
            table.obsm[TILES] = np.asarray(section.grid.centres, dtype=np.float64)
    table.uns[keys.UNS] = dict(section.table.uns.get(keys.UNS, {})) | about
    return table


def described(table: AnnData) -> dict[str, Any] | None:
    """Return what a table says of itself, or None where it was not written by `described_table`."""
    ours = table.uns.get(keys.UNS)
    if not isinstance(ours, dict) or ours.get("kind") == "prediction" or not set(_NEEDED) <= set(ours):
        return None
    return ours


def section_from(
    table: AnnData, about: Mapping[str, Any], slide: PixelSource | None, *, where: str, digest: str, factor: float = 1.0
) -> Section:
    """Make the section that `table` describes, or say what of it was damaged.

    Parameters
    ----------
    table
        Table with ``obsm["spatial"]``; becomes the section's own.
    about
        `described`, with whatever the user gave in its place.
    slide
        Opened pixels, or None.
    where
        Name for messages.
    digest
        Of the file's content.
    factor
        px of `slide` per px of the coordinates that were written: below 1 for a reduced image.
    """
    if keys.SPATIAL not in table.obsm:
        msg = f"{where} has no obsm['spatial'], although it was written with one. Copy or write it again."
        raise DataError(msg)
    mpp = check_mpp(float(about["mpp"]) / factor, where=where)
    xy = np.asarray(table.obsm[keys.SPATIAL], dtype=np.float64) * factor
    table.obsm[keys.SPATIAL] = xy
    if keys.COUNTS in table.layers:
        found = as_counts(table.layers[keys.COUNTS], spots=table.obs_names, genes=table.var_names, where=where)
        table.layers[keys.COUNTS] = found
        if keys.DEPTH not in table.obs:
            table.obs[keys.DEPTH] = np.asarray(found.sum(1)).ravel().astype(np.float64)
    optional = {k: about[k] for k in _OPTIONAL if about.get(k) is not None}
    return Section(
        table=table,
        slide=slide,
        mpp=mpp,
        name=str(about["section"]),
        donor=str(about["donor"]),
        platform=str(about.get("platform", "h5ad")),
        grid=_grid(table, about, mpp=mpp, factor=factor),
        origin=Origin("", "", {}, digest),
        **{k: v if k == "species" else float(v) for k, v in optional.items()},
    )


def _grid(table: AnnData, about: Mapping[str, Any], *, mpp: float, factor: float) -> TileGrid | None:
    if "grid" not in about:
        return None
    value = json.loads(about["grid"])
    slot = TILES if TILES in table.obsm else keys.SPATIAL
    # obsm["spatial"] has been brought to the slide's px already.
    centres = np.asarray(table.obsm[slot], dtype=np.float64) * (factor if slot == TILES else 1.0)
    return TileGrid(centres, tuple(map(float, value["sides_um"])), int(value["tile_px"]), mpp, value["read_mpp"])


def _shallow(table: AnnData) -> AnnData:
    """Make a table whose slots can be added to and whose arrays are shared."""
    from anndata import AnnData

    slots: dict[str, Any] = {name: dict(getattr(table, name)) for name in ("obsm", "varm", "obsp", "varp", "layers")}
    return AnnData(X=table.X, obs=table.obs.copy(), var=table.var.copy(), uns=dict(table.uns), **slots)


def save_h5ad(table: AnnData, path: Path, name: str) -> None:
    """Write the table of the section called `name` as an AnnData file, compressed, atomically.

    Raises
    ------
    DataError
        If something in it cannot be stored.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        try:
            table.write_h5ad(temporary, compression="gzip")
        except (TypeError, ValueError, NotImplementedError, KeyError) as err:
            first = str(err).strip().splitlines()[0]
            msg = f"section {name!r} cannot be stored as AnnData ({first}). Rename or drop what is named there."
            raise DataError(msg) from err
