"""The scale of an STimage-1K4M slide: from the radius of its spots, compared with their distance."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from histoscribe.core import keys
from histoscribe.core.errors import ScaleError
from histoscribe.core.units import check_mpp
from histoscribe.io._lattice import LAYOUTS, MPP_TOLERANCE, agree, fit_scale, is_staggered

__all__ = ["TECHNOLOGIES", "SlideScale", "array_of", "slide_scale"]

#: The data set's folders -> our platforms.
TECHNOLOGIES = {"ST": "st-array", "Visium": "visium", "VisiumHD": "visium-hd"}

#: Arrays that a folder can hold: diameter of a spot and distance of neighbours, um.
_ARRAYS = {
    "Visium": (("Visium", 55.0, 100.0),),
    # The second is the array of the squamous cell carcinoma set, 110 um spots 150 um apart.
    "ST": (("ST 1k array", 100.0, 200.0), ("ST array of 150 um", 110.0, 150.0), ("ST 2k array", 100.0, 142.9)),
}
_PLACE = re.compile(r"(\d+)x(\d+)")
_BIN = re.compile(r"s_0*(\d+)um_(\d+)_(\d+)")


@dataclass(frozen=True)
class SlideScale:
    """um per px of the coordinates, and the spots' size and distance, um (None where unknown)."""

    mpp: float
    spot_um: float | None
    pitch_um: float | None


def array_of(spots: pd.Index) -> tuple[pd.DataFrame, np.ndarray | None]:
    """Return `obs` for spots, with array coordinates where their names hold them, and these as ``(n, 2)`` column, row.

    Names of legacy arrays are ``<column>x<row>``, those of Visium HD ``s_008um_<row>_<column>-1``.
    """
    obs = pd.DataFrame(index=spots)
    places = [_PLACE.fullmatch(s) for s in spots]
    if all(places):
        column, row = (np.array([int(m[i]) for m in places if m]) for i in (1, 2))
    elif all(bins := [_BIN.match(s) for s in spots]):
        row, column = (np.array([int(m[i]) for m in bins if m]) for i in (2, 3))
    else:
        return obs, None
    obs[keys.ARRAY_ROW], obs[keys.ARRAY_COL] = row, column
    return obs, np.column_stack([column, row])


def slide_scale(
    technology: str,
    xy: np.ndarray,
    radius: pd.Series,
    array: np.ndarray | None,
    *,
    mpp: float | None,
    where: str,
    notes: list[str],
) -> SlideScale:
    """Decide um/px.

    Parameters
    ----------
    technology
        Name of the folder, a key of `TECHNOLOGIES`.
    xy, radius
        ``(n, 2)`` centres and ``(n,)`` radii, px.
    array
        ``(n, 2)`` column and row, or None.
    mpp
        What the user states, um per px of `xy`, or None.
    where
        Name for messages.
    notes
        Gets a line on where the scale comes from.

    Raises
    ------
    ScaleError
        If radius and distance contradict each other, nothing states a size, or the user's um/px does not agree.
    """
    r = _radius(radius, where)
    if technology == "VisiumHD":
        return _bins(xy, r, mpp=mpp, where=where, notes=notes, names=radius.index)
    spacing = _distance(technology, xy, array, where)
    arrays = _ARRAYS[technology]
    if spacing is None:
        name, spot, pitch = arrays[0]
        notes.append(f"um/px from the radius of the spots as on the {name}; their distance cannot confirm it")
        return SlideScale(agree(spot / 2 / r, mpp, where=where, how="the radius of its spots"), spot, pitch)
    staggered = array is not None and bool(is_staggered(array[:, 0], array[:, 1]))
    for name, spot, pitch in arrays:
        # The 150 um and the 2k array are alike in this ratio, and only the latter is staggered.
        if technology == "ST" and staggered != (name == "ST 2k array"):
            continue
        if abs(spacing / (2 * r) / (pitch / spot) - 1) <= MPP_TOLERANCE:
            derived = spot / 2 / r
            notes.append(f"um/px from the radius of the spots ({name}); their distance says {pitch / spacing:.4g}")
            return SlideScale(agree(derived, mpp, where=where, how="the radius of its spots"), spot, pitch)
    if mpp is not None:
        used = check_mpp(mpp, where=where)
        notes.append("um/px as given: radius and distance of the spots contradict each other")
        return SlideScale(used, None, spacing * used)
    known = ", ".join(f"{pitch / spot:.2f} on the {name}" for name, spot, pitch in arrays)
    msg = (
        f"{where}: its spots have a radius of {r:.4g} px and are {spacing:.4g} px apart, {spacing / 2 / r:.2f} "
        f"diameters, which is no known array ({known}). Give mpp=<um per pixel>."
    )
    raise ScaleError(msg)


def _radius(radius: pd.Series, where: str) -> float:
    values = pd.to_numeric(radius, errors="coerce").to_numpy(dtype=np.float64)
    r = float(np.median(values)) if len(values) else np.nan
    if not np.isfinite(values).all() or r <= 0 or np.ptp(values) > 0.01 * r:
        low, high = (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else (np.nan, np.nan)
        msg = (
            f"{where}: radii r of its spots run from {low:g} to {high:g} px; they must be one number above 0. Download "
            "its coordinates again."
        )
        raise ScaleError(msg)
    return r


def _distance(technology: str, xy: np.ndarray, array: np.ndarray | None, where: str) -> float | None:
    """Return the distance of neighbours in px: by regression on the array where it is known, else of nearest pairs."""
    if technology != "ST":
        return _nearest(xy)
    if array is None:
        return None
    # Printed spots jitter, so their nearest neighbours are nearer than the array's step.
    layout = LAYOUTS["st-2k" if is_staggered(array[:, 0], array[:, 1]) else "st-1k"]
    try:
        return layout.pitch_um / fit_scale(array, xy, layout, where=where).mpp
    except ScaleError:
        return None


def _nearest(xy: np.ndarray) -> float | None:
    if len(xy) < 4:
        return None
    near = cKDTree(xy).query(xy, k=2)[0][:, 1]
    return float(np.median(near)) or None


def _bins(xy: np.ndarray, r: float, *, mpp: float | None, where: str, notes: list[str], names: pd.Index) -> SlideScale:
    found = {m[1] for m in map(_BIN.match, names) if m}
    spacing = _nearest(xy)
    if len(found) == 1 and spacing is not None:
        size = float(found.pop())
        if abs(2 * r / spacing - 1) > MPP_TOLERANCE:
            notes.append(f"r is {r:.4g} px, but half a bin is {spacing / 2:.4g} px; the distance of the bins is used")
        notes.append(f"um/px from the distance of bins of {size:g} um")
        return SlideScale(agree(size / spacing, mpp, where=where, how=f"its bins of {size:g} um"), size, size)
    used = check_mpp(
        mpp,
        where=f"{where} (Visium HD whose spots' names do not state the size of a bin)",
        remedy="Give mpp=<um per pixel>; bins are 2, 8 or 16 um.",
    )
    size = None if spacing is None else round(spacing * used, 2)
    return SlideScale(used, size, size)
