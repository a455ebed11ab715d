"""AnnData files: the legacy spatial slot, or positions beside an image of your own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import DataError, GeneError, ScaleError, SlideError
from histoscribe.core.units import check_mpp
from histoscribe.io._anndata import embedded_image, find_coordinates, find_counts, open_anndata
from histoscribe.io._assemble import assemble, open_image, species_of
from histoscribe.io._counts import check_unique
from histoscribe.io._described import described, section_from
from histoscribe.io._files import content_digest, existing
from histoscribe.io._lattice import LAYOUTS, Layout, agree, detect_layout, fit_scale

if TYPE_CHECKING:
    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["read_h5ad"]

LOOKS_FOR = "a .h5ad file"


def looks_like(path: Path) -> bool:
    """Say whether `path` is an AnnData file."""
    return path.is_file() and path.name.lower().endswith((".h5ad", ".h5ad.gz"))


def read_h5ad(
    path: Path,
    *,
    image: str | None = None,
    coords: str | None = None,
    counts: str | None = None,
    depth: str | None = None,
    scale: float | None = None,
    pitch_um: float | None = None,
    spot_um: float | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Read an AnnData file; `obs` and `var` are kept, other slots are left in the file.

    A file that HistoScribe wrote says itself what its section is, and comes back whole: features, tiles and layers
    too. An option then replaces what the file says; `coords`, `counts`, `depth`, `scale` or `pitch_um` read it as
    anybody's file.

    Parameters
    ----------
    path
        The ``.h5ad`` file.
    image
        Path of an image in whose px the coordinates are; a name in the file's ``uns["spatial"]`` (``"hires"``,
        ``"lowres"``), whose scale factor is then applied; or ``"none"``. By default the file's hires, else lowres.
    coords
        Two obs columns ``"x,y"``; by default ``obsm["spatial"]``, else well-known column names.
    counts
        ``"X"``, ``"raw"`` or a layer; by default the first of ``layers["counts"]``, ``X`` and ``raw`` that holds
        whole numbers.
    depth
        obs column with the library size over all measured genes, where the file holds only some of them.
    scale
        px of the image per unit of the coordinates, for an image of your own that was resized.
    pitch_um
        Distance between neighbours on a square array (obs `array_row`, `array_col`), um; gives um/px.
    spot_um
        Diameter or edge of an observation, um.
    name, donor, species
        Names; the name defaults to the file's.
    mpp
        um per px of the image; needed unless the observations lie on a Visium array or `pitch_um` is given.
    """
    path = existing(path, what="AnnData file", remedy="Check the path.")
    table = open_anndata(path)
    check_unique(table.obs_names, what="observation", where=str(path))
    check_unique(table.var_names, what="gene", where=str(path), error=GeneError)
    about = described(table)
    if about is not None and (coords, counts, depth, scale, pitch_um) == (None,) * 5:
        given = {"section": name, "donor": donor, "species": species, "mpp": mpp, "spot_um": spot_um}
        return _own(path, table, about | {k: v for k, v in given.items() if v is not None}, image)
    name = name or path.name.split(".")[0]
    where = f"section {name!r}"
    matrix, used = find_counts(table, counts, where)
    notes = [f"counts from {used}"]
    xy = find_coordinates(table, coords, where, notes)
    source, factor = _image(table, image, scale, where, notes)
    slide = None if source is None else open_image(source, where=where)
    xy = xy * factor
    layout, mpp = _scale(table, xy, where, mpp=mpp, pitch_um=pitch_um, stated=slide.mpp if slide else None, notes=notes)
    if depth is not None and depth not in table.obs:
        msg = (
            f"{where} has no obs column {depth!r} (it has {', '.join(map(str, table.obs.columns[:8]))}). Check depth=."
        )
        raise DataError(msg)
    return assemble(
        matrix,
        table.obs,
        table.var,
        xy,
        files=[path],
        donor=donor,
        name=name,
        notes=notes,
        depth=None if depth is None else pd.to_numeric(table.obs[depth]).to_numpy(dtype=np.float64),
        slide=slide,
        mpp=mpp,
        species=species or species_of(table.var.get("gene_ids", table.var_names)),
        platform="visium" if layout is LAYOUTS["visium"] else "h5ad",
        spot_um=spot_um or (layout.spot_um if layout and layout.spot_um else None),
        pitch_um=pitch_um or (layout.pitch_um if layout else None),
    )


def _own(path: Path, table: AnnData, about: dict[str, Any], image: str | None) -> Section:
    """Make the section that a file of ours describes."""
    where = f"section {about['section']!r}"
    embedded = next(iter(dict(table.uns.get("spatial", {})).values()), {}).get("images", {})
    factor, source = 1.0, None
    if image in embedded:
        source, factor = _image(table, image, None, where, [])
    elif image is not None:
        source = None if image == "none" else Path(image)
    elif about.get("slide"):
        # A file that was moved together with its slide finds it there.
        linked = Path(about["slide"])
        source = next((p for p in (linked, path.parent / linked.name) if p.exists()), linked)
    remedy = "Give image=<path>, image=none for expression alone, or image=hires for the reduced image in the file."
    slide = None if source is None else open_image(source, where=where, remedy=remedy)
    return section_from(table, about, slide, where=where, digest=content_digest([path]), factor=factor)


def _image(
    table: AnnData, image: str | None, scale: float | None, where: str, notes: list[str]
) -> tuple[Path | None, float]:
    """Return the image's path (None for none) and px per unit of the coordinates."""
    if image == "none":
        return None, 1.0 if scale is None else scale
    library = next(iter(dict(table.uns.get("spatial", {})).values()), {})
    embedded = dict(library.get("images", {}))
    if image is not None and image not in embedded:
        return Path(image), 1.0 if scale is None else scale
    if not embedded:
        msg = (
            f"{where} has no image in uns['spatial']. Give image=<path> (with coordinates in its px), or image=none "
            "for expression alone."
        )
        raise SlideError(msg)
    kind = image or next(k for k in ("hires", "lowres", *embedded) if k in embedded)
    factor = dict(library.get("scalefactors", {})).get(f"tissue_{kind}_scalef")
    if factor is None:
        msg = f"{where}: uns['spatial'] has the {kind} image but no tissue_{kind}_scalef. Give image=<path> and mpp=."
        raise ScaleError(msg)
    notes.append(f"the file's own {kind} image is used")
    return embedded_image(np.asarray(embedded[kind]), where), float(factor)


def _scale(
    table: AnnData,
    xy: np.ndarray,
    where: str,
    *,
    mpp: float | None,
    pitch_um: float | None,
    stated: float | None,
    notes: list[str],
) -> tuple[Layout | None, float]:
    array = _array(table)
    found = None if array is None else detect_layout(array, xy)
    if found is LAYOUTS["visium"] and pitch_um is None:
        notes.append("um/px from the geometry of a Visium array")
        derived = fit_scale(array, xy, found, where=where).mpp
        return found, agree(derived, mpp, where=where, how="the Visium array")
    square = found is LAYOUTS["st-1k"] and array is not None
    if pitch_um is not None:
        if not square:
            msg = (
                f"{where}: pitch_um={pitch_um:g} was given, but the observations do not lie on a square array (obs "
                "array_row, array_col). Give mpp=<um per pixel> instead."
            )
            raise ScaleError(msg)
        layout = Layout(f"square array of {pitch_um:g} um", (pitch_um, pitch_um), pitch_um, 0.0, staggered=False)
        derived = fit_scale(array, xy, layout, where=where).mpp
        return layout, agree(derived, mpp, where=where, how=f"the {layout.name}")
    if mpp is None and stated is not None:
        notes.append(f"um/px as the image file states it ({stated:.4g}); nothing else confirms it")
        mpp = stated
    mpp = check_mpp(
        mpp,
        where=where,
        remedy="Give mpp=<um per pixel of the image>, or pitch_um=<um> where obs has array_row and array_col.",
    )
    if not square:
        return None, mpp
    pitch = mpp * _px_per_step(array, xy)
    return Layout("square array", (pitch, pitch), pitch, 0.0, staggered=False), mpp


def _px_per_step(array: np.ndarray, xy: np.ndarray) -> float:
    design = np.column_stack([array - array.mean(0), np.ones(len(array))])
    affine = np.linalg.lstsq(design, xy, rcond=None)[0][:2]
    return float(np.sqrt(abs(np.linalg.det(affine))))


def _array(table: AnnData) -> np.ndarray | None:
    if not {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(table.obs):
        return None
    array = table.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    return array if np.isfinite(array).all() and len(array) >= 3 else None
