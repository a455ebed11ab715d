"""Search all angles for those at which the footprint of one section covers that of another: no image, no expression."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.align.transform import Rigid
from histoscribe.core.errors import DataError

__all__ = ["align_footprints", "rival_placements", "turn_between"]

#: Angles whose overlap is this close to the best are equally good; the smallest turn of them is taken.
_TIE = 0.01
#: Cells along the longer side of a rasterised footprint, at most; bounds the time for sections of many observations.
_MAX_CELLS = 160


def align_footprints(
    moving_um: np.ndarray, fixed_um: np.ndarray, *, pitch_um: float, step_deg: float = 5.0, fine_deg: float = 1.0
) -> Rigid:
    """Find the rotation and shift that make the footprint of one section cover that of another.

    Each footprint is the union of discs of 0.75 pitch around the observations, rasterised. All angles of a full turn
    are tried in steps of `step_deg` on cells of one pitch, then those around the best in steps of `fine_deg` on cells
    of a quarter pitch; for each angle the best shift is the peak of the masks' cross-correlation. Mirror images are
    not tried: sections are not turned over. An outline close to a circle leaves the angle undetermined; the smallest
    turn is then taken.

    Parameters
    ----------
    moving_um, fixed_um
        ``(n, 2)`` and ``(m, 2)`` positions, um.
    pitch_um
        Distance of neighbouring observations in the sparser section.
    step_deg, fine_deg
        Coarse and fine angle steps, degrees.

    Returns
    -------
    The transform from `moving_um` to `fixed_um`, with the overlap reached.

    Raises
    ------
    DataError
        If a section has fewer than 3 observations.
    """
    moving, fixed = _outlined(moving_um, fixed_um)
    coarse = np.arange(-180.0, 180.0, step_deg)
    angle = _best(_placements(moving, fixed, angles=coarse, pitch_um=pitch_um, per_pitch=1)).angle_deg
    fine = angle + np.arange(-step_deg + fine_deg, step_deg, fine_deg)
    return _best(_placements(moving, fixed, angles=fine, pitch_um=pitch_um, per_pitch=4))


def rival_placements(
    moving_um: np.ndarray, fixed_um: np.ndarray, *, pitch_um: float, step_deg: float = 5.0, apart_deg: float = 20.0
) -> list[Rigid]:
    """Find every angle at which the footprints cover each other better than at the angles around it.

    Parameters
    ----------
    moving_um, fixed_um
        ``(n, 2)`` and ``(m, 2)`` positions, um.
    pitch_um
        Distance of neighbouring observations in the sparser section.
    step_deg
        Angle step, degrees.
    apart_deg
        Angles closer than this count as one; the better is kept.

    Returns
    -------
    Motions from `moving_um` to `fixed_um`, those of the largest overlap first; at least one.
    """
    moving, fixed = _outlined(moving_um, fixed_um)
    angles = np.arange(-180.0, 180.0, step_deg)
    found = _placements(moving, fixed, angles=angles, pitch_um=pitch_um, per_pitch=1)
    kept: list[Rigid] = []
    for one in sorted(found, key=lambda r: (-round(r.overlap, 3), abs(r.angle_deg))):
        if all(abs(turn_between(one, other)) >= apart_deg for other in kept):
            kept.append(one)
    return kept


def turn_between(one: Rigid, other: Rigid) -> float:
    """Return by how much `one` turns more than `other`, -180 to 180 degrees."""
    return (one.angle_deg - other.angle_deg + 180.0) % 360.0 - 180.0


def _outlined(*sets: np.ndarray) -> tuple[np.ndarray, ...]:
    sets = tuple(np.asarray(xy, dtype=np.float64) for xy in sets)
    if min(map(len, sets)) < 3:
        numbers = " and ".join(str(len(xy)) for xy in sets)
        msg = f"{numbers} observations outline no tissue. Give at least 3 in each section."
        raise DataError(msg)
    return sets


def _placements(
    moving: np.ndarray, fixed: np.ndarray, *, angles: np.ndarray, pitch_um: float, per_pitch: int
) -> list[Rigid]:
    """Find the best shift at each angle."""
    # scipy.signal takes most of a second to import, and this module is on the way of every evaluation.
    from scipy.signal import fftconvolve

    centre = moving.mean(0)
    extent = max(np.ptp(fixed, axis=0).max(), np.ptp(moving, axis=0).max())
    cell = max(pitch_um / per_pitch, extent / _MAX_CELLS)
    mask, origin = _raster(fixed, cell, 0.75 * pitch_um)
    found = []
    for angle in angles:
        turned = _turn(moving - centre, float(angle)) + centre
        other, start = _raster(turned, cell, 0.75 * pitch_um)
        joint = fftconvolve(mask, other[::-1, ::-1])
        row, col = np.unravel_index(int(np.argmax(joint)), joint.shape)
        # Full mode: index (h - 1, w - 1) is no shift of the second mask against the first.
        cells = np.array([col - other.shape[1] + 1, row - other.shape[0] + 1])
        both = float(joint[row, col])
        overlap = both / (mask.sum() + other.sum() - both)
        found.append(Rigid(float(angle), centre, origin + cells * cell - start, float(overlap)))
    return found


def _best(found: list[Rigid]) -> Rigid:
    best = max(r.overlap for r in found)
    return min((r for r in found if r.overlap >= best - _TIE), key=lambda r: (abs(r.angle_deg), -r.overlap))


def _raster(xy: np.ndarray, cell: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a float mask (rows are y) of cells within `radius` of a point, and the centre of its first cell."""
    origin = xy.min(0) - radius
    w, h = np.ceil(np.ptp(xy, axis=0) / cell + 2 * radius / cell).astype(int) + 1
    ys, xs = np.mgrid[:h, :w]
    centres = origin + np.stack([xs.ravel(), ys.ravel()], axis=1) * cell
    distance = cKDTree(xy).query(centres, distance_upper_bound=radius)[0]
    return np.isfinite(distance).reshape(h, w).astype(np.float64), origin


def _turn(xy: np.ndarray, angle_deg: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return xy @ np.array([[c, s], [-s, c]])
