"""Footprints: the tissue that observations stand for, as weighted points and as a smooth field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, spline_filter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.align.transform import Transform
    from histoscribe.core.section import Section

__all__ = ["Field", "Footprint"]

#: Cells along the longer side of a section, at most: finer observations are gathered into cells of that size.
_CELLS = 96
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
    def of(cls, section: Section, *, pitch_um: float) -> Footprint:
        """Take observations as they are, or gather them into cells where they are many.

        A cell that holds half of what cells hold at the median, or more, is full; outlines then do not depend on how
        densely an instrument samples.

        Parameters
        ----------
        section
            Any section.
        pitch_um
            Smallest distance of points wanted, um.
        """
        xy = section.xy_um
        step = float(np.ptp(xy, axis=0).max()) / _CELLS
        if step <= pitch_um:
            return cls(xy, np.ones(len(xy)), float(pitch_um))
        cell = np.floor((xy - xy.min(0)) / step).astype(np.int64)
        _, index, number = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
        centres = np.stack([np.bincount(index.ravel(), axis) for axis in xy.T], axis=1) / number[:, None]
        return cls(centres, np.minimum(1.0, number / (0.5 * np.median(number))), step)

    @classmethod
    def joined(cls, footprints: Sequence[Footprint]) -> Footprint:
        """Put footprints of one frame on top of each other."""
        return cls(
            np.concatenate([f.xy_um for f in footprints]),
            np.concatenate([f.weight for f in footprints]),
            max(f.step_um for f in footprints),
        )

    def moved(self, motion: Transform) -> Footprint:
        """Return the footprint after a motion."""
        return replace(self, xy_um=motion(self.xy_um))


class Field:
    """The sum of Gaussians around the points of a footprint, on a grid, with its slope.

    `values` is the grid, ``(h, w)`` (rows are y), `origin` the place of its first point and `step` its spacing, um.

    Parameters
    ----------
    footprint
        Of one section or several.
    sigma_um
        Standard deviation of the smoothing of either footprint that meets here; the field carries both,
        ``sqrt(2) * sigma``.
    """

    def __init__(self, footprint: Footprint, *, sigma_um: float) -> None:
        xy, weight = footprint.xy_um, footprint.weight
        self.step = sigma_um / _PER_STEP
        margin = 6 * sigma_um
        self.origin = xy.min(0) - margin
        w, h = np.ceil((np.ptp(xy, axis=0) + 2 * margin) / self.step).astype(int) + 1
        values = _spread((xy - self.origin) / self.step, weight, (h, w))
        values = gaussian_filter(values, np.sqrt(2) * _PER_STEP, mode="constant", truncate=5)
        # Peak 1 around a lone point.
        self.values = values * (4 * np.pi * _PER_STEP**2)
        self.coefficients = spline_filter(self.values, order=3)

    @cached_property
    def slopes(self) -> list[np.ndarray]:
        """Coefficients of the slopes along x and y; only what is climbed needs them."""
        slope_y, slope_x = np.gradient(self.values, self.step)
        return [spline_filter(s, order=3) for s in (slope_x, slope_y)]

    def at(self, xy_um: np.ndarray) -> np.ndarray:
        """Value at ``(n, 2)`` places: ``(n,)``; 0 far away."""
        return self._read(self.coefficients, xy_um)

    def slope(self, xy_um: np.ndarray) -> np.ndarray:
        """Slope at ``(n, 2)`` places: ``(n, 2)`` per um."""
        return np.stack([self._read(s, xy_um) for s in self.slopes], axis=1)

    def _read(self, coefficients: np.ndarray, xy_um: np.ndarray) -> np.ndarray:
        place = (xy_um - self.origin) / self.step
        return map_coordinates(coefficients, place[:, ::-1].T, order=3, prefilter=False, mode="constant")


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
