"""The scale of a HEST sample: which of its witnesses is believed, and what the others say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from histoscribe.core import keys
from histoscribe.core.errors import ScaleError
from histoscribe.core.units import check_mpp
from histoscribe.io._hest_identity import SCALES
from histoscribe.io._lattice import LAYOUTS, MPP_TOLERANCE, Layout, agree, detect_layout, fit_scale

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PLATFORMS", "Geometry", "Scale", "geometry_of", "hest_scale", "number"]

#: Names of `st_technology` -> ours.
PLATFORMS = {
    "Visium": "visium",
    "Visium HD": "visium-hd",
    "Xenium": "xenium",
    "Spatial Transcriptomics": "st-array",
}
#: Size of an observation and distance between neighbours, um. Visium HD and Xenium are pooled to squares of 128 and
#: 100 um, whatever the metadata say (2 and nothing; the paper's 55 um is wrong, HEST issues 39, 45, 46, 54 and 79).
_SIZES = {"visium": (55.0, 100.0), "visium-hd": (128.0, 128.0), "xenium": (100.0, 100.0), "st-array": (100.0, 200.0)}
_POOLED = ("visium-hd", "xenium")
#: Nearest neighbours of a square lattice are this equally far apart: interquartile range over median.
_EVEN = 0.02


@dataclass(frozen=True)
class Geometry:
    """What an observation is.

    Attributes
    ----------
    platform
        Reader-like name, e.g. ``"visium-hd"``.
    spot_um, pitch_um
        Size and distance, um, or None where unknown.
    square
        True for pooled bins, False for round spots.
    """

    platform: str
    spot_um: float | None
    pitch_um: float | None
    square: bool


@dataclass(frozen=True)
class Scale:
    """um per full-resolution px, and the geometry that goes with it."""

    mpp: float
    geometry: Geometry


def number(metadata: Mapping[str, Any], key: str) -> float | None:
    """Return a positive, finite number of the metadata, or None where they state none."""
    try:
        value = float(metadata[key])
    except (KeyError, TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None


def geometry_of(metadata: Mapping[str, Any]) -> Geometry:
    """Say what an observation is, by technology; legacy arrays differ, and state their own numbers."""
    name = " ".join(str(metadata.get("st_technology", "")).lower().split())
    platform = {k.lower(): v for k, v in PLATFORMS.items()}.get(name, name.replace(" ", "-") or "hest")
    spot, pitch = number(metadata, "spot_diameter"), number(metadata, "inter_spot_dist")
    usual = _SIZES.get(platform, (None, None))
    if platform in ("visium", *_POOLED):
        return Geometry(platform, *usual, square=platform in _POOLED)
    return Geometry(platform, spot or usual[0], pitch or usual[1], square=False)


def hest_scale(
    sample: str,
    metadata: Mapping[str, Any],
    obs: pd.DataFrame,
    full: np.ndarray,
    *,
    mpp: float | None,
    where: str,
    notes: list[str],
) -> Scale:
    """Decide um per full-resolution px.

    ``pixel_size_um_estimated`` is used; without it, the geometry of the array; the embedded size never (198 of the
    357 that are stated are more than 10 % off). Contradictions of more than 5 % are noted.

    Parameters
    ----------
    sample, metadata
        The sample's id and row.
    obs, full
        Table of the observations, and their ``(n, 2)`` centres in full-resolution px.
    mpp
        What the user states, um per full-resolution px, or None.
    where
        Name for messages.
    notes
        Gets a line for each contradiction.

    Raises
    ------
    ScaleError
        If nothing states a scale, or the user's agrees with none of the witnesses.
    """
    geometry = geometry_of(metadata)
    estimated, embedded = number(metadata, "pixel_size_um_estimated"), number(metadata, "pixel_size_um_embedded")
    derived, how = _derived(geometry, obs, full, notes)
    used, source = (estimated, "pixel_size_um_estimated") if estimated else (derived, how)
    if estimated is None and derived is not None:
        notes.append(f"the metadata state no pixel_size_um_estimated; um/px from the {how}")
    if used is None:
        used = check_mpp(
            mpp,
            where=f"{where} (its metadata state no pixel_size_um_estimated, its observations lie on no known array)",
        )
        notes.append("um/px as given; nothing else confirms it")
    else:
        check_mpp(used, where=f"{where}, {source}")
        _contradictions(used, {how: derived, "pixel_size_um_embedded": embedded}, source, notes)
        others = [v for v in (derived, *(SCALES[sample].value if sample in SCALES else ())) if v]
        used = _stated(used, mpp, others, where=where, how=source, notes=notes)
    return Scale(used, _pitch(geometry, full, used, notes, stated=number(metadata, "spot_diameter")))


def _derived(geometry: Geometry, obs: pd.DataFrame, full: np.ndarray, notes: list[str]) -> tuple[float | None, str]:
    """Return um/px by an array's own geometry, where observations have array coordinates of a known array."""
    if geometry.square or not {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(obs):
        # Pooled squares were cut at 100 or 128 um by the estimate itself, so they cannot confirm it.
        return None, ""
    array = obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(array).all() or len(array) < 3:
        return None, ""
    layout = _layout(geometry, array, full)
    if layout is None:
        return None, ""
    try:
        return fit_scale(array, full, layout, where="the array").mpp, f"geometry of the {layout.name}"
    except ScaleError as err:
        notes.append(f"the array coordinates cannot confirm um/px: {err}")
        return None, ""


def _layout(geometry: Geometry, array: np.ndarray, full: np.ndarray) -> Layout | None:
    if geometry.platform == "visium":
        return LAYOUTS["visium"]
    found = detect_layout(array, full)
    if geometry.platform == "st-array" and found is LAYOUTS["st-1k"] and geometry.pitch_um:
        step = geometry.pitch_um
        return Layout(f"array of {step:g} um", (step, step), step, geometry.spot_um or 0.0, staggered=False)
    return found if geometry.platform == "hest" and found is LAYOUTS["visium"] else None


def _contradictions(used: float, witnesses: Mapping[str, float | None], source: str, notes: list[str]) -> None:
    for name, value in witnesses.items():
        if value is not None and abs(value / used - 1) > MPP_TOLERANCE:
            notes.append(f"{source} says {used:.4g} um/px, which is used; {name} says {value:.4g}")


def _stated(used: float, mpp: float | None, others: list[float], *, where: str, how: str, notes: list[str]) -> float:
    """Return the user's um/px if any witness agrees with it: where they contradict each other, the user decides."""
    if mpp is not None and abs(mpp / used - 1) > MPP_TOLERANCE:
        for value in others:
            if abs(mpp / value - 1) <= MPP_TOLERANCE:
                notes.append(f"mpp={mpp:.4g} was given and is used in place of {how} ({used:.4g} um/px)")
                return check_mpp(mpp, where=where)
    return agree(used, mpp, where=where, how=how)


def _pitch(geometry: Geometry, full: np.ndarray, mpp: float, notes: list[str], *, stated: float | None) -> Geometry:
    """Compare the side of pooled squares with their distance; where they differ, the distance is right."""
    if not geometry.square or len(full) < 4:
        return geometry
    # Not by array coordinates: for Visium HD they are counted after empty bins were dropped, and shift.
    near = cKDTree(full).query(full, k=2)[0][:, 1] * mpp
    low, middle, high = np.percentile(near, [25, 50, 75])
    if middle > 0 and (high - low) / middle <= _EVEN:
        if abs(middle / geometry.pitch_um - 1) <= MPP_TOLERANCE:
            return geometry
        side = float(round(middle, 2))
        notes.append(f"observations are {side:g} um apart, not the usual {geometry.pitch_um:g}; their size is taken so")
        return Geometry(geometry.platform, side, side, square=True)
    notes.append(f"observations lie on no lattice, so they are no pooled squares of {geometry.pitch_um:g} um")
    return Geometry(geometry.platform, stated, None, square=False)
