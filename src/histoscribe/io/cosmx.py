"""NanoString CosMx SMI: cells, or pseudo-spots on a grid, alone or on an aligned H&E image."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from histoscribe.core.errors import DataError
from histoscribe.core.units import check_mpp
from histoscribe.io._alignment import Frame, place
from histoscribe.io._assemble import finite_xy
from histoscribe.io._counts import check_unique
from histoscribe.io._files import existing, first_existing, open_text, read_table
from histoscribe.io._in_situ import Cells, in_situ_section, join, read_wide_counts, without_controls
from histoscribe.io._molecules import Molecules

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["read_cosmx"]

LOOKS_FOR = "a folder with *exprMat_file.csv and *metadata_file.csv"

#: um per global px of the instrument. Source: NanoString's description of the flat files (1 um = 8.31393 px); the first
#: public data (lung, 2022, a prototype) have 0.18.
_PIXEL_UM = 0.12028
_CONTROL = re.compile(r"neg(prb|ative|add)|systemcontrol|falsecode", re.IGNORECASE)
_IDS = ("fov", "cell_ID", "cell", "slide_ID")


def looks_like(path: Path) -> bool:
    """Say whether `path` is a folder of CosMx."""
    return path.is_dir() and any(path.glob("*exprMat_file.csv*")) and any(path.glob("*metadata_file.csv*"))


def read_cosmx(
    path: Path,
    *,
    image: str | None = None,
    alignment: str | None = None,
    grid_um: float | None = None,
    grid_from: Literal["transcripts", "cells"] | None = None,
    px_um: float | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Read the flat files of CosMx: cells, or squares of a grid, without negative probes.

    Without an H&E image positions are CosMx's own global pixels, over all fields of view.

    Parameters
    ----------
    path
        The folder of the flat files.
    image
        H&E image of the same section, or ``"none"`` (the default).
    alignment
        A 3 x 3 affine (H&E px to global px), or a table of key points (fixedX, fixedY in global px; alignmentX,
        alignmentY on the H&E image); ``"identity"`` for an image in global px.
    grid_um
        Sum on squares of this edge, um, instead of reading cells.
    grid_from
        Sum ``"transcripts"`` (the default where there are any) or ``"cells"``.
    px_um
        um per global px; by default what the file of fields of view says, where it has both px and mm, else the
        instrument's 0.12028.
    name, donor, species
        Names; the name defaults to the folder's.
    mpp
        um per px of the image; must agree with the alignment's.
    """
    folder = existing(path, what="CosMx folder", remedy="Check the path.")
    name = name or folder.resolve().name
    where = f"section {name!r}"
    counts_path, about_path = _files(folder, where)
    pixel, note = _pixel_um(folder, px_um, where)
    frame = Frame.scaled(pixel, "CosMx global px", ("cellcomposite", "celloverlay", "morphology"), note)
    placement = place(frame, folder, image=image, alignment=alignment, mpp=mpp, where=where)
    with open_text(counts_path, what="exprMat") as handle:
        header = [c.strip('"\r\n') for c in handle.readline().split(",")]
    n_ids = next((i for i, c in enumerate(header) if c not in _IDS), len(header))
    matrix, ids, genes = read_wide_counts(counts_path, ids=n_ids, what="exprMat")
    matrix, var, notes = without_controls(matrix, genes, lambda g: bool(_CONTROL.match(g)), "negative probes")
    # Cell 0 of a field of view is everything outside its cells.
    real = (_column(ids, "cell_ID", counts_path) != "0").to_numpy()
    if not real.all():
        notes.append(f"{int((~real).sum())} rows of molecules outside cells (cell_ID 0) are left out")
    names = _names(ids[real], counts_path)
    matrix = matrix[np.flatnonzero(real)]
    about = _metadata(about_path)
    rows, more = join(names, about.index, where=where, files=(counts_path, about_path))
    about = about.loc[names[rows]]
    xy = finite_xy(about["CenterX_global_px"], about["CenterY_global_px"], where=where) * pixel
    cells = Cells(matrix[rows], about, var, xy, [counts_path, about_path], [*notes, *more])
    transcripts = first_existing(folder, ("*tx_file.parquet", "*tx_file.csv*"))
    molecules = None
    if transcripts is not None:
        molecules = Molecules(transcripts, "target", "x_global_px", "y_global_px", unit_um=pixel)
    options = {"grid_um": grid_um, "grid_from": grid_from, "name": name, "donor": donor, "species": species}
    return in_situ_section(cells, molecules, placement, platform="cosmx", **options)


def _files(folder: Path, where: str) -> tuple[Path, Path]:
    found = [first_existing(folder, [f"*{stem}.csv", f"*{stem}.csv*"]) for stem in ("exprMat_file", "metadata_file")]
    if found[0] is None or found[1] is None:
        missing = "exprMat_file.csv" if found[0] is None else "metadata_file.csv"
        have = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) if folder.is_dir() else "a file"
        msg = f"{where}: {folder} has no *{missing} (it has {have}). Give the folder of the flat files of one slide."
        raise DataError(msg)
    return found[0], found[1]


def _pixel_um(folder: Path, given: float | None, where: str) -> tuple[float, str]:
    if given is not None:
        return check_mpp(given, where=f"{where}: px_um", remedy="Give px_um=0.12028."), f"{given:g} um/px as given"
    path = first_existing(folder, ("*fov_positions_file.csv*",))
    if path is not None:
        table = read_table(path, what="fields of view", columns=[])
        table.columns = [str(c).lower() for c in table.columns]
        if {"x_global_px", "x_global_mm", "y_global_px", "y_global_mm"} <= set(table):
            spans = [
                np.ptp(table[[f"x_global_{u}", f"y_global_{u}"]].to_numpy(dtype=np.float64), 0) for u in ("px", "mm")
            ]
            if spans[0].sum() > 0:
                scale = float(np.hypot(*spans[1]) / np.hypot(*spans[0]) * 1000)
                derived = check_mpp(scale, where=f"{where}: {path.name}", remedy="Give px_um=<um per px>.")
                return derived, f"{derived:.5g} um per global px, from px and mm of {path.name}"
    return _PIXEL_UM, f"global px are taken to be {_PIXEL_UM} um, the instrument's; give px_um= for another one"


def _column(table: pd.DataFrame, name: str, path: Path) -> pd.Series:
    if name not in table:
        msg = f"{path} has no column {name} among its first ({', '.join(table.columns)}). Give CosMx's own flat file."
        raise DataError(msg)
    return table[name]


def _names(table: pd.DataFrame, path: Path) -> pd.Index:
    """Name cells ``<fov>_<cell_ID>``: a cell_ID is unique within its field of view only."""
    names = pd.Index(_column(table, "fov", path).astype(str) + "_" + _column(table, "cell_ID", path).astype(str))
    check_unique(names, what="cell", where=str(path))
    return names.astype(object)


def _metadata(path: Path) -> pd.DataFrame:
    table = read_table(path, what="metadata", columns=["fov", "cell_ID", "CenterX_global_px", "CenterY_global_px"])
    table.index = _names(table, path)
    return table
