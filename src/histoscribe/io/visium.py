"""10x Visium: the `outs` folder of Space Ranger 1 to 4, CytAssist and Visium HD bins included."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import DataError, ScaleError
from histoscribe.core.files import read_json
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import assemble, finite_xy, open_image
from histoscribe.io._counts import check_unique
from histoscribe.io._files import existing, first_existing, read_table, reading
from histoscribe.io._lattice import LAYOUTS, Layout, agree, fit_scale
from histoscribe.io._tenx import TenxMatrix, read_tenx

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["read_visium"]

LOOKS_FOR = "a folder with spatial/ or outs/spatial/"

_POSITIONS = ("barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres")
_IMAGES = {
    "hires": (["tissue_hires_image.png", "tissue_hires_image.jp*g", "*tissue_hires_image*"], "tissue_hires_scalef"),
    "lowres": (
        ["tissue_lowres_image.png", "tissue_lowres_image.jp*g", "*tissue_lowres_image*"],
        "tissue_lowres_scalef",
    ),
}
#: Space Ranger's fiducial circles are 105 um across; its own files reproduce that to 0.5 %.
_FIDUCIAL_UM = 105.0


@dataclass(frozen=True)
class _Image:
    path: Path | None
    scale: float
    note: str | None


def looks_like(path: Path) -> bool:
    """Say whether `path` is a folder of Space Ranger."""
    return any((path / part / "spatial").is_dir() for part in (".", "outs"))


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
    checked against the fiducial diameter of ``scalefactors_json.json``; Visium HD states it itself.

    Parameters
    ----------
    path
        The ``outs`` folder, the folder above it, or an HD folder ``square_008um``.
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
    name = name or _name(outs)
    where = f"section {name!r}"
    counts = read_tenx(_matrix_path(outs, matrix))
    positions_path, positions = _positions(outs, where)
    factors_path = existing(
        outs / "spatial" / "scalefactors_json.json", what="scale factors", remedy="Copy Space Ranger's spatial folder."
    )
    factors = _factors(factors_path)
    chosen = _choose_image(outs, image, factors, scale)
    table, rows, notes = _join(counts, positions, where, in_tissue=in_tissue)
    full = finite_xy(table["pxl_col_in_fullres"], table["pxl_row_in_fullres"], where=where)
    layout, derived = _scale(table, full, factors, positions, where=where, mpp=mpp, scale=chosen.scale)
    used = agree(derived / chosen.scale, mpp, where=where, how=f"the {layout.name}")
    slide = None if chosen.path is None else open_image(chosen.path, where=where)
    obs = table[["in_tissue", "array_row", "array_col"]].astype(int)
    notes = [*counts.notes, *notes, *([chosen.note] if chosen.note else [])]
    section = assemble(
        counts.matrix[rows],
        obs,
        counts.var,
        full * chosen.scale,
        files=[*counts.files, positions_path, factors_path],
        donor=donor,
        name=name,
        notes=notes,
        slide=slide,
        mpp=used,
        species=species or counts.species,
        platform="visium-hd" if "bin_size_um" in factors else "visium",
        spot_um=layout.spot_um,
        pitch_um=layout.pitch_um,
    )
    # What `check` tries when spots do not lie on tissue: the mix-ups that this very folder makes possible.
    section.table.uns[keys.UNS]["scale_factors"] = [
        float(factors[k]) for _, k in _IMAGES.values() if factors.get(k) is not None
    ]
    return section


def _outs(path: Path) -> Path:
    path = existing(path, what="Space Ranger folder", remedy="Check the path.")
    for folder in (path, path / "outs"):
        if (folder / "spatial").is_dir():
            return folder
    msg = f"{path} has no spatial/ folder (nor outs/spatial/). Give the outs folder of Space Ranger."
    raise DataError(msg)


def _name(outs: Path) -> str:
    outs = outs.resolve()
    return outs.parent.name if outs.name == "outs" else outs.name


def _matrix_path(outs: Path, matrix: str) -> Path:
    if matrix not in ("filtered", "raw"):
        return existing(matrix, what="feature-barcode matrix", remedy="Give matrix=filtered, raw or a path.")
    kinds = ["filtered", "raw"] if matrix == "filtered" else ["raw"]
    patterns = [
        f"{prefix}{kind}_feature_bc_matrix{end}" for kind in kinds for end in (".h5", "") for prefix in ("", "*")
    ]
    found = first_existing(outs, patterns)
    if found is None:
        have = ", ".join(sorted(p.name for p in outs.iterdir())[:8])
        msg = (
            f"{outs} has no {matrix}_feature_bc_matrix.h5 and no such folder (it has {have}). Copy the matrix beside "
            "spatial/, or give matrix=<path>."
        )
        raise DataError(msg)
    return found


def _positions(outs: Path, where: str) -> tuple[Path, pd.DataFrame]:
    patterns = [f"tissue_positions{end}" for end in (".csv", ".parquet", "_list.csv", "_list.txt", "*.csv*")]
    path = first_existing(outs / "spatial", patterns)
    if path is None:
        msg = f"{where}: {outs / 'spatial'} has no tissue_positions file. Copy Space Ranger's whole spatial folder."
        raise DataError(msg)
    if path.suffix == ".parquet":
        with reading(path, what="positions"):
            try:
                table = pd.read_parquet(path)
            except ValueError as err:
                msg = f"positions {path} is not Parquet ({err}). Copy or download it again."
                raise DataError(msg) from err
    else:
        table = read_table(path, what="positions", columns=_POSITIONS, header=None)
    lacking = [c for c in _POSITIONS if c not in table]
    if lacking:
        msg = f"positions {path} lacks the column(s) {', '.join(lacking)}. Give Space Ranger's own file."
        raise DataError(msg)
    table = table.set_index("barcode")
    check_unique(table.index, what="barcode", where=f"positions {path}")
    numbers = table[list(_POSITIONS[1:])].apply(pd.to_numeric, errors="coerce")
    if numbers.isna().to_numpy().any():
        msg = (
            f"positions {path}: {int(numbers.isna().any(axis=1).sum())} rows hold values that are not numbers; it "
            "is truncated or damaged. Copy or download it again."
        )
        raise DataError(msg)
    return path, numbers


def _factors(path: Path) -> dict[str, Any]:
    factors = read_json(path)
    if not isinstance(factors, dict):
        msg = f"scale factors {path} is not a JSON object. Copy Space Ranger's own file."
        raise DataError(msg)
    for key in ("tissue_hires_scalef", "tissue_lowres_scalef"):
        value = factors.get(key)
        if value is not None and not (isinstance(value, int | float) and 0 < value <= 1):
            msg = f"scale factors {path}: {key} is {value!r}, not between 0 and 1. Copy Space Ranger's own file."
            raise ScaleError(msg)
    return factors


def _choose_image(outs: Path, image: str | None, factors: dict[str, Any], scale: float | None) -> _Image:
    if image == "none":
        return _Image(None, 1.0, None)
    folder = outs / "spatial"
    own = {kind: first_existing(folder, patterns) for kind, (patterns, _) in _IMAGES.items()}
    if image is not None and image not in _IMAGES:
        given = Path(image)
        same = [k for k, p in own.items() if p is not None and given.exists() and p.samefile(given)]
        if not same:
            return _Image(given, 1.0 if scale is None else scale, None)
        image = same[0]
    kinds = [image] if image else [k for k in _IMAGES if own[k] is not None] or ["hires"]
    kind = kinds[0]
    key = _IMAGES[kind][1]
    path = own[kind] or folder / f"tissue_{kind}_image.png"
    if scale is not None:
        msg = f"scale= belongs to an image of your own; tissue_{kind}_image has its factor in {folder}. Leave it out."
        raise ScaleError(msg)
    if factors.get(key) is None:
        msg = f"{folder} has no {key} in scalefactors_json.json, so {path.name} cannot be used. Give image=<path>."
        raise ScaleError(msg)
    note = None if image else f"no image was named, so the {kind} image is used; give image=<full-resolution image>"
    return _Image(path, float(factors[key]), note)


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


def _scale(
    table: pd.DataFrame,
    full: np.ndarray,
    factors: dict[str, Any],
    positions: pd.DataFrame,
    *,
    where: str,
    mpp: float | None,
    scale: float,
) -> tuple[Layout, float]:
    """Return the array's geometry and um per full-resolution px."""
    if "bin_size_um" in factors:
        size = float(factors["bin_size_um"])
        layout = Layout(f"Visium HD array of {size:g} um bins", (size, size), size, size, staggered=False)
    else:
        layout = LAYOUTS["visium"]
    # All positions, not only those under tissue: more spots, the same array.
    array, xy = positions[["array_col", "array_row"]], positions[["pxl_col_in_fullres", "pxl_row_in_fullres"]]
    try:
        derived = fit_scale(array.to_numpy(), xy.to_numpy(), layout, where=where).mpp
    except ScaleError:
        if mpp is None:
            raise
        # The user's own number is the way out that the error offers.
        return layout, check_mpp(mpp, where=where) * scale
    _cross_check(derived, factors, where)
    return layout, derived


def _cross_check(derived: float, factors: dict[str, Any], where: str) -> None:
    """Compare the derived um/px with the folder's other witnesses of scale."""
    stated = factors.get("microns_per_pixel")
    if stated is None and "bin_size_um" not in factors and factors.get("fiducial_diameter_fullres"):
        stated = _FIDUCIAL_UM / float(factors["fiducial_diameter_fullres"])
    if stated is not None and abs(float(stated) / derived - 1) > 0.05:
        msg = (
            f"{where}: the spot positions say {derived:.4g} um/px, scalefactors_json.json {float(stated):.4g}. "
            "The two belong to different images; copy the spatial folder of one run."
        )
        raise ScaleError(msg)
