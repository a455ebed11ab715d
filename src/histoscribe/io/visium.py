"""10x Visium: the `outs` folder of Space Ranger 1 to 4, CytAssist included (HD bins: `visium_hd`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import DataError, ScaleError
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import assemble, finite_xy, open_image
from histoscribe.io._files import existing
from histoscribe.io._lattice import LAYOUTS, agree, fit_scale
from histoscribe.io._space_ranger import (
    choose_image,
    cross_check,
    holds_hd,
    image_factors,
    matrix_path,
    positions_path,
    read_factors,
    read_positions,
    run_name,
)
from histoscribe.io._tenx import TenxMatrix, read_tenx

if TYPE_CHECKING:
    from pathlib import Path

    from histoscribe.core.section import Section

__all__ = ["read_visium"]

LOOKS_FOR = "a folder with spatial/ or outs/spatial/"


def looks_like(path: Path) -> bool:
    """Say whether `path` is a folder of Space Ranger with spots, not HD bins."""
    return any((path / part / "spatial").is_dir() for part in (".", "outs")) and not holds_hd(path)


def read_visium(
    path: Path,
    *,
    image: str | None = None,
    matrix: str = "filtered",
    in_tissue: bool = True,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
    scale: float | None = None,
) -> Section:
    """Read the output of Space Ranger.

    um/px comes from the regression of the pixel positions on the array (spots 100 um apart, rows 87 um), and is
    checked against the fiducial diameter of ``scalefactors_json.json``.

    Parameters
    ----------
    path
        The ``outs`` folder, or the folder above it.
    image
        ``"hires"`` or ``"lowres"`` of the folder, the path of the full-resolution image, or ``"none"``; by default
        hires, else lowres.
    matrix
        ``"filtered"`` (else raw, where there is no filtered one), ``"raw"``, or a path.
    in_tissue
        Keep only the spots under tissue.
    name, donor, species
        Names; the name defaults to the folder's.
    mpp
        um per px of the image; must agree with the derived one.
    scale
        px of the image per full-resolution px, for an image that you resized.

    Returns
    -------
    Section whose ``obsm["spatial"]`` is in px of the image that was chosen.
    """
    outs = _outs(path)
    name = name or run_name(outs)
    where = f"section {name!r}"
    counts = read_tenx(matrix_path(outs, matrix))
    spots_path = positions_path(outs, where)
    positions = read_positions(spots_path)
    factors_path = outs / "spatial" / "scalefactors_json.json"
    factors = read_factors(factors_path)
    chosen = choose_image(outs, image, factors, scale)
    table, rows, notes = _join(counts, positions, where, in_tissue=in_tissue)
    full = finite_xy(table["pxl_col_in_fullres"], table["pxl_row_in_fullres"], where=where)
    layout, derived = LAYOUTS["visium"], _scale(factors, positions, where=where, mpp=mpp, scale=chosen.scale)
    used = agree(derived / chosen.scale, mpp, where=where, how=f"the {layout.name}")
    slide = None if chosen.path is None else open_image(chosen.path, where=where)
    obs = table[["in_tissue", "array_row", "array_col"]].astype(int)
    notes = [*counts.notes, *notes, *([chosen.note] if chosen.note else [])]
    section = assemble(
        counts.matrix[rows],
        obs,
        counts.var,
        full * chosen.scale,
        files=[*counts.files, spots_path, factors_path],
        donor=donor,
        name=name,
        notes=notes,
        slide=slide,
        mpp=used,
        species=species or counts.species,
        platform="visium",
        spot_um=layout.spot_um,
        pitch_um=layout.pitch_um,
    )
    # What `check` tries when spots do not lie on tissue: the mix-ups that this very folder makes possible.
    section.table.uns[keys.UNS]["scale_factors"] = image_factors(factors)
    return section


def _outs(path: Path) -> Path:
    path = existing(path, what="Space Ranger folder", remedy="Check the path.")
    if holds_hd(path):
        msg = f"{path} holds bins of Visium HD, not spots. Read it as visium-hd:{path}."
        raise DataError(msg)
    for folder in (path, path / "outs"):
        if (folder / "spatial").is_dir():
            return folder
    msg = f"{path} has no spatial/ folder (nor outs/spatial/). Give the outs folder of Space Ranger."
    raise DataError(msg)


def _join(
    counts: TenxMatrix, positions: pd.DataFrame, where: str, *, in_tissue: bool
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    known = counts.barcodes.isin(positions.index)
    if not known.any():
        msg = (
            f"{where}: no barcode of the matrix (e.g. {counts.barcodes[0]}) is in the positions (e.g. "
            f"{next(iter(positions.index), 'none')}). Give the matrix and the spatial folder of one run."
        )
        raise DataError(msg)
    notes = []
    if not known.all():
        notes.append(f"{int((~known).sum())} barcodes of the matrix have no position and are left out")
    rows = np.flatnonzero(known)
    table = positions.loc[counts.barcodes[rows]]
    if in_tissue:
        under = (table["in_tissue"] == 1).to_numpy()
        if not under.any():
            msg = f"{where}: none of {len(table)} spots is marked in_tissue. Give in_tissue=false to keep all of them."
            raise DataError(msg)
        if not under.all():
            notes.append(f"{int((~under).sum())} spots outside the tissue (in_tissue = 0) are left out")
        table, rows = table[under], rows[under]
    return table, rows, notes


def _scale(factors: dict[str, Any], positions: pd.DataFrame, *, where: str, mpp: float | None, scale: float) -> float:
    """Return um per full-resolution px."""
    # All positions, not only those under tissue: more spots, the same array.
    array, xy = positions[["array_col", "array_row"]], positions[["pxl_col_in_fullres", "pxl_row_in_fullres"]]
    try:
        derived = fit_scale(array.to_numpy(), xy.to_numpy(), LAYOUTS["visium"], where=where).mpp
    except ScaleError:
        if mpp is None:
            raise
        # The user's own number is the way out that the error offers.
        return check_mpp(mpp, where=where) * scale
    cross_check(derived, factors, where)
    return derived
