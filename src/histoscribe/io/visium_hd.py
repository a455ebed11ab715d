"""10x Visium HD: bins of 2, 8 or 16 um, pooled to squares of any multiple, or segmented cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import DataError, ScaleError
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import assemble, open_image
from histoscribe.io._files import existing
from histoscribe.io._hd_cells import read_cells
from histoscribe.io._hd_counts import sum_squares
from histoscribe.io._hd_lattice import bin_names, read_squares
from histoscribe.io._lattice import Layout, agree, fit_scale
from histoscribe.io._region import in_region
from histoscribe.io._space_ranger import (
    BIN_FOLDER,
    choose_image,
    cross_check,
    holds_hd,
    image_factors,
    matrix_path,
    positions_path,
    read_factors,
)

if TYPE_CHECKING:
    from histoscribe.core.section import Section
    from histoscribe.io._hd_lattice import Squares

__all__ = ["read_visium_hd"]

LOOKS_FOR = "a folder with binned_outputs/, or a folder square_008um"


def looks_like(path: Path) -> bool:
    """Say whether `path` is a folder of Visium HD."""
    return path.is_dir() and holds_hd(path)


def read_visium_hd(
    path: Path,
    *,
    bin_um: int | None = None,
    pool_um: float | None = None,
    cells: bool = False,
    region: str | None = None,
    image: str | None = None,
    matrix: str = "filtered",
    in_tissue: bool = True,
    max_gb: float = 2.0,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
    scale: float | None = None,
) -> Section:
    """Read bins of Visium HD, or squares of several bins.

    um/px comes from the regression of the pixel positions on the array, and is checked against ``microns_per_pixel``
    of ``scalefactors_json.json``. Counts are read in chunks and summed as they come, so a whole slide of 2 um bins
    needs little more memory than its sum.

    Parameters
    ----------
    path
        The ``outs`` folder, the folder above it, ``binned_outputs``, or one folder ``square_008um``.
    bin_um
        Which bins to read, um; by default 8, or the only ones that there are.
    pool_um
        Edge of the squares that bins are summed into, um: a multiple of `bin_um`. Squares start at the array's corner,
        so row and column (and the name) of a square do not depend on which bins hold counts.
    cells
        Read the cells of ``segmented_outputs`` (Space Ranger 4) instead of bins.
    region
        Read only observations whose centre lies in ``"x0,y0,x1,y1um"`` or ``"x0,y0,x1,y1px"``, from the image's
        top-left corner.
    image
        ``"hires"`` or ``"lowres"`` of the folder, the path of the full-resolution image, or ``"none"``; by default
        hires, else lowres.
    matrix
        ``"filtered"`` (else raw, where there is no filtered one), ``"raw"``, or a path.
    in_tissue
        Keep only the bins under tissue.
    max_gb
        Refuse counts that take more memory, GB; 2 is 250 million nonzeros.
    name, donor, species
        Names; the name defaults to the run's folder.
    mpp
        um per px of the image; must agree with the derived one.
    scale
        px of the image per full-resolution px, for an image that you resized.

    Returns
    -------
    Section whose ``obsm["spatial"]`` is in px of the image that was chosen; where bins are pooled, ``obs["n_bins"]``
    says how many each square holds.
    """
    path = existing(path, what="Visium HD folder", remedy="Check the path.")
    if cells:
        options = {"image": image, "region": region, "name": name or _name(path), "donor": donor, "species": species}
        if (bin_um, pool_um) != (None, None):
            msg = f"cells=true reads segmented cells, which have no bin_um or pool_um ({path}). Leave them out."
            raise DataError(msg)
        return read_cells(path, mpp=mpp, scale=scale, **options)
    folder, size = _bins(path, bin_um)
    name = name or _name(folder)
    where = f"section {name!r}"
    factors_path = folder / "spatial" / "scalefactors_json.json"
    factors = read_factors(factors_path)
    if float(factors.get("bin_size_um", size)) != size:
        msg = f"{where}: {factors_path} states bins of {factors['bin_size_um']} um, its folder {size:g}. Copy one run."
        raise ScaleError(msg)
    chosen = choose_image(folder, image, factors, scale, also=_outs(folder))
    bins_path = positions_path(folder, where)
    squares = read_squares(bins_path, bin_um=size, factor=_factor(size, pool_um, where), where=where)
    derived = _scale(squares, where=where, mpp=None if mpp is None else mpp * chosen.scale)
    cross_check(derived, factors, where)
    used = agree(derived / chosen.scale, mpp, where=where, how=f"the array of {size:g} um bins")
    xy = squares.xy * chosen.scale
    wanted = np.isfinite(xy[:, 0]) if region is None else in_region(xy, region, mpp=used, where=where)
    counts = sum_squares(matrix_path(folder, matrix), squares, wanted, in_tissue=in_tissue, max_gb=max_gb, where=where)
    slide = None if chosen.path is None else open_image(chosen.path, where=where)
    notes = [*counts.notes, *([chosen.note] if chosen.note else [])]
    if squares.factor > 1:
        notes.append(f"{squares.factor} x {squares.factor} bins of {size:g} um are summed into {squares.size_um:g} um")
    section = assemble(
        counts.matrix,
        _obs(squares, counts.squares, counts.n_bins),
        counts.genes.var,
        xy[counts.squares],
        files=[*counts.files, bins_path, factors_path],
        donor=donor,
        name=name,
        notes=notes,
        slide=slide,
        mpp=used,
        species=species or counts.genes.species,
        platform="visium-hd",
        spot_um=squares.size_um,
        pitch_um=squares.size_um,
    )
    # What `check` tries when squares do not lie on tissue: the mix-ups that this very folder makes possible.
    section.table.uns[keys.UNS]["scale_factors"] = image_factors(factors)
    return section


def _bins(path: Path, bin_um: int | None) -> tuple[Path, float]:
    """Choose the folder of bins."""
    if (path / "spatial").is_dir() and not (path / "binned_outputs").is_dir():
        stated = read_factors(path / "spatial" / "scalefactors_json.json").get("bin_size_um")
        if stated is None:
            msg = f"{path} holds spots of Visium, not bins of Visium HD. Read it as visium:{path}."
            raise DataError(msg)
        found = {float(stated): path}
    else:
        places = (path / "binned_outputs", path / "outs" / "binned_outputs", path)
        folders = next((f for p in places if (f := sorted(p.glob(BIN_FOLDER)))), [])
        found = {float(f.name[7:10]): f for f in folders if f.is_dir()}
    if not found:
        msg = f"{path} has no binned_outputs/square_008um (or _002um, _016um). Give the outs folder of Space Ranger."
        raise DataError(msg)
    wanted = bin_um if bin_um is not None else 8 if 8.0 in found else min(found) if len(found) == 1 else None
    if wanted is None or float(wanted) not in found:
        asked = "8 um bins, the default" if bin_um is None else f"{bin_um} um bins"
        msg = (
            f"{path} has no {asked}, only {', '.join(f'{s:g}' for s in sorted(found))} um. Give bin_um={min(found):g}."
        )
        raise DataError(msg)
    return found[float(wanted)], float(wanted)


def _outs(folder: Path) -> Path | None:
    """Return the run's folder, whose spatial/ may hold the reduced images that bins lack."""
    return folder.parent.parent if folder.parent.name == "binned_outputs" else None


def _name(folder: Path) -> str:
    folder = folder.resolve()
    while folder.name in ("outs", "binned_outputs", "segmented_outputs") or folder.match(BIN_FOLDER):
        folder = folder.parent
    return folder.name


def _factor(size: float, pool_um: float | None, where: str) -> int:
    if pool_um is None:
        return 1
    factor = round(pool_um / size)
    if factor < 1 or factor * size != pool_um:
        near = max(1, factor) * size
        msg = f"{where}: pool_um={pool_um:g} is not a multiple of the {size:g} um bins. Give e.g. pool_um={near:g}."
        raise ScaleError(msg)
    return factor


def _scale(squares: Squares, *, where: str, mpp: float | None) -> float:
    """Return um per full-resolution px; `mpp` is the user's, in the same px."""
    size = squares.bin_um
    layout = Layout(f"Visium HD array of {size:g} um bins", (size, size), size, size, staggered=False)
    try:
        return fit_scale(squares.array, squares.array_xy, layout, where=where).mpp
    except ScaleError:
        if mpp is None:
            raise
        # The user's own number is the way out that the error offers.
        return check_mpp(mpp, where=where)


def _obs(squares: Squares, ids: np.ndarray, n_bins: np.ndarray) -> pd.DataFrame:
    row, column = np.divmod(ids, squares.shape[1])
    obs = pd.DataFrame(
        {"in_tissue": (squares.n_tissue[ids] > 0).astype(int), keys.ARRAY_ROW: row, keys.ARRAY_COL: column},
        index=pd.Index(bin_names(squares.size_um, row, column), dtype=object),
    )
    if squares.factor > 1:
        obs["n_bins"] = n_bins
    return obs
