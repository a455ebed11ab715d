"""Transformations by which coordinates go wrong: swapped axes, flips, another image's scale, a shift."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core import keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.core.section import Section

__all__ = ["IDENTITY", "Transformation", "pitch_px", "symmetries"]


@dataclass(frozen=True)
class Transformation:
    """A map from the recorded x, y to level-0 px of the image.

    Scale first, then swap, then flips within the image, then the shift.

    Attributes
    ----------
    swap
        Exchange x and y.
    flip_x, flip_y
        Mirror within the image: ``x -> width - x``, ``y -> height - y``.
    scale
        Factor on the recorded coordinates.
    shift
        x, y added at the end, level-0 px.
    """

    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)

    def __call__(self, xy: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Map ``(n, 2)`` recorded coordinates into an image of `size` (width, height)."""
        xy = np.asarray(xy, dtype=np.float64) * self.scale
        x, y = (xy[:, 1], xy[:, 0]) if self.swap else (xy[:, 0], xy[:, 1])
        x = size[0] - x if self.flip_x else x
        y = size[1] - y if self.flip_y else y
        return np.column_stack([x + self.shift[0], y + self.shift[1]])

    @property
    def name(self) -> str:
        """What to do to the coordinates, in words."""
        parts = []
        if self.scale != 1:
            parts.append(f"multiply by {self.scale:.4g}")
        if self.swap:
            parts.append("swap x and y")
        if self.flip_x and self.flip_y:
            parts.append("turn by 180 degrees")
        elif self.flip_x or self.flip_y:
            parts.append(f"flip {'x' if self.flip_x else 'y'}")
        if self.shift != (0.0, 0.0):
            parts.append(f"shift by ({self.shift[0]:+.0f}, {self.shift[1]:+.0f}) px")
        return ", ".join(parts) or "identity"

    def scaled(self, scale: float) -> Transformation:
        """Return the same symmetry with another scale."""
        return replace(self, scale=scale)


IDENTITY = Transformation()


def symmetries() -> Iterator[Transformation]:
    """Yield the eight symmetries of a rectangle, the identity first."""
    for swap in (False, True):
        for flip_y in (False, True):
            for flip_x in (False, True):
                yield Transformation(swap, flip_x, flip_y)


def pitch_px(section: Section) -> float | None:
    """Return the distance between neighbours of a lattice in px, or None where there is no lattice.

    From the affine of the pixel positions on the array coordinates where there are any: the nearest-neighbour distance
    is biased on printed, jittering arrays and means nothing on a subset of the spots. Without array coordinates, the
    median nearest-neighbour distance of at least 50 observations that are regularly spaced (coefficient of variation
    below 0.1; random points have 0.5).
    """
    obs, xy = section.table.obs, section.xy
    if {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(obs):
        array = obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy(dtype=np.float64)
        design = np.column_stack([array - array.mean(0), np.ones(len(array))])
        if len(array) < 3 or np.linalg.matrix_rank(design) < 3:
            return None
        column, row = np.linalg.lstsq(design, xy, rcond=None)[0][:2]
        parity = array.sum(1) % 2
        staggered = len(array) >= 20 and min(parity.mean(), 1 - parity.mean()) <= 0.01
        steps = [(1, 1), (1, -1), (2, 0), (0, 2)] if staggered else [(1, 0), (0, 1)]
        return float(min(np.linalg.norm(a * column + b * row) for a, b in steps))
    if len(xy) < 50:
        return None
    from scipy.spatial import cKDTree

    nearest = cKDTree(xy).query(xy, k=2)[0][:, 1]
    regular = nearest.mean() > 0 and nearest.std() / nearest.mean() < 0.1
    return float(np.median(nearest)) if regular else None
