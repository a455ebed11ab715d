"""AnnData files: the legacy spatial slot, or positions beside an image of your own."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, GeneError, ScaleError, SlideError
from histoscribe.core.files import atomic_path, cache_dir, digest
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import assemble, finite_xy, open_image, species_of
from histoscribe.io._counts import as_counts, check_unique, is_integer
from histoscribe.io._files import existing, is_gzip, reading
from histoscribe.io._lattice import LAYOUTS, Layout, agree, detect_layout, fit_scale

if TYPE_CHECKING:
    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["read_h5ad"]

LOOKS_FOR = "a .h5ad file"

#: obs columns (x, y) that are looked for, in this order, where there is no obsm["spatial"].
_COORDS = (
    ("pxl_col_in_fullres", "pxl_row_in_fullres"),
    ("x_pixel", "y_pixel"),
    ("pixel_x", "pixel_y"),
    ("imagecol", "imagerow"),
)


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
    name = name or path.name.split(".")[0]
    where = f"section {name!r}"
    table = _open(path)
    check_unique(table.obs_names, what="observation", where=str(path))
    check_unique(table.var_names, what="gene", where=str(path), error=GeneError)
    matrix, used = _counts(table, counts, where)
    notes = [f"counts from {used}"]
    xy = _coordinates(table, coords, where, notes)
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


def _open(path: Path) -> AnnData:
    from anndata import read_h5ad as read

    if is_gzip(path):
        msg = f"{path} is compressed with gzip, and HDF5 cannot be read through it. Run gunzip on it first."
        raise DataError(msg)
    with reading(path, what="AnnData file"), warnings.catch_warnings():
        # Repeated names are refused below with their names, which the warning does not give.
        warnings.filterwarnings("ignore", message=".*names are not unique.*")
        try:
            return read(path)
        except (KeyError, ValueError, TypeError, AttributeError) as err:
            msg = f"{path} is not an AnnData file ({err}). Write it with AnnData.write_h5ad."
            raise DataError(msg) from err


def _counts(table: AnnData, name: str | None, where: str) -> tuple[Any, str]:
    slots: dict[str, Any] = {f"layers[{k!r}]": v for k, v in table.layers.items()}
    slots["X"] = table.X
    if table.raw is not None and list(table.raw.var_names) == list(table.var_names):
        slots["raw"] = table.raw.X
    if name is not None:
        key = name if name in slots else f"layers[{name.removeprefix('layers/')!r}]"
        if slots.get(key) is None:
            msg = f"{where} has no counts in {name!r} (it has {', '.join(slots)}). Check counts=."
            raise DataError(msg)
        chosen = key
    else:
        order = [k for k in (f"layers[{keys.COUNTS!r}]", "X", "raw") if slots.get(k) is not None]
        whole = [k for k in order if is_integer(_values(slots[k]))]
        if not order:
            msg = f"{where} has no matrix (X, raw or layers['counts']). Give a measured section."
            raise DataError(msg)
        # Without whole numbers anywhere, the check below names the first value that is none.
        chosen = (whole or order)[0]
    matrix = as_counts(slots[chosen], spots=table.obs_names, genes=table.var_names, where=f"{where}, {chosen}")
    return matrix, chosen


def _values(matrix: Any) -> np.ndarray:
    return matrix.data if hasattr(matrix, "data") and hasattr(matrix, "nnz") else np.asarray(matrix)


def _coordinates(table: AnnData, coords: str | None, where: str, notes: list[str]) -> np.ndarray:
    if coords is None and keys.SPATIAL in table.obsm:
        xy = np.asarray(table.obsm[keys.SPATIAL])
        if xy.ndim != 2 or xy.shape[1] < 2:
            msg = f"{where}: obsm['spatial'] has shape {xy.shape}, not (n, 2). Give coords=<x column>,<y column>."
            raise CoordinateError(msg)
        return finite_xy(xy[:, 0], xy[:, 1], where=where)
    pairs = [tuple(part.strip() for part in coords.split(","))] if coords else list(_COORDS)
    found = [p for p in pairs if len(p) == 2 and set(p) <= set(table.obs)]
    if not found:
        tried = f"columns {coords!r}" if coords else "obsm['spatial'] or well-known columns"
        have = ", ".join(map(str, table.obs.columns[:8])) or "no columns"
        msg = f"{where} has no coordinates in {tried} (obs has {have}). Give coords=<x column>,<y column>."
        raise CoordinateError(msg)
    notes.append(f"x, y from the obs columns {found[0][0]}, {found[0][1]}")
    return finite_xy(table.obs[found[0][0]], table.obs[found[0][1]], where=where)


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
    return _to_file(np.asarray(embedded[kind]), where), float(factor)


def _to_file(pixels: np.ndarray, where: str) -> Path:
    """Write an embedded image once into the cache, so that it is a slide file like any other."""
    from PIL import Image

    if pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        msg = f"{where}: the image in uns['spatial'] has shape {pixels.shape}, not (h, w, 3). Give image=<path>."
        raise SlideError(msg)
    if pixels.dtype != np.uint8:
        # scanpy keeps PNGs as floats of 0-1.
        top = 1.0 if float(np.max(pixels)) <= 1.0 else 255.0
        pixels = np.clip(np.round(pixels / top * 255), 0, 255).astype(np.uint8)
    rgb = np.ascontiguousarray(pixels[..., :3])
    path = cache_dir() / "images" / f"{digest(repr(rgb.shape), rgb.tobytes())}.png"
    if not path.exists():
        with atomic_path(path) as temporary:
            Image.fromarray(rgb).save(temporary, format="png")
    return path


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
