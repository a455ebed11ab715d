"""SpatialData: a store, or an object in memory, as a section."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING

from histoscribe.core.errors import DataError
from histoscribe.io._files import existing
from histoscribe.io._spatialdata_section import Wanted, section_of
from histoscribe.io.spatialdata_write import need_spatialdata

if TYPE_CHECKING:
    from pathlib import Path

    from spatialdata import SpatialData

    from histoscribe.core.section import Section

__all__ = ["from_spatialdata", "read_spatialdata"]

LOOKS_FOR = "a SpatialData store (.zarr)"

_KINDS = ("images", "labels", "points", "shapes", "tables")


def looks_like(path: Path) -> bool:
    """Say whether `path` is the root of a store that spatialdata wrote; its elements bear the same mark."""
    if not any((path / kind).is_dir() for kind in _KINDS):
        return False
    for name in ("zarr.json", ".zattrs"):
        try:
            value = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if "spatialdata_attrs" in (value.get("attributes", {}) if name == "zarr.json" else value):
            return True
    return False


def read_spatialdata(
    path: Path,
    *,
    table: str | None = None,
    region: str | None = None,
    image: str | None = None,
    frame: str | None = None,
    counts: str | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
    spot_um: float | None = None,
) -> Section:
    """Read a SpatialData store; the image is read out of it, chunk by chunk.

    Parameters
    ----------
    path
        The ``.zarr`` folder.
    table
        Table of counts; needed where there are several.
    region
        Shapes or labels that are the observations; needed where the table annotates several.
    image
        Name of an image in the store, path of another one in whose px `frame` is, or ``"none"``. By default the
        finest in the store that shares a coordinate system with the observations.
    frame
        Coordinate system that observations and image share; by default ``"global"``.
    counts
        ``"X"``, ``"raw"`` or a layer; by default the first that holds whole numbers.
    name, donor, species
        Names; the name defaults to the store's.
    mpp
        um per px of the image; needed unless the store says it, has a coordinate system in um, or a Visium array.
    spot_um
        Diameter of an observation, um; by default that of the circles.
    """
    need_spatialdata(f"reading {path}")
    path = existing(path, what="SpatialData store", remedy="Check the path.")
    if not looks_like(path):
        msg = f"{path} is no SpatialData store (no spatialdata_attrs in its zarr.json or .zattrs). Check the path."
        raise DataError(msg)
    wanted = Wanted(table, region, image, frame, counts, name, donor, species, mpp, spot_um)
    return section_of(_open(path), wanted, default_name=path.name.split(".")[0])


def from_spatialdata(
    data: SpatialData,
    *,
    table: str | None = None,
    region: str | None = None,
    image: str | None = None,
    frame: str | None = None,
    counts: str | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
    spot_um: float | None = None,
) -> Section:
    """Turn a SpatialData object into a section; the options are those of `read_spatialdata`.

    An image that is not in a store on disk is written once into the cache, as a TIFF.
    """
    need_spatialdata("from_spatialdata")
    wanted = Wanted(table, region, image, frame, counts, name, donor, species, mpp, spot_um)
    return section_of(data, wanted, default_name="spatialdata")


def _open(path: Path) -> SpatialData:
    import spatialdata

    with warnings.catch_warnings():
        # Of its libraries, to their developers.
        warnings.simplefilter("ignore")
        try:
            return spatialdata.read_zarr(path)
        except (OSError, KeyError, ValueError, TypeError, AttributeError) as err:
            first = " ".join(str(err).split())[:200]
            msg = f"{path} cannot be read as SpatialData ({type(err).__name__}: {first}). Copy or write it again."
            raise DataError(msg) from err
