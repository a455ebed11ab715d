"""From the elements of a SpatialData object to a section: choose them, bring them to px, find the scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, GeneError
from histoscribe.core.files import digest, file_digest
from histoscribe.core.section import Origin, Section
from histoscribe.core.units import check_mpp
from histoscribe.io._anndata import find_counts
from histoscribe.io._assemble import assemble, open_image, species_of
from histoscribe.io._counts import check_unique
from histoscribe.io._described import TILES, described, section_from
from histoscribe.io._frames import centres, mpp_from_frames, radii, to_pixels
from histoscribe.io._lattice import LAYOUTS, agree, detect_layout, fit_scale
from histoscribe.io._spatialdata_image import choose_image, element_slide
from histoscribe.io._table_names import restore_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spatialdata import SpatialData

    from histoscribe.core.pixels import PixelSource

__all__ = ["Wanted", "section_of"]

#: Positions that differ by less, px, are the same: a transformation and its inverse leave less.
_SAME_PX = 1e-6


@dataclass(frozen=True)
class Wanted:
    """What the user chose; the options of `read_spatialdata`."""

    table: str | None
    region: str | None
    image: str | None
    frame: str | None
    counts: str | None
    name: str | None
    donor: str | None
    species: str | None
    mpp: float | None
    spot_um: float | None

    def facts(self) -> dict[str, Any]:
        """Return what replaces the facts that a table of ours states of itself."""
        given = {"section": self.name, "donor": self.donor, "species": self.species, "spot_um": self.spot_um}
        return {key: value for key, value in given.items() if value is not None}


def section_of(data: SpatialData, wanted: Wanted, *, default_name: str) -> Section:
    """Make a section of one table, the element that it annotates, and an image."""
    where = f"section {wanted.name or default_name!r}"
    if not data.tables and wanted.table is None:
        return _slide_only(data, wanted, where)
    key = _one(data.tables, wanted.table, what="table", where=where)
    table, region = _rows(data.tables[key], wanted.region, where)
    check_unique(table.obs_names, what="observation", where=where)
    check_unique(table.var_names, what="gene", where=where, error=GeneError)
    if region not in data:
        msg = f"{where}: table {key!r} annotates {region!r}, which is not in the store. Write the store again with it."
        raise DataError(msg)
    element = data[region]
    picked = choose_image(data, element, wanted.image, where)
    to_px = to_pixels(data, element, None if picked is None else data.images[picked], wanted.frame, where)
    own, instances = centres(element, where)
    xy = _places(data.tables[key], table, own @ to_px[:2, :2].T + to_px[:2, 2], instances, where)
    slide = _slide(data, picked, wanted.image, where)
    found = _Found(table, xy, slide, mpp_from_frames(element, to_px, where), radii(element, to_px, where), where)
    content = _digest(data, key)
    about = described(table)
    if about is not None and wanted.counts is None:
        section = _own(found, about | wanted.facts(), wanted.mpp)
    else:
        notes = [] if picked is None else [f"the image {picked} of the store is used"]
        section = _foreign(found, wanted, default_name, notes)
    return section.replace(origin=Origin("", "", {}, content))


@dataclass(frozen=True)
class _Found:
    """What the elements say: rows of the table, their centres in px, pixels, um/px and radius in px if known."""

    table: AnnData
    xy: np.ndarray
    slide: PixelSource | None
    mpp: float | None
    radius: float | None
    where: str


def _own(found: _Found, about: Mapping[str, Any], given_mpp: float | None) -> Section:
    """Make the section that a table of ours describes, moved to where its shapes now lie."""
    table = found.table
    restore_names(table)
    moved = np.abs(found.xy - np.asarray(table.obsm[keys.SPATIAL])).max(initial=0.0) > _SAME_PX
    mpp = float(about["mpp"])
    if found.mpp is not None and abs(found.mpp / mpp - 1) > 1e-9:
        mpp, moved = found.mpp, True
    about = dict(about) | {"mpp": agree(mpp, given_mpp, where=found.where, how="the store")}
    if moved:
        # The object was cropped or scaled since: tiles lie elsewhere now and are laid again.
        table.obsm[keys.SPATIAL] = found.xy
        about.pop("grid", None)
        table.obsm.pop(TILES, None)
    return section_from(table, about, found.slide, where=found.where, digest="")


def _foreign(found: _Found, wanted: Wanted, default_name: str, notes: list[str]) -> Section:
    table, where = found.table, found.where
    matrix, used = find_counts(table, wanted.counts, where)
    notes.append(f"counts from {used}")
    mpp, visium = _scale(found, wanted.mpp, notes)
    return assemble(
        matrix,
        table.obs,
        table.var,
        found.xy,
        files=[],
        donor=wanted.donor,
        name=wanted.name or default_name,
        notes=notes,
        slide=found.slide,
        mpp=mpp,
        species=wanted.species or species_of(table.var.get("gene_ids", table.var_names)),
        platform="visium" if visium else "spatialdata",
        spot_um=wanted.spot_um or (None if found.radius is None else 2 * found.radius * mpp),
        pitch_um=LAYOUTS["visium"].pitch_um if visium else None,
    )


def _scale(found: _Found, given: float | None, notes: list[str]) -> tuple[float, bool]:
    """Return um/px, and whether the observations lie on a Visium array."""
    obs, how, derived = found.table.obs, "the store's frame in um", found.mpp
    visium = False
    if {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(obs) and len(obs) >= 3:
        array = obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
        visium = bool(np.isfinite(array).all()) and detect_layout(array, found.xy) is LAYOUTS["visium"]
        if visium and derived is None:
            how = "the Visium array"
            derived = fit_scale(array, found.xy, LAYOUTS["visium"], where=found.where).mpp
            notes.append("um/px from the geometry of a Visium array")
    if derived is not None:
        return agree(derived, given, where=found.where, how=how), visium
    stated = None if found.slide is None else found.slide.mpp
    remedy = "Give mpp=<um per px of the image>; the store has no coordinate system in um."
    return check_mpp(stated if given is None else given, where=found.where, remedy=remedy), visium


def _slide_only(data: SpatialData, wanted: Wanted, where: str) -> Section:
    about = dict(data.attrs.get(keys.UNS, {})) | wanted.facts()
    if not {"section", "donor", "mpp"} <= set(about):
        msg = f"{where} has no table, so there are no counts. Give a store with a table, or read its image as a slide."
        raise DataError(msg)
    picked = choose_image(data, None, wanted.image, where)
    table = AnnData(obs=pd.DataFrame(index=pd.Index([], dtype=object)))
    table.obsm[keys.SPATIAL] = np.zeros((0, 2))
    table.uns[keys.UNS] = dict(data.attrs.get(keys.UNS, {}))
    slide = _slide(data, picked, wanted.image, where)
    return section_from(table, about, slide, where=where, digest=digest(repr(sorted(map(str, about.items())))))


def _one(names: Mapping[str, Any], chosen: str | None, *, what: str, where: str) -> str:
    have = ", ".join(names) or "none"
    if chosen is None and len(names) == 1:
        return next(iter(names))
    if chosen in names and chosen is not None:
        return chosen
    problem = f"has no {what} {chosen!r}" if chosen is not None else f"has {len(names)} {what}s, and one is needed"
    msg = f"{where} {problem} (it has {have}). Give {what}=<name>."
    raise DataError(msg)


def _rows(table: AnnData, region: str | None, where: str) -> tuple[AnnData, str]:
    """Return a copy of the rows that annotate one region, and the region."""
    attrs = table.uns.get("spatialdata_attrs")
    if not attrs:
        msg = f"{where}: the table annotates nothing, so its observations have no place. Link it to shapes or labels."
        raise CoordinateError(msg)
    regions = attrs["region"] if isinstance(attrs["region"], (list, tuple, np.ndarray)) else [attrs["region"]]
    chosen = _one(dict.fromkeys(map(str, regions)), region, what="region", where=where)
    column = table.obs[attrs["region_key"]].astype(str)
    return table[(column == chosen).to_numpy()].copy(), chosen


def _places(whole: AnnData, table: AnnData, xy: np.ndarray, instances: np.ndarray, where: str) -> np.ndarray:
    """Look up each row's centre by its instance, and take the columns that only link out of the table."""
    attrs = whole.uns["spatialdata_attrs"]
    rows = pd.Index(instances).get_indexer(table.obs[attrs["instance_key"]])
    if (rows < 0).any():
        lacking = table.obs_names[rows < 0]
        msg = f"{where}: {len(lacking)} observations (first: {lacking[0]}) have no shape. Write the store again."
        raise CoordinateError(msg)
    if described(table) is not None:
        table.obs = table.obs.drop(columns=[attrs["region_key"], attrs["instance_key"]])
    del table.uns["spatialdata_attrs"]
    return xy[rows]


def _slide(data: SpatialData, picked: str | None, image: str | None, where: str) -> PixelSource | None:
    if picked is not None:
        return element_slide(data, picked)
    return None if image in (None, "none") else open_image(image, where=where)


def _digest(data: SpatialData, table: str) -> str:
    if data.path is not None and (folder := Path(data.path) / "tables" / table).is_dir():
        return file_digest(folder)
    counts = data.tables[table].X
    values = counts.data if hasattr(counts, "nnz") else np.asarray(counts)
    return digest(repr(data.tables[table].shape), "\n".join(data.tables[table].obs_names), np.asarray(values).tobytes())
