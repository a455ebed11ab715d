"""Parts of an AnnData file that several readers look for: counts, coordinates, an image inside it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, SlideError
from histoscribe.core.files import atomic_path, cache_dir, digest
from histoscribe.io._assemble import finite_xy
from histoscribe.io._counts import as_counts, is_integer
from histoscribe.io._files import is_gzip, reading

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

__all__ = ["embedded_image", "find_coordinates", "find_counts", "open_anndata"]

#: obs columns (x, y) that are looked for, in this order, where there is no obsm["spatial"].
_COORDS = (
    ("pxl_col_in_fullres", "pxl_row_in_fullres"),
    ("x_pixel", "y_pixel"),
    ("pixel_x", "pixel_y"),
    ("imagecol", "imagerow"),
)


def open_anndata(path: Path) -> AnnData:
    """Read a whole file, or say why it is none.

    Raises
    ------
    DataError
        If it is compressed, damaged, or no AnnData.
    """
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


def find_counts(table: AnnData, name: str | None, where: str) -> tuple[Any, str]:
    """Return counts as ``(n, g)`` integer csr, and the slot that they come from.

    Parameters
    ----------
    table, where
        The file's content, and the section's name for messages.
    name
        ``"X"``, ``"raw"`` or a layer; None for the first of ``layers["counts"]``, ``X`` and ``raw`` that holds whole
        numbers.

    Raises
    ------
    DataError
        If there is no such slot, or it holds values that are no counts.
    """
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


def find_coordinates(table: AnnData, coords: str | None, where: str, notes: list[str]) -> np.ndarray:
    """Return ``(n, 2)`` float64 x, y of the observations: the columns named, ``obsm["spatial"]``, or known columns.

    Parameters
    ----------
    table, where
        The file's content, and the section's name for messages.
    coords
        Two obs columns ``"x,y"``, or None.
    notes
        Gets a line where obs columns are used.

    Raises
    ------
    CoordinateError
        If there are none, or an observation lacks one.
    """
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


def embedded_image(pixels: np.ndarray, where: str) -> Path:
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
