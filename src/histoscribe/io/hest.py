"""HEST-1k: the tree of the hub, or the folder that one HESTData object was saved to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core import keys
from histoscribe.io._anndata import find_coordinates, find_counts, open_anndata
from histoscribe.io._assemble import assemble, species_of
from histoscribe.io._counts import check_unique
from histoscribe.io._hest_cells import count_cells
from histoscribe.io._hest_donor import hest_donor
from histoscribe.io._hest_genes import gene_columns
from histoscribe.io._hest_identity import MISALIGNED, SCALES
from histoscribe.io._hest_image import HestImage, choose_image
from histoscribe.io._hest_scale import Scale, hest_scale, number
from histoscribe.io._hest_shapes import read_hest_shapes
from histoscribe.io._hest_tree import HestSample, find_sample, is_saved_object, is_tree
from histoscribe.io._lattice import MPP_TOLERANCE

if TYPE_CHECKING:
    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["read_hest"]

LOOKS_FOR = "st/<id>.h5ad beside metadata/, wsis/ or patches/, or aligned_adata.h5ad"

#: Species as HEST states them -> ours.
SPECIES = {"Homo sapiens": "human", "Mus musculus": "mouse"}
_X, _Y = "pxl_col_in_fullres", "pxl_row_in_fullres"
#: obs: library size, where a sample that HistoScribe wrote holds only some of the measured genes.
LIBRARY_SIZE = "library_size"


def looks_like(path: Path) -> bool:
    """Say whether `path` is a HEST tree or the folder of one HESTData object."""
    return path.is_dir() and (is_saved_object(path) or is_tree(path))


def read_hest(
    path: Path,
    *,
    sample: str | None = None,
    image: str | None = None,
    coords: str | None = None,
    scale: float | None = None,
    cells: bool = False,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Read one sample of HEST-1k.

    um/px is the metadata's ``pixel_size_um_estimated``, never the embedded size; what contradicts it is noted. The
    donor is the metadata's patient within the data set's title, with known mislabels corrected. All spots of the file
    are kept: its ``in_tissue`` is not reliable (HEST issue 47).

    Parameters
    ----------
    path
        The folder that holds ``st/``, ``wsis/``, ``metadata/``, ..., one ``st/<id>.h5ad`` of it, or a folder with
        ``aligned_adata.h5ad``.
    sample
        Id, e.g. ``"TENX95"``; needed where there are several.
    image
        ``"thumbnail"``; the path of an image; or ``"none"``. By default the slide in ``wsis/``.
    coords
        Two obs columns ``"x,y"``; by default ``obsm["spatial"]``.
    scale
        px of the image per full-resolution px, for an image of your own that was resized.
    cells
        Count the nuclei of ``cellvit_seg/`` in each observation, by class, into obs columns ``nuclei_<class>``.
    name, donor, species
        Names; they default to the sample's id and to what the metadata state.
    mpp
        um per px of the image; must agree with the metadata, or with one of two witnesses that contradict each other.

    Returns
    -------
    Section whose coordinates are px of the image that was chosen, whose ``uns["histoscribe"]["hest"]`` holds the
    metadata, and whose notes tell what was corrected.
    """
    files = find_sample(path, sample)
    name = name or files.id
    where = f"section {name!r}"
    table = open_anndata(files.file("table"))
    check_unique(table.obs_names, what="observation", where=str(files.file("table")))
    matrix, used = find_counts(table, None, where)
    notes = [f"counts from {used}", *_warnings(files)]
    matrix, var = gene_columns(matrix, table.var, notes)
    chosen = choose_image(files, table, image=image, scale=scale, where=where, notes=notes)
    full = _coordinates(table, coords, _full_size(files, chosen), where, notes)
    found = hest_scale(
        files.id,
        files.metadata,
        table.obs,
        full,
        mpp=None if mpp is None else mpp * chosen.factor,
        where=where,
        notes=notes,
    )
    _compare_slide(chosen, found, notes)
    section = assemble(
        matrix,
        table.obs,
        var,
        full * chosen.factor,
        files=[files.file("table"), *files.sources],
        donor=donor or hest_donor(files, notes),
        name=name,
        notes=notes,
        depth=table.obs[LIBRARY_SIZE].to_numpy(np.float64) if LIBRARY_SIZE in table.obs else None,
        slide=chosen.slide,
        mpp=found.mpp / chosen.factor,
        species=species or _species(files, var),
        platform=found.geometry.platform,
        spot_um=found.geometry.spot_um,
        pitch_um=found.geometry.pitch_um,
    )
    section.table.uns[keys.UNS]["hest"] = _plain(files) | {"image_per_fullres_px": chosen.factor}
    if cells:
        polygons = read_hest_shapes(files.file("nuclei"))
        count_cells(section, polygons, factor=chosen.factor, square=found.geometry.square)
    return section


def _warnings(files: HestSample) -> list[str]:
    """Return what is known against this sample."""
    notes = []
    if files.id in MISALIGNED:
        notes.append(f"{files.id}: {MISALIGNED[files.id].value} ({MISALIGNED[files.id].source}); look at the overlay")
    if files.id in SCALES:
        stated = " and ".join(f"{v:g}" for v in SCALES[files.id].value)
        sources = f"its sources state {stated} um/px; " if stated else ""
        notes.append(f"the scale of {files.id} is doubtful: {sources}{SCALES[files.id].source}")
    return notes


def _full_size(files: HestSample, chosen: HestImage) -> tuple[float, float] | None:
    if chosen.slide is not None:
        return chosen.slide.size[0] / chosen.factor, chosen.slide.size[1] / chosen.factor
    width, height = (number(files.metadata, f"fullres_px_{side}") for side in ("width", "height"))
    return (width, height) if width and height else None


def _coordinates(
    table: AnnData, coords: str | None, size: tuple[float, float] | None, where: str, notes: list[str]
) -> np.ndarray:
    """Return ``(n, 2)`` full-resolution x, y; where the file's two copies differ, the one that fits the image."""
    xy = find_coordinates(table, coords, where, notes)
    if coords is not None or keys.SPATIAL not in table.obsm or not {_X, _Y} <= set(table.obs):
        return xy
    columns = find_coordinates(table, f"{_X},{_Y}", where, [])
    far = float(np.abs(columns - xy).max(initial=0.0))
    if far <= 1.0:  # the columns are whole px in some releases
        return xy
    if np.abs(columns[:, ::-1] - xy).max() > 1.0:
        notes.append(f"obsm['spatial'] is used; the columns {_X}, {_Y} are up to {far:.0f} px away from it")
        return xy
    inside = [size is not None and bool(((v >= 0) & (v <= size)).all()) for v in (xy, columns)]
    if inside == [False, True]:
        notes.append(f"obsm['spatial'] holds (y, x): x, y are taken from {_X}, {_Y}, which fit the image")
        return columns
    notes.append(f"obsm['spatial'] is used; the columns {_X}, {_Y} are swapped against it")
    return xy


def _compare_slide(chosen: HestImage, found: Scale, notes: list[str]) -> None:
    stated = None if chosen.slide is None else chosen.slide.mpp
    used = found.mpp / chosen.factor
    if stated is not None and abs(stated / used - 1) > MPP_TOLERANCE:
        notes.append(f"the image file states {stated:.4g} um/px, which is not used; {used:.4g} is")


def _species(files: HestSample, var: Any) -> str | None:
    stated = str(files.metadata.get("species", "")).strip()
    known = {k.lower(): v for k, v in SPECIES.items()}
    return known.get(stated.lower(), stated) or species_of(var.index)


def _plain(files: HestSample) -> dict[str, Any]:
    """Return the metadata as AnnData can store them."""
    kept = {k: v for k, v in files.metadata.items() if isinstance(v, str | int | float) and "/" not in k}
    return kept | {"id": files.id}
