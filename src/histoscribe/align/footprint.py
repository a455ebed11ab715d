"""Smooth footprints: where a section's observations are, and how well another's lie on top of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter
from scipy.optimize import minimize

from histoscribe.align.transform import Rigid

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Field", "Footprint", "refine", "similarity"]

#: Cells along the longer side of a section, at most: finer observations are gathered into cells of that size.
_CELLS = 64
#: Grid points of a field per step of the footprint: a third of its smoothing, so that splines follow it to 1e-3.
_PER_STEP = 3


@dataclass(frozen=True, eq=False)
class Footprint:
    """Weighted points that stand for the tissue under a section's observations.

    Attributes
    ----------
    xy_um
        ``(n, 2)`` float64.
    weight
        ``(n,)`` share of a point's cell that is tissue, 0-1.
    step_um
        Distance of neighbouring points, um.
    """

    xy_um: np.ndarray
    weight: np.ndarray
    step_um: float

    @classmethod
    def of(cls, xy_um: np.ndarray, *, pitch_um: float) -> Footprint:
        """Take observations as they are, or gather them into cells where they are many.

        A cell that holds half of what cells hold at the median, or more, is full; outlines then do not depend on how
        densely an instrument samples.
        """
        step = float(np.ptp(xy_um, axis=0).max()) / _CELLS
        if step <= pitch_um:
            return cls(xy_um, np.ones(len(xy_um)), float(pitch_um))
        cell = np.floor((xy_um - xy_um.min(0)) / step).astype(np.int64)
        _, index, number = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
        centres = np.stack([np.bincount(index.ravel(), axis) for axis in xy_um.T], axis=1) / number[:, None]
        return cls(centres, np.minimum(1.0, number / (0.5 * np.median(number))), step)

    def moved(self, motion: object) -> Footprint:
        """Return the footprint after a motion."""
        return Footprint(motion(self.xy_um), self.weight, self.step_um)  # type: ignore[operator]


class Field:
    """The sum of Gaussians around the points of footprints, on a grid, with its slope.

    `values` is the grid, ``(h, w)`` (rows are y), `origin` the place of its first point and `step` its spacing, um.

    Parameters
    ----------
    footprints
        In one frame.
    sigma_um
        Standard deviation of each footprint's own smoothing; the field carries both footprints', ``sqrt(2) * sigma``.
    """

    def __init__(self, footprints: Sequence[Footprint], *, sigma_um: float) -> None:
        xy = np.concatenate([f.xy_um for f in footprints])
        weight = np.concatenate([f.weight for f in footprints])
        self.step = sigma_um / _PER_STEP
        margin = 6 * sigma_um
        self.origin = xy.min(0) - margin
        w, h = np.ceil((np.ptp(xy, axis=0) + 2 * margin) / self.step).astype(int) + 1
        values = _spread((xy - self.origin) / self.step, weight, (h, w))
        values = gaussian_filter(values, np.sqrt(2) * _PER_STEP, mode="constant", truncate=5)
        # Peak 1 around a lone point.
        self.values = values * (4 * np.pi * _PER_STEP**2)
        self.coefficients = spline_filter(self.values, order=3)
        slope_y, slope_x = np.gradient(self.values, self.step)
        self.slopes = [spline_filter(s, order=3) for s in (slope_x, slope_y)]

    def at(self, xy_um: np.ndarray) -> np.ndarray:
        """Value at ``(n, 2)`` places: ``(n,)``; 0 far away."""
        return self._read(self.coefficients, xy_um)

    def slope(self, xy_um: np.ndarray) -> np.ndarray:
        """Slope at ``(n, 2)`` places: ``(n, 2)`` per um."""
        return np.stack([self._read(s, xy_um) for s in self.slopes], axis=1)

    def _read(self, coefficients: np.ndarray, xy_um: np.ndarray) -> np.ndarray:
        place = (xy_um - self.origin) / self.step
        return map_coordinates(coefficients, place[:, ::-1].T, order=3, prefilter=False, mode="constant")


def similarity(moving: Footprint, fixed: Footprint, *, sigma_um: float) -> float:
    """Return the cosine of two smoothed footprints: 1 where they are the same, 0 where they do not touch."""
    joint = moving.weight @ Field([fixed], sigma_um=sigma_um).at(moving.xy_um)
    own = [f.weight @ Field([f], sigma_um=sigma_um).at(f.xy_um) for f in (moving, fixed)]
    return float(joint / np.sqrt(own[0] * own[1]))


def refine(moving: Footprint, field: Field, start: Rigid) -> Rigid:
    """Find the rigid motion near `start` that puts a footprint where a field is high.

    The sum of the field over the moved points is the correlation of two smoothed footprints; under a rigid motion its
    maximum is the least squared difference of the two. It is symmetric in the sections, has no corners (unlike sums
    over nearest neighbours), and, smoothed over a step, does not see the arrays' lattices, which are unrelated to
    the tissue. Source: Tsin and Kanade 2004 (kernel correlation), here on a grid.

    Parameters
    ----------
    moving
        Points in their own frame.
    field
        Of the section (or sections) that stand still.
    start
        First guess.

    Returns
    -------
    A rotation about the centre of `moving`, then a shift.
    """
    weight = moving.weight / moving.weight.sum()
    centre = weight @ moving.xy_um
    arms = moving.xy_um - centre
    radius = float(np.sqrt(weight @ (arms**2).sum(1)))
    aim = start(centre[None])[0]

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        # The angle is counted as the path of a typical point, so that all three unknowns are in um.
        angle = np.deg2rad(start.angle_deg) + p[0] / radius
        c, s = np.cos(angle), np.sin(angle)
        turned = arms @ np.array([[c, s], [-s, c]])
        xy = turned + aim + p[1:]
        pull = field.slope(xy) * weight[:, None]
        # d(turned)/d(angle) is turned by a right angle.
        turn = float((pull[:, 1] * turned[:, 0] - pull[:, 0] * turned[:, 1]).sum()) / radius
        return -float(weight @ field.at(xy)), -np.array([turn, *pull.sum(0)])

    found = minimize(loss, np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-6}).x
    angle = start.angle_deg + np.rad2deg(found[0] / radius)
    return Rigid((float(angle) + 180.0) % 360.0 - 180.0, centre, aim + found[1:] - centre)


def _spread(place: np.ndarray, weight: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Share each point's weight among the four grid points around it; rows are y."""
    low = np.floor(place).astype(np.int64)
    part = place - low
    values = np.zeros(shape)
    for dx in (0, 1):
        for dy in (0, 1):
            share = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
            np.add.at(values, (low[:, 1] + dy, low[:, 0] + dx), weight * share)
    return values
