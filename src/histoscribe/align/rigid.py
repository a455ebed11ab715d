"""Rigid alignment of two sections by the outline of their observations: no image, no expression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree

from histoscribe.core.errors import DataError

__all__ = ["Rigid", "align_footprints", "spacing_um"]

#: Angles whose overlap is this close to the best are equally good; the smallest turn of them is taken.
_TIE = 0.01
#: Cells along the longer side of a rasterised footprint, at most; bounds the time for sections of many observations.
_MAX_CELLS = 160


@dataclass(frozen=True, eq=False)
class Rigid:
    """A rotation about a centre, then a shift.

    Attributes
    ----------
    angle_deg
        Rotation from the x axis (right) towards the y axis (down): clockwise as one looks at the image, degrees.
    centre, shift
        ``(2,)`` um.
    overlap
        Intersection over union of the two footprints after alignment, 0-1.
    """

    angle_deg: float
    centre: np.ndarray
    shift: np.ndarray
    overlap: float

    def __call__(self, xy_um: np.ndarray) -> np.ndarray:
        """Move ``(n, 2)`` points, um."""
        return _turn(np.asarray(xy_um, dtype=np.float64) - self.centre, self.angle_deg) + self.centre + self.shift


def spacing_um(xy_um: np.ndarray) -> float:
    """Return the median distance to the nearest other observation, um."""
    if len(xy_um) < 2:
        msg = f"{len(xy_um)} observations have no spacing. Give a section with at least 2."
        raise DataError(msg)
    return float(np.median(cKDTree(xy_um).query(xy_um, k=2)[0][:, 1]))


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
    moving, fixed = (np.asarray(xy, dtype=np.float64) for xy in (moving_um, fixed_um))
    if min(len(moving), len(fixed)) < 3:
        msg = f"{len(moving)} and {len(fixed)} observations outline no tissue. Give at least 3 in each section."
        raise DataError(msg)
    coarse = np.arange(-180.0, 180.0, step_deg)
    angle = _best(moving, fixed, angles=coarse, pitch_um=pitch_um, per_pitch=1).angle_deg
    fine = angle + np.arange(-step_deg + fine_deg, step_deg, fine_deg)
    return _best(moving, fixed, angles=fine, pitch_um=pitch_um, per_pitch=4)


def _best(moving: np.ndarray, fixed: np.ndarray, *, angles: np.ndarray, pitch_um: float, per_pitch: int) -> Rigid:
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
