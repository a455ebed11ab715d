"""Polygons in flat arrays: a million cell outlines in a few arrays instead of a million objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Polygons"]


@dataclass(frozen=True, eq=False)
class Polygons:
    """Named outlines, with holes.

    Attributes
    ----------
    xy
        ``(m, 2)`` float64 vertices of all rings, px of the image; a ring does not repeat its first vertex.
    rings
        ``(r + 1,)`` int64: ring ``i`` is ``xy[rings[i]:rings[i + 1]]``.
    shapes
        ``(n + 1,)`` int64: shape ``j`` consists of rings ``shapes[j]`` to ``shapes[j + 1]``.
    hole
        ``(r,)`` bool, True where a ring is a hole.
    ids
        ``(n,)`` names (cell ids, tissue ids) as text.
    classes
        ``(n,)`` class names, or None where the file has none.
    """

    xy: np.ndarray
    rings: np.ndarray
    shapes: np.ndarray
    hole: np.ndarray
    ids: np.ndarray
    classes: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        shapes: Sequence[Sequence[tuple[np.ndarray, bool]]],
        *,
        ids: Sequence[object],
        classes: Sequence[object] | None = None,
    ) -> Polygons:
        """Build from shapes, each a list of (``(k, 2)`` ring, is a hole)."""
        flat = [(_open(ring), hole) for shape in shapes for ring, hole in shape]
        lengths = np.array([len(ring) for ring, _ in flat], dtype=np.int64)
        counts = np.array([len(shape) for shape in shapes], dtype=np.int64)
        return cls(
            xy=np.concatenate([ring for ring, _ in flat]) if flat else np.zeros((0, 2)),
            rings=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            shapes=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            hole=np.array([hole for _, hole in flat], dtype=bool),
            ids=np.array([str(i) for i in ids], dtype=object),
            classes=None if classes is None else np.array([str(c) for c in classes], dtype=object),
        )

    @classmethod
    def joined(cls, parts: Sequence[Polygons]) -> Polygons:
        """Put several, of which either all or none have classes, into one."""
        rings = np.cumsum([0, *(len(p.xy) for p in parts)])
        shapes = np.cumsum([0, *(len(p.hole) for p in parts)])
        known = [p.classes for p in parts if p.classes is not None]
        return cls(
            xy=np.concatenate([p.xy for p in parts]),
            rings=np.concatenate([[0], *(p.rings[1:] + at for p, at in zip(parts, rings, strict=False))]).astype(
                np.int64
            ),
            shapes=np.concatenate([[0], *(p.shapes[1:] + at for p, at in zip(parts, shapes, strict=False))]).astype(
                np.int64
            ),
            hole=np.concatenate([p.hole for p in parts]),
            ids=np.concatenate([p.ids for p in parts]),
            classes=np.concatenate(known) if known else None,
        )

    def __len__(self) -> int:
        return len(self.shapes) - 1

    def __getitem__(self, index: int) -> list[tuple[np.ndarray, bool]]:
        """Return one shape as a list of (``(k, 2)`` ring, is a hole)."""
        n = len(self)
        if not -n <= index < n:
            msg = f"there are {n} shapes, and none numbered {index}"
            raise IndexError(msg)
        first, last = self.shapes[index % n], self.shapes[index % n + 1]
        return [(self.xy[self.rings[r] : self.rings[r + 1]], bool(self.hole[r])) for r in range(first, last)]

    @property
    def areas(self) -> np.ndarray:
        """``(n,)`` areas, px^2, holes taken off."""
        return self._sum(self._signed()[0])

    @property
    def centroids(self) -> np.ndarray:
        """``(n, 2)`` centres of mass, px; of a shape without area the mean of its vertices."""
        area, moment = self._signed()
        total = self._sum(area)
        with np.errstate(invalid="ignore", divide="ignore"):
            centre = np.column_stack([self._sum(moment[:, i]) for i in (0, 1)]) / total[:, None]
        flat = ~np.isfinite(centre).all(1) | (total <= 0)
        for j in np.flatnonzero(flat):
            ring = self.xy[self.rings[self.shapes[j]] : self.rings[self.shapes[j + 1]]]
            centre[j] = ring.mean(0) if len(ring) else np.nan
        return centre

    def contain(self, xy: np.ndarray) -> np.ndarray:
        """Tell for ``(k, 2)`` places whether any shape holds them, holes left out: ``(k,)`` bool."""
        from matplotlib.path import Path as Outline

        xy = np.asarray(xy, dtype=np.float64)
        found = np.zeros(len(xy), dtype=bool)
        for j in range(len(self)):
            inside = np.zeros(len(xy), dtype=bool)
            cut = np.zeros(len(xy), dtype=bool)
            for ring, hole in self[j]:
                within = Outline(np.vstack([ring, ring[:1]]), closed=True).contains_points(xy)
                target = cut if hole else inside
                target |= within
            found |= inside & ~cut
        return found

    def _signed(self) -> tuple[np.ndarray, np.ndarray]:
        """Return area, and area times centroid, of each ring, positive for outlines and negative for holes."""
        n_rings = len(self.rings) - 1
        if not len(self.xy):
            return np.zeros(n_rings), np.zeros((n_rings, 2))
        lengths = np.diff(self.rings)
        owner = np.repeat(np.arange(n_rings), lengths)
        following = np.arange(len(self.xy)) + 1
        following[self.rings[1:][lengths > 0] - 1] = self.rings[:-1][lengths > 0]
        # Relative to each ring's first vertex: cross products of large coordinates lose digits.
        start = self.xy[np.minimum(self.rings[:-1], len(self.xy) - 1)]  # (r, 2); of an empty ring it is never used
        a, b = self.xy - start[owner], self.xy[following] - start[owner]
        cross = a[:, 0] * b[:, 1] - b[:, 0] * a[:, 1]
        area = np.bincount(owner, cross, minlength=n_rings) / 2
        third = [np.bincount(owner, (a[:, i] + b[:, i]) * cross, minlength=n_rings) / 6 for i in (0, 1)]
        sign = np.where(area < 0, -1.0, 1.0) * np.where(self.hole, -1.0, 1.0)
        moment = np.column_stack(third) + start * area[:, None]
        return area * sign, moment * sign[:, None]

    def _sum(self, per_ring: np.ndarray) -> np.ndarray:
        # Not by a running sum: after a million cells it would have lost the digits of one.
        owner = np.repeat(np.arange(len(self)), np.diff(self.shapes))
        return np.bincount(owner, per_ring, minlength=len(self))


def _open(ring: np.ndarray) -> np.ndarray:
    """Drop a last vertex that repeats the first, as every file format has it."""
    ring = np.asarray(ring, dtype=np.float64)[:, :2]
    return ring[:-1] if len(ring) > 1 and np.array_equal(ring[0], ring[-1]) else ring
