"""Regions of polygons with holes: area, centroid, and which of many points lie in which of many regions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Region", "assign_smallest", "inside"]


@dataclass(frozen=True, eq=False)
class Region:
    """One or several polygons with holes that belong together.

    Attributes
    ----------
    parts
        Polygons; each is a tuple of rings, the outer one first, then its holes. A ring is ``(k, 2)`` float64 x, y;
        whether the first point is repeated at the end plays no part, nor does the direction.
    """

    parts: tuple[tuple[np.ndarray, ...], ...]

    @cached_property
    def area(self) -> float:
        """Area without holes; parts that overlap count twice."""
        return sum(max(0.0, abs(_moments(p[0])[0]) - sum(abs(_moments(h)[0]) for h in p[1:])) for p in self.parts)

    @cached_property
    def centroid(self) -> np.ndarray:
        """``(2,)`` centre of mass; of a region without area, the mean of its points."""
        signed = [(1.0 if i == 0 else -1.0, *_moments(ring)) for part in self.parts for i, ring in enumerate(part)]
        area = sum(sign * abs(a) for sign, a, _ in signed)
        if area <= 0:
            return np.concatenate([part[0] for part in self.parts]).mean(0)
        return np.sum([sign * abs(a) * centre for sign, a, centre in signed], axis=0) / area

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        points = np.concatenate([part[0] for part in self.parts])
        return (*map(float, points.min(0)), *map(float, points.max(0)))


def inside(region: Region, xy: np.ndarray) -> np.ndarray:
    """Say which of ``(n, 2)`` points lie in a region: ``(n,)`` bool.

    A point on an edge lies in one of the two polygons that share the edge, never in both or in none.
    """
    found = np.zeros(len(xy), dtype=bool)
    for rings in region.parts:
        found |= _crossings(rings, xy) % 2 == 1
    return found


def assign_smallest(regions: Sequence[Region], xy: np.ndarray) -> np.ndarray:
    """Return the ``(n,)`` index of the smallest region that each point lies in, -1 for none.

    Of nested regions the inner one is meant; of two that are equally large, the later one. Only points within a
    region's bounds are looked at, so that 100,000 points and 1,000 regions take about a second.
    """
    xy = np.asarray(xy, dtype=np.float64)
    index = np.full(len(xy), -1, dtype=np.int64)
    by_x = np.argsort(xy[:, 0], kind="stable")
    x = xy[by_x, 0]
    # Large ones first: smaller ones then take their points from them.
    for i in sorted(range(len(regions)), key=lambda i: (-regions[i].area, i)):
        left, top, right, bottom = regions[i].bounds
        near = by_x[np.searchsorted(x, left, "left") : np.searchsorted(x, right, "right")]
        near = near[(xy[near, 1] >= top) & (xy[near, 1] <= bottom)]
        if len(near):
            index[near[inside(regions[i], xy[near])]] = i
    return index


def _crossings(rings: Sequence[np.ndarray], xy: np.ndarray) -> np.ndarray:
    """Count the edges that a ray from each point to the right crosses.

    Points are sorted by y, so that each edge meets only those between its ends: the cost grows with the number of
    crossings and not with points times edges.
    """
    order = np.argsort(xy[:, 1], kind="stable")
    x, y = xy[order].T
    start = np.concatenate(rings)
    end = np.concatenate([np.roll(ring, -1, axis=0) for ring in rings])
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    # Half open, low <= y < high: a ray through a corner crosses exactly one of the edges that meet there.
    first, last = np.searchsorted(y, low, "left"), np.searchsorted(y, high, "left")
    count = np.zeros(len(xy), dtype=np.int64)
    n_met = last - first
    edges = np.flatnonzero(n_met)
    # So many pairs of an edge and a point at once: 100 MB at most.
    for chunk in np.array_split(edges, 1 + int(n_met.sum()) // 2_000_000):
        edge = np.repeat(chunk, n_met[chunk])
        before = np.cumsum(n_met[chunk]) - n_met[chunk]
        point = np.arange(len(edge)) - np.repeat(before, n_met[chunk]) + first[edge]
        (x0, y0), (x1, y1) = start[edge].T, end[edge].T
        crossed = x[point] < x0 + (y[point] - y0) / (y1 - y0) * (x1 - x0)
        count += np.bincount(point[crossed], minlength=len(xy))
    result = np.empty_like(count)
    result[order] = count
    return result


def _moments(ring: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the signed area and centroid of a ring, by Green's theorem."""
    origin = ring[0]
    x, y = (ring - origin).T  # keeps the products exact far from the origin
    x1, y1 = np.roll(x, -1), np.roll(y, -1)
    cross = x * y1 - x1 * y
    area = float(cross.sum()) / 2
    if area == 0:
        return 0.0, ring.mean(0)
    return area, origin + np.array([((x + x1) * cross).sum(), ((y + y1) * cross).sum()]) / (6 * area)
