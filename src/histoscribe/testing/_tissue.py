"""Lay out synthetic tissue: a label map and the cells in it, from which both pixels and genes are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.spatial import cKDTree

from histoscribe.testing._nuclei import Nuclei, place_nuclei
from histoscribe.testing._shapes import EPITHELIUM, FAT, GLASS, LUMEN, STROMA, VESSEL, Curves, at, smooth_noise

if TYPE_CHECKING:
    from histoscribe.testing._donor import Donor

__all__ = ["Tissue", "lay_out"]


@dataclass(frozen=True, eq=False)
class Tissue:
    """Where everything is.

    Attributes
    ----------
    labels
        ``(h, w)`` uint8 map of `GLASS`, `STROMA`, `EPITHELIUM`, `LUMEN`, `FAT`, `VESSEL`.
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
    inside
        ``(h, w)`` float32 depth inside the nearest gland, um; negative outside, at most 200 um away.
    """

    labels: np.ndarray
    mpp: float
    nuclei: Nuclei
    fibres: np.ndarray
    membrane: np.ndarray
    immune: np.ndarray
    inside: np.ndarray


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
    wanted = tissue & (fat_field > np.quantile(fat_field[tissue], 1.0 - donor.fat_share))
    fat, membrane = _fat_cells(rng, wanted, mpp=mpp)
    fat &= tissue
    glands = _place_glands(
        rng, donor, allowed=tissue & ~fat & (rich > np.quantile(rich[tissue], 1.0 - donor.gland_share)), mpp=mpp
    )
    labels = np.where(tissue, np.uint8(STROMA), np.uint8(GLASS))
    labels[fat] = FAT
    inside = _stamp_glands(labels, glands, mpp=mpp)
    vessels = _place_vessels(rng, labels, inside, mpp=mpp)
    immune = _immune_field(rng, donor, labels, mpp=mpp)
    fibres = _fibre_field(rng, inside, mpp=mpp)
    nuclei = place_nuclei(rng, donor, labels, glands, vessels, fibres=fibres, immune=immune, mpp=mpp)
    return Tissue(labels, mpp, nuclei, fibres, membrane, immune, inside)


def _outline(rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> np.ndarray:
    """Return the tissue: a rounded rectangle with a wavy border that stays off the image's edge."""
    h, w = shape
    y = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, w, dtype=np.float32)[None, :]
    reach = (np.abs(x) ** 3 + np.abs(y) ** 3) ** (1 / 3)
    extent = min(h, w) * mpp
    border = 0.84 + 0.08 * np.tanh(0.7 * smooth_noise(rng, shape, extent / 4 / mpp))
    for grain_um, size_um in ((130.0, 12.0), (35.0, 3.5), (9.0, 1.5)):
        border += 2 * size_um / extent * smooth_noise(rng, shape, max(1.0, grain_um / mpp))
    return reach < np.minimum(border, 0.97)


def _place_glands(rng: np.random.Generator, donor: Donor, *, allowed: np.ndarray, mpp: float) -> Curves:
    """Throw glands at random where they are allowed; a gland that touches an earlier one is dropped."""
    h, w = allowed.shape
    n_tries = int(h * w * mpp**2 / donor.gland_um**2) * 4
    xy = rng.uniform(0, 1, (n_tries, 2)) * (w * mpp, h * mpp)
    xy = xy[at(allowed, xy, mpp)]
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
    wall = np.where(rng.uniform(size=n) < donor.nests, np.inf, rng.uniform(0.24, 0.40, n) * radius + 7.0)
    return Curves(xy, radius, waves, rng.uniform(0, 2 * np.pi, (n, 4)), wall)


def _depth_inside(curves: Curves, i: int, shape: tuple[int, int], *, mpp: float) -> tuple[np.ndarray, int, int]:
    """Return the depth inside curve `i` (um, float32) in a window around it, and the window's first row and column."""
    (cx, cy), half = curves.xy[i], 1.7 * curves.radius[i] + 40.0
    x0, x1 = max(0, int((cx - half) / mpp)), min(shape[1], int((cx + half) / mpp) + 1)
    y0, y1 = max(0, int((cy - half) / mpp)), min(shape[0], int((cy + half) / mpp) + 1)
    dx = (np.arange(x0, x1, dtype=np.float32) + 0.5)[None, :] * np.float32(mpp) - np.float32(cx)
    dy = (np.arange(y0, y1, dtype=np.float32) + 0.5)[:, None] * np.float32(mpp) - np.float32(cy)
    edges = curves.edge(i, np.linspace(-np.pi, np.pi, 361)).astype(np.float32)
    turn = ((np.arctan2(dy, dx) + np.float32(np.pi)) * np.float32(180 / np.pi)).astype(np.int16)
    return edges[turn] - np.hypot(dx, dy), y0, x0


def _stamp_glands(labels: np.ndarray, glands: Curves, *, mpp: float) -> np.ndarray:
    """Write epithelium and lumen into `labels`; return ``(h, w)`` float32 depth inside the nearest gland, um."""
    inside = np.full(labels.shape, -200.0, dtype=np.float32)
    for i in range(len(glands.xy)):
        depth, y0, x0 = _depth_inside(glands, i, labels.shape, mpp=mpp)
        place = np.s_[y0 : y0 + depth.shape[0], x0 : x0 + depth.shape[1]]
        window = labels[place]
        mine = (depth > 0) & (window != GLASS)
        window[mine & (window != LUMEN)] = EPITHELIUM
        window[mine & (depth > glands.wall[i])] = LUMEN
        inside[place] = np.maximum(inside[place], depth)
    return inside


def _place_vessels(rng: np.random.Generator, labels: np.ndarray, inside: np.ndarray, *, mpp: float) -> Curves:
    """Put a few small veins full of blood into the stroma between glands, and write them into `labels`."""
    h, w = labels.shape
    radius = rng.uniform(9.0, 26.0, rng.poisson(6.0 * h * w * mpp**2 / 1e6))
    xy = rng.uniform(0, 1, (len(radius), 2)) * (w * mpp, h * mpp)
    free = (at(labels, xy, mpp) == STROMA) & (at(inside, xy, mpp) < -1.5 * radius)
    xy, radius = xy[free], radius[free]
    n = len(xy)
    waves = rng.normal(0, 1, (n, 4)) * (0.16, 0.05, 0.03, 0.02)
    vessels = Curves(xy, radius, waves, rng.uniform(0, 2 * np.pi, (n, 4)), np.full(n, 4.0))
    for i in range(n):
        depth, y0, x0 = _depth_inside(vessels, i, labels.shape, mpp=mpp)
        window = labels[y0 : y0 + depth.shape[0], x0 : x0 + depth.shape[1]]
        window[(depth > 0) & (window == STROMA)] = VESSEL
    return vessels


def _fat_cells(rng: np.random.Generator, wanted: np.ndarray, *, mpp: float) -> tuple[np.ndarray, np.ndarray]:
    """Fill an area with whole fat cells.

    Returns
    -------
    ``(h, w)`` bool, the cells whose middle lies in `wanted`, and ``(h, w)`` float32 distance to the border between
    two cells, um.
    """
    h, w = wanted.shape
    step = 62.0
    gx, gy = np.meshgrid(np.arange(0, w * mpp + step, step), np.arange(0, h * mpp + step, step * 0.87))
    seeds = np.stack([gx + (np.arange(len(gx)) % 2)[:, None] * step / 2, gy], axis=-1).reshape(-1, 2)
    seeds = seeds + rng.normal(0, 9.0, seeds.shape)
    chosen = at(wanted, seeds, mpp) & (seeds < (w * mpp, h * mpp)).all(1)
    distance = np.zeros(wanted.shape, dtype=np.float32)
    fat = np.zeros(wanted.shape, dtype=bool)
    if not chosen.any():
        return fat, distance
    near = np.zeros((h // 16 + 1, w // 16 + 1), dtype=bool)
    for x, y in seeds[chosen] / mpp:
        reach = 60.0 / mpp
        near[
            max(0, int((y - reach) / 16)) : int((y + reach) / 16) + 1,
            max(0, int((x - reach) / 16)) : int((x + reach) / 16) + 1,
        ] = True
    rows, columns = np.nonzero(np.repeat(np.repeat(near, 16, 0), 16, 1)[:h, :w])
    found, cell = cKDTree(seeds).query(np.stack([columns + 0.5, rows + 0.5], axis=1) * mpp, k=2)
    distance[rows, columns] = (found[:, 1] - found[:, 0]) / 2
    fat[rows, columns] = chosen[cell[:, 0]]
    return fat, distance


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
