"""Segmented cells of Visium HD (Space Ranger 4): counts of cells, placed at the centroids of their polygons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import assemble, open_image
from histoscribe.io._files import existing, open_text
from histoscribe.io._lattice import agree
from histoscribe.io._polygons import Region
from histoscribe.io._region import in_region
from histoscribe.io._space_ranger import choose_image, image_factors, read_factors
from histoscribe.io._tenx import read_tenx

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.core.section import Section

__all__ = ["read_cells"]


def read_cells(
    path: Path,
    *,
    image: str | None,
    region: str | None,
    name: str,
    donor: str | None,
    species: str | None,
    mpp: float | None,
    scale: float | None,
) -> Section:
    """Read ``segmented_outputs``; options as of `read_visium_hd`."""
    where = f"section {name!r}"
    places = (path, path / "segmented_outputs", path / "outs" / "segmented_outputs")
    folder = next((p for p in places if (p / "cell_segmentations.geojson").is_file()), None)
    if folder is None:
        msg = f"{path} has no segmented_outputs/cell_segmentations.geojson. Give the outs folder of Space Ranger 4."
        raise DataError(msg)
    matrix = existing(
        folder / "filtered_feature_cell_matrix.h5", what="cell matrix", remedy="Copy all of segmented_outputs."
    )
    factors_path = folder / "spatial" / "scalefactors_json.json"
    factors = read_factors(factors_path)
    stated = factors.get("microns_per_pixel")
    if stated is None:
        remedy = f"Copy {factors_path} of Space Ranger, which states microns_per_pixel, or give mpp=."
        stated = check_mpp(None if mpp is None else mpp * (scale or 1.0), where=where, remedy=remedy)
    chosen = choose_image(folder, image, factors, scale, also=folder.parent)
    used = agree(float(stated) / chosen.scale, mpp, where=where, how=factors_path.name)
    counts = read_tenx(matrix)
    outlines = folder / "cell_segmentations.geojson"
    place = _centroids(outlines)
    known = counts.barcodes.isin(place.index)
    if not known.any():
        msg = (
            f"{where}: no cell of the matrix (e.g. {counts.barcodes[0]}) is in {outlines} (e.g. "
            f"{next(iter(place.index), 'none')}). Give the segmented_outputs of one run."
        )
        raise DataError(msg)
    place = place.reindex(counts.barcodes)
    xy = place[["x", "y"]].to_numpy() * chosen.scale
    keep = known if region is None else in_region(xy, region, mpp=used, where=where)
    notes = [*counts.notes, *([chosen.note] if chosen.note else [])]
    if not known.all():
        notes.append(f"{int((~known).sum())} cells of the matrix have no outline and are left out")
    section = assemble(
        counts.matrix[keep],
        pd.DataFrame({"area_um2": place["area"].to_numpy()[keep] * float(stated) ** 2}, index=counts.barcodes[keep]),
        counts.var,
        xy[keep],
        files=[*counts.files, outlines, factors_path],
        donor=donor,
        name=name,
        notes=notes,
        slide=None if chosen.path is None else open_image(chosen.path, where=where),
        mpp=used,
        species=species or counts.species,
        platform="visium-hd",
    )
    section.table.uns[keys.UNS]["scale_factors"] = image_factors(factors)
    return section


def _centroids(path: Path) -> pd.DataFrame:
    """Return x, y (full-resolution px) and area (px) of each cell, indexed by its barcode."""
    rows, names = [], []
    for feature in _features(path):
        try:
            number, geometry = int(feature["properties"]["cell_id"]), feature["geometry"]
            polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
            region = Region(tuple(tuple(np.asarray(r, dtype=np.float64) for r in polygon) for polygon in polygons))
            rows.append((*region.centroid, region.area))
        except (KeyError, TypeError, ValueError, IndexError) as err:
            msg = f"{path}: feature {len(names) + 1} is not an outline with a cell_id ({err}). Copy the file again."
            raise DataError(msg) from err
        # The barcode of cell 12 in Space Ranger's matrix.
        names.append(f"cellid_{number:09d}-1")
    return pd.DataFrame(rows, columns=["x", "y", "area"], index=pd.Index(names, dtype=object))


def _features(path: Path) -> Iterator[dict[str, Any]]:
    """Give the features of a GeoJSON file one by one: as objects all at once they would take ten times its size."""
    with open_text(path, what="outlines") as handle:
        text = handle.read()
    decoder, place = json.JSONDecoder(), text.find('"features"')
    place = text.find("[", place) + 1 if place >= 0 else 0
    try:
        if not place:
            msg = "no list of features"
            raise ValueError(msg)
        while True:
            while text[place] in " \r\n\t,":
                place += 1
            if text[place] == "]":
                return
            feature, place = decoder.raw_decode(text, place)
            yield feature
    except (ValueError, IndexError) as err:
        msg = f"outlines {path} are not complete GeoJSON ({err}). Copy or download the file again."
        raise DataError(msg) from err
