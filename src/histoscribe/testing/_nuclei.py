"""Place the nuclei of synthetic tissue: along gland walls, along fibres, around veins, in clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.testing._shapes import EPITHELIUM, STROMA, Curves, at

if TYPE_CHECKING:
    from histoscribe.testing._donor import Donor

__all__ = ["FIBROBLAST", "GLAND", "LYMPHOCYTE", "Nuclei", "place_nuclei"]

#: Kinds of nuclei.
GLAND, FIBROBLAST, LYMPHOCYTE = range(3)


@dataclass(frozen=True, eq=False)
class Nuclei:
    """All nuclei of a section.

    Attributes
    ----------
    xy
        ``(n, 2)`` centres, um from the image's top-left corner.
    axes
        ``(n, 2)`` half lengths of the ellipse, um, longer one first.
    angle
        ``(n,)`` direction of the longer axis, radians from x towards y.
    kind
        ``(n,)`` `GLAND`, `FIBROBLAST` or `LYMPHOCYTE`.
    """

    xy: np.ndarray
    axes: np.ndarray
    angle: np.ndarray
    kind: np.ndarray

    def __len__(self) -> int:
        return len(self.xy)

    def subset(self, keep: np.ndarray) -> Nuclei:
        """Return the nuclei where `keep` holds."""
        return Nuclei(self.xy[keep], self.axes[keep], self.angle[keep], self.kind[keep])


def place_nuclei(
    rng: np.random.Generator,
    donor: Donor,
    labels: np.ndarray,
    glands: Curves,
    vessels: Curves,
    *,
    fibres: np.ndarray,
    immune: np.ndarray,
    mpp: float,
) -> Nuclei:
    parts = [
        _immune_nuclei(rng, labels, immune, mpp=mpp),
        _gland_nuclei(rng, donor, labels, glands, mpp=mpp),
        _vessel_nuclei(rng, vessels),
        _stromal_nuclei(rng, donor, labels, fibres, mpp=mpp),
    ]
    nuclei = Nuclei(*(np.concatenate([getattr(p, f) for p in parts]) for f in ("xy", "axes", "angle", "kind")))
    return nuclei.subset(_apart(nuclei.xy, nuclei.axes[:, 1]))


def _apart(xy: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Return which points to keep so that none covers an earlier one."""
    keep = np.ones(len(xy), dtype=bool)
    if len(xy) < 2:
        return keep
    first, second = cKDTree(xy).query_pairs(float(2 * radius.max()), output_type="ndarray").T
    close = np.linalg.norm(xy[first] - xy[second], axis=1) < 0.85 * (radius[first] + radius[second])
    order = np.argsort(first[close], kind="stable")
    for i, j in zip(first[close][order], second[close][order], strict=True):
        if keep[i]:
            keep[j] = False
    return keep


def _scatter(rng: np.random.Generator, shape: tuple[int, int], mpp: float, spacing: float) -> np.ndarray:
    """Return ``(n, 2)`` points on a jittered lattice over the whole image, um, in random order."""
    gx, gy = np.meshgrid(np.arange(0, shape[1] * mpp, spacing), np.arange(0, shape[0] * mpp, spacing))
    xy = np.stack([gx.ravel(), gy.ravel()], axis=1)
    xy = xy + rng.uniform(0, spacing, xy.shape)
    return rng.permutation(xy[(xy < (shape[1] * mpp, shape[0] * mpp)).all(1)])


def _immune_nuclei(rng: np.random.Generator, labels: np.ndarray, immune: np.ndarray, *, mpp: float) -> Nuclei:
    xy = _scatter(rng, labels.shape, mpp, 5.2)
    place = at(labels, xy, mpp)
    chance = np.where(place == STROMA, 0.006 + 0.62 * at(immune, xy, mpp), np.where(place == EPITHELIUM, 0.002, 0.0))
    xy = xy[rng.uniform(size=len(xy)) < chance]
    size = rng.normal(3.1, 0.2, len(xy)).clip(2.5, 3.8)
    axes = np.stack([size * rng.uniform(1.0, 1.15, len(xy)), size], axis=1)
    return Nuclei(xy, axes, rng.uniform(0, np.pi, len(xy)), np.full(len(xy), LYMPHOCYTE, dtype=np.int8))


def _gland_nuclei(rng: np.random.Generator, donor: Donor, labels: np.ndarray, glands: Curves, *, mpp: float) -> Nuclei:
    """Place nuclei side by side along the base of each gland's wall, and all over solid nests."""
    points, angles = [np.empty((0, 2))], [np.empty(0)]
    spacing = 7.0 * donor.nucleus
    for i in range(len(glands.xy)):
        solid = np.isinf(glands.wall[i])
        rows = int(glands.radius[i] / 9.0) if solid else 1 + (glands.wall[i] > 20.0) * (rng.uniform() < 0.6)
        for row in range(rows):
            depth = 5.0 + row * 8.5
            n = int(2 * np.pi * max(glands.radius[i] - depth, 0.0) / spacing * (1.0 if row == 0 else 0.8))
            t = (
                np.linspace(0, 2 * np.pi, n, endpoint=False)
                + rng.uniform(0, 2 * np.pi)
                + rng.normal(0, 0.25, n) / max(n, 1)
            )
            t = (t + np.pi) % (2 * np.pi) - np.pi
            sunk = depth + np.abs(rng.normal(0, 2.0, n))
            # A nucleus stays inside the wall, whatever the gland's shape.
            rho = glands.edge(i, t) - np.minimum(sunk, max(glands.wall[i] - 4.5, 4.5))
            points.append(glands.xy[i] + rho[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1))
            angles.append(t + rng.normal(0, 1.5 if solid else 0.25, n))
    xy, angle = np.concatenate(points), np.concatenate(angles)
    keep = (at(labels, xy, mpp) == EPITHELIUM) & (xy > 0).all(1)
    xy, angle = xy[keep], angle[keep]
    long = donor.nucleus * rng.normal(4.6, 0.5, len(xy)).clip(3.4, 6.2)
    axes = np.stack([long, np.minimum(long, donor.nucleus * rng.normal(3.3, 0.3, len(xy)).clip(2.5, 4.4))], axis=1)
    return Nuclei(xy, axes, angle, np.full(len(xy), GLAND, dtype=np.int8))


def _vessel_nuclei(rng: np.random.Generator, vessels: Curves) -> Nuclei:
    """Lay flat nuclei around each vein."""
    points, angles = [np.empty((0, 2))], [np.empty(0)]
    for i in range(len(vessels.xy)):
        n = int(2 * np.pi * vessels.radius[i] / 17.0) + 2
        t = np.linspace(-np.pi, np.pi, n, endpoint=False) + rng.normal(0, 0.12, n)
        rho = vessels.edge(i, t) + 1.6
        points.append(vessels.xy[i] + rho[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1))
        angles.append(t + np.pi / 2)
    xy = np.concatenate(points)
    axes = np.tile([4.8, 1.5], (len(xy), 1))
    return Nuclei(xy, axes, np.concatenate(angles), np.full(len(xy), FIBROBLAST, dtype=np.int8))


def _stromal_nuclei(
    rng: np.random.Generator, donor: Donor, labels: np.ndarray, fibres: np.ndarray, *, mpp: float
) -> Nuclei:
    """Place spindle nuclei along the fibres, and a few between fat cells."""
    xy = _scatter(rng, labels.shape, mpp, 1e3 / np.sqrt(2.0 * donor.stromal_cells))
    place = at(labels, xy, mpp)
    xy = xy[rng.uniform(size=len(xy)) < np.where(place == STROMA, 0.5, 0.0)]
    n = len(xy)
    axes = np.stack([rng.normal(6.2, 1.1, n).clip(3.5, 9.5), rng.normal(1.7, 0.25, n).clip(1.2, 2.4)], axis=1)
    return Nuclei(xy, axes, at(fibres, xy, mpp) + rng.normal(0, 0.18, n), np.full(n, FIBROBLAST, dtype=np.int8))
