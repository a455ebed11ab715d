"""Outlines of footprints: where they run, how far two lie apart, and how much of one an array's edge cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.align.footprint import Field, Footprint
from histoscribe.align.window import continuation

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["cut_share", "outline", "outline_residual_um", "overlap"]


def outline(footprint: Footprint) -> np.ndarray:
    """Points on the outline, ``(k, 2)`` um, unordered: where the smoothed footprint is half of its inner value."""
    smooth = Field(footprint, sigma_um=0.6 * footprint.step_um)
    values = smooth.values
    level = 0.5 * np.median(smooth.at(footprint.xy_um))
    inside = values > level
    points = []
    for axis in (0, 1):
        one, two = (np.moveaxis(values, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        a, b = (np.moveaxis(inside, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        i, j = np.nonzero(a != b)
        crossing = np.stack([i + (level - one[i, j]) / (two[i, j] - one[i, j]), j], axis=1)
        # Rows are y: along the first axis the crossing is (y, x).
        points.append(crossing[:, ::-1] if axis == 0 else crossing)
    return smooth.origin + np.concatenate(points) * smooth.step


def overlap(moved: Footprint, fixed: Footprint) -> float:
    """Intersection over union of two footprints in one frame: unions of discs of 0.75 steps around the points, 0-1."""
    step = max(moved.step_um, fixed.step_um)
    low = np.minimum(moved.xy_um.min(0), fixed.xy_um.min(0)) - step
    high = np.maximum(moved.xy_um.max(0), fixed.xy_um.max(0)) + step
    axes = [np.arange(a, b, step / 4) for a, b in zip(low, high, strict=True)]
    cells = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    first, second = (
        np.isfinite(cKDTree(f.xy_um[f.weight >= 0.5]).query(cells, distance_upper_bound=0.75 * step)[0])
        for f in (moved, fixed)
    )
    return float((first & second).sum() / max(1, (first | second).sum()))


def outline_residual_um(moved: Footprint, fixed: Footprint) -> float:
    """Mean distance from each outline to the other, the mean of both ways, um."""
    first, second = outline(moved), outline(fixed)
    return float((cKDTree(second).query(first)[0].mean() + cKDTree(first).query(second)[0].mean()) / 2)


def cut_share(section: Section, footprint: Footprint) -> float:
    """Share of a section's outline that is the edge of the capture area, not of the tissue, 0-1."""
    further = continuation(section)
    if not len(further):
        return 0.0
    # The outline runs about half a step outside the last observations, the first continued ones are a whole step out.
    return float((cKDTree(further).query(outline(footprint))[0] < 0.75 * footprint.step_um).mean())
