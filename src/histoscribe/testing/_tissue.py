"""Lay out synthetic tissue: a label map and the cells in it, from which both pixels and genes are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from histoscribe.testing._donor import Donor

__all__ = [
    "EPITHELIUM",
    "FAT",
    "FIBROBLAST",
    "GLAND",
    "GLASS",
    "LUMEN",
    "LYMPHOCYTE",
    "STROMA",
    "Nuclei",
    "Tissue",
    "lay_out",
    "smooth_noise",
]

#: Values of the label map.
GLASS, STROMA, EPITHELIUM, LUMEN, FAT = range(5)
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


@dataclass(frozen=True, eq=False)
class Tissue:
    """Where everything is.

    Attributes
    ----------
    labels
        ``(h, w)`` uint8 map of `GLASS`, `STROMA`, `EPITHELIUM`, `LUMEN`, `FAT`.
    mpp
        um per px of the map.
    nuclei
        The cells.
    fibres
        ``(h, w)`` float32 direction of the stroma's fibres, radians.
    membrane
        ``(h, w)`` float32 distance to the nearest fat cell border, um; meaningful in fat alone.
    immune
        ``(h, w)`` float32 density of lymphocytes, 0-1.
    """

    labels: np.ndarray
    mpp: float
    nuclei: Nuclei
    fibres: np.ndarray
    membrane: np.ndarray
    immune: np.ndarray


@dataclass(frozen=True, eq=False)
class _Glands:
    """Glands as closed curves ``radius * (1 + sum_k a_k cos(k t + p_k))`` around their centres, um."""

    xy: np.ndarray  # (n, 2)
    radius: np.ndarray  # (n,)
    waves: np.ndarray  # (n, k)
    phases: np.ndarray  # (n, k)
    wall: np.ndarray  # (n,) thickness of the epithelium, um; inf for a solid nest

    def edge(self, i: int | np.ndarray, t: np.ndarray) -> np.ndarray:
        """Radius of gland `i` in direction `t`, um."""
        k = np.arange(2, 2 + self.waves.shape[1])
        shape = (self.waves[i] * np.cos(k * np.asarray(t)[..., None] + self.phases[i])).sum(-1)
        return self.radius[i] * (1.0 + shape)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Return ``(h, w)`` float32 noise of zero mean, unit sd and a grain of `cell` px."""
    h, w = shape
    coarse = rng.standard_normal((int(h / cell) + 4, int(w / cell) + 4)).astype(np.float32)
    box = (1.5, 1.5, 1.5 + w / cell, 1.5 + h / cell)
    noise = np.asarray(Image.fromarray(coarse).resize((w, h), Image.Resampling.BICUBIC, box=box))
    return (noise - noise.mean()) / max(float(noise.std()), 1e-6)


def lay_out(rng: np.random.Generator, donor: Donor, *, size_um: tuple[float, float], mpp: float) -> Tissue:
    """Lay out one section.

    Parameters
    ----------
    rng
        Source of everything random.
    donor
        Whose tissue it is.
    size_um
        Width and height of the image, um.
    mpp
        um per px of the maps.
    """
    shape = (round(size_um[1] / mpp), round(size_um[0] / mpp))
    tissue = _outline(rng, shape, mpp)
    rich = smooth_noise(rng, shape, 420.0 / mpp)
    fat_field = smooth_noise(rng, shape, 380.0 / mpp) - 0.8 * np.clip(rich, 0, None)
    fat = tissue & (fat_field > np.quantile(fat_field[tissue], 1.0 - donor.fat_share))
    glands = _place_glands(
        rng, donor, allowed=tissue & ~fat & (rich > np.quantile(rich[tissue], 1.0 - donor.gland_share)), mpp=mpp
    )
    labels = np.where(tissue, np.uint8(STROMA), np.uint8(GLASS))
    labels[fat] = FAT
    inside = _stamp_glands(labels, glands, mpp=mpp)
    membrane = _fat_cells(rng, labels == FAT, mpp=mpp)
    immune = _immune_field(rng, donor, labels, mpp=mpp)
    fibres = _fibre_field(rng, inside, mpp=mpp)
    nuclei = _place_nuclei(rng, donor, labels, glands, fibres=fibres, immune=immune, mpp=mpp)
    return Tissue(labels, mpp, nuclei, fibres, membrane, immune)


def _outline(rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> np.ndarray:
    """Return the tissue: a rounded rectangle with a wavy border that stays off the image's edge."""
    h, w = shape
    y = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, w, dtype=np.float32)[None, :]
    reach = (np.abs(x) ** 3 + np.abs(y) ** 3) ** (1 / 3)
    extent = min(h, w) * mpp
    border = 0.87 + 0.055 * smooth_noise(rng, shape, extent / 4 / mpp) + 0.008 * smooth_noise(rng, shape, 30.0 / mpp)
    return reach < np.minimum(border, 0.97)


def _place_glands(rng: np.random.Generator, donor: Donor, *, allowed: np.ndarray, mpp: float) -> _Glands:
    """Throw glands at random where they are allowed; a gland that touches an earlier one is dropped."""
    h, w = allowed.shape
    n_tries = int(h * w * mpp**2 / donor.gland_um**2) * 4
    xy = rng.uniform(0, 1, (n_tries, 2)) * (w * mpp, h * mpp)
    xy = xy[_at(allowed, xy, mpp)]
    radius = donor.gland_um * np.exp(rng.normal(0, 0.28, len(xy)))
    tree = cKDTree(xy) if len(xy) else None
    keep = np.zeros(len(xy), dtype=bool)
    for i in range(len(xy)):
        near = np.array(tree.query_ball_point(xy[i], 2.4 * radius[i] + 60))
        near = near[keep[near]]
        gap = np.linalg.norm(xy[near] - xy[i], axis=1) - radius[near] - radius[i]
        keep[i] = not (gap < 9.0).any()
    xy, radius = xy[keep], radius[keep]
    n = len(xy)
    waves = rng.normal(0, 1, (n, 4)) * (0.13, 0.06, 0.04, 0.03)
    wall = np.where(rng.uniform(size=n) < donor.nests, np.inf, rng.uniform(13, 19, n))
    return _Glands(xy, radius, waves, rng.uniform(0, 2 * np.pi, (n, 4)), wall)


def _stamp_glands(labels: np.ndarray, glands: _Glands, *, mpp: float) -> np.ndarray:
    """Write epithelium and lumen into `labels`; return ``(h, w)`` float32 depth inside the nearest gland, um."""
    h, w = labels.shape
    inside = np.full(labels.shape, -200.0, dtype=np.float32)
    for i in range(len(glands.xy)):
        cx, cy = glands.xy[i]
        half = 1.7 * glands.radius[i] + 40.0
        x0, x1 = max(0, int((cx - half) / mpp)), min(w, int((cx + half) / mpp) + 1)
        y0, y1 = max(0, int((cy - half) / mpp)), min(h, int((cy + half) / mpp) + 1)
        dx = (np.arange(x0, x1, dtype=np.float32) + 0.5)[None, :] * np.float32(mpp) - np.float32(cx)
        dy = (np.arange(y0, y1, dtype=np.float32) + 0.5)[:, None] * np.float32(mpp) - np.float32(cy)
        edges = glands.edge(i, np.linspace(-np.pi, np.pi, 361)).astype(np.float32)
        turn = ((np.arctan2(dy, dx) + np.float32(np.pi)) * np.float32(180 / np.pi)).astype(np.int16)
        depth = edges[turn] - np.hypot(dx, dy)
        window = labels[y0:y1, x0:x1]
        mine = (depth > 0) & (window != GLASS)
        window[mine & (window != LUMEN)] = EPITHELIUM
        window[mine & (depth > glands.wall[i])] = LUMEN
        np.maximum(inside[y0:y1, x0:x1], depth, out=inside[y0:y1, x0:x1])
    return inside


def _fat_cells(rng: np.random.Generator, fat: np.ndarray, *, mpp: float) -> np.ndarray:
    """Return ``(h, w)`` float32 distance from each fat pixel to the border between two fat cells, um."""
    distance = np.zeros(fat.shape, dtype=np.float32)
    rows, columns = np.nonzero(fat)
    if not len(rows):
        return distance
    step = 62.0
    gx, gy = np.meshgrid(
        np.arange(0, fat.shape[1] * mpp + step, step), np.arange(0, fat.shape[0] * mpp + step, step * 0.87)
    )
    seeds = np.stack([gx + (np.arange(len(gx)) % 2)[:, None] * step / 2, gy], axis=-1).reshape(-1, 2)
    seeds = seeds + rng.normal(0, 9.0, seeds.shape)
    found = cKDTree(seeds).query(np.stack([columns + 0.5, rows + 0.5], axis=1) * mpp, k=2)[0]
    distance[rows, columns] = (found[:, 1] - found[:, 0]) / 2
    return distance


def _immune_field(rng: np.random.Generator, donor: Donor, labels: np.ndarray, *, mpp: float) -> np.ndarray:
    """Return the density of lymphocytes, 0-1: round clusters with ragged borders, in stroma."""
    h, w = labels.shape
    field = np.zeros(labels.shape, dtype=np.float32)
    stroma = np.flatnonzero(labels == STROMA)
    n = rng.poisson(donor.n_clusters * h * w * mpp**2 / 1e6) + 1
    if not len(stroma):
        return field
    for centre in rng.choice(stroma, n):
        cy, cx = divmod(int(centre), w)
        radius = rng.uniform(70, 170) / mpp
        reach = int(2.2 * radius)
        y0, y1, x0, x1 = max(0, cy - reach), min(h, cy + reach), max(0, cx - reach), min(w, cx + reach)
        dy = np.arange(y0, y1, dtype=np.float32)[:, None] - cy
        dx = np.arange(x0, x1, dtype=np.float32)[None, :] - cx
        bump = np.exp(-(((dx**2 + dy**2) / radius**2) ** 1.5))
        np.maximum(field[y0:y1, x0:x1], bump, out=field[y0:y1, x0:x1])
    ragged = smooth_noise(rng, labels.shape, 45.0 / mpp)
    return np.clip(field * (1.0 + 0.35 * ragged), 0.0, 1.0)


def _fibre_field(rng: np.random.Generator, inside: np.ndarray, *, mpp: float) -> np.ndarray:
    """Return the direction of fibres: along the level lines of noise, and around glands where these are near."""
    h, w = inside.shape
    small = (max(2, w // 4), max(2, h // 4))
    near = np.asarray(Image.fromarray(np.clip(inside, -60, 10)).resize(small, Image.Resampling.BOX)) / 25.0
    height = near + 1.6 * smooth_noise(rng, near.shape, 320.0 / mpp / 4)
    dy, dx = np.gradient(height)
    # Interpolate the gradient, not the angle: an angle jumps by pi.
    gx, gy = (np.asarray(Image.fromarray(g).resize((w, h), Image.Resampling.BILINEAR)) for g in (dx, dy))
    return np.arctan2(gx, -gy) + 0.30 * smooth_noise(rng, inside.shape, 28.0 / mpp)


def _place_nuclei(
    rng: np.random.Generator,
    donor: Donor,
    labels: np.ndarray,
    glands: _Glands,
    *,
    fibres: np.ndarray,
    immune: np.ndarray,
    mpp: float,
) -> Nuclei:
    parts = [
        _immune_nuclei(rng, labels, immune, mpp=mpp),
        _gland_nuclei(rng, donor, labels, glands, mpp=mpp),
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
    return xy[(xy[:, 0] < shape[1] * mpp) & (xy[:, 1] < shape[0] * mpp)]


def _at(field: np.ndarray, xy: np.ndarray, mpp: float) -> np.ndarray:
    """Return the field's values at points in um; points outside take the nearest pixel's."""
    column = np.clip((xy[:, 0] / mpp).astype(int), 0, field.shape[1] - 1)
    row = np.clip((xy[:, 1] / mpp).astype(int), 0, field.shape[0] - 1)
    return field[row, column]


def _immune_nuclei(rng: np.random.Generator, labels: np.ndarray, immune: np.ndarray, *, mpp: float) -> Nuclei:
    xy = _scatter(rng, labels.shape, mpp, 7.6)
    place = _at(labels, xy, mpp)
    chance = np.where(place == STROMA, 0.012 + 0.95 * _at(immune, xy, mpp), np.where(place == EPITHELIUM, 0.004, 0.0))
    xy = xy[rng.uniform(size=len(xy)) < chance]
    size = rng.normal(3.1, 0.2, len(xy)).clip(2.5, 3.8)
    axes = np.stack([size * rng.uniform(1.0, 1.15, len(xy)), size], axis=1)
    return Nuclei(xy, axes, rng.uniform(0, np.pi, len(xy)), np.full(len(xy), LYMPHOCYTE, dtype=np.int8))


def _gland_nuclei(rng: np.random.Generator, donor: Donor, labels: np.ndarray, glands: _Glands, *, mpp: float) -> Nuclei:
    """Place nuclei side by side along the base of each gland's wall, and all over solid nests."""
    points, angles = [np.empty((0, 2))], [np.empty(0)]
    spacing = 7.0 * donor.nucleus
    for i in range(len(glands.xy)):
        rows = 3 if np.isinf(glands.wall[i]) else 1 + (rng.uniform() < 0.45)
        rows = int(glands.radius[i] / 9.0) if np.isinf(glands.wall[i]) else rows
        for row in range(rows):
            depth = 5.0 + row * 8.5
            n = int(2 * np.pi * max(glands.radius[i] - depth, 0.0) / spacing * (1.0 if row == 0 else 0.8))
            t = (
                np.linspace(0, 2 * np.pi, n, endpoint=False)
                + rng.uniform(0, 2 * np.pi)
                + rng.normal(0, 0.25, n) / max(n, 1)
            )
            t = (t + np.pi) % (2 * np.pi) - np.pi
            rho = glands.edge(i, t) - depth - np.abs(rng.normal(0, 1.6, n))
            points.append(glands.xy[i] + rho[:, None] * np.stack([np.cos(t), np.sin(t)], axis=1))
            tilt = rng.normal(0, 0.2 if row == 0 and np.isfinite(glands.wall[i]) else 1.5, n)
            angles.append(t + tilt)
    xy, angle = np.concatenate(points), np.concatenate(angles)
    keep = (_at(labels, xy, mpp) == EPITHELIUM) & (xy > 0).all(1)
    xy, angle = xy[keep], angle[keep]
    long = donor.nucleus * rng.normal(4.6, 0.5, len(xy)).clip(3.4, 6.2)
    axes = np.stack([long, np.minimum(long, donor.nucleus * rng.normal(3.3, 0.3, len(xy)).clip(2.5, 4.4))], axis=1)
    return Nuclei(xy, axes, angle, np.full(len(xy), GLAND, dtype=np.int8))


def _stromal_nuclei(
    rng: np.random.Generator, donor: Donor, labels: np.ndarray, fibres: np.ndarray, *, mpp: float
) -> Nuclei:
    """Place spindle nuclei along the fibres, and a few between fat cells."""
    xy = _scatter(rng, labels.shape, mpp, 1e3 / np.sqrt(2.0 * donor.stromal_cells))
    place = _at(labels, xy, mpp)
    xy = xy[rng.uniform(size=len(xy)) < np.where(place == STROMA, 0.5, 0.0)]
    n = len(xy)
    axes = np.stack([rng.normal(6.2, 1.1, n).clip(3.5, 9.5), rng.normal(1.7, 0.25, n).clip(1.2, 2.4)], axis=1)
    return Nuclei(xy, axes, _at(fibres, xy, mpp) + rng.normal(0, 0.18, n), np.full(n, FIBROBLAST, dtype=np.int8))
