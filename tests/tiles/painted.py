"""Painted thumbnails: an ellipse of H&E-like texture on any glass, with what may lie beside it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import ndimage

MPP, SIZE = 8.0, 420

WHITE, GREY, PINK = (0.03, 0.03, 0.03), (0.47, 0.45, 0.43), (0.08, 0.15, 0.08)
#: Optical density (red, green, blue) of stains and inks.
NUCLEI, EOSIN = np.array([0.65, 0.70, 0.29]), np.array([0.07, 0.99, 0.11])
INKS = {"blue": (2.3, 1.4, 0.3), "green": (2.1, 0.6, 1.2), "black": (2.7, 2.7, 2.4), "red": (0.16, 2.1, 1.9)}


def ellipse(centre=(210, 200), radii=(110, 150)):
    y, x = np.indices((SIZE, SIZE)) + 0.5
    return ((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 <= 1


def tissue(seed=0, *, strength=1.0):
    """Density of tissue without glass, ``(SIZE, SIZE, 3)``: nuclei and eosin that vary over 2 and 8 px."""
    rng = np.random.default_rng(seed)
    fine, wide = (ndimage.gaussian_filter(rng.normal(size=(SIZE, SIZE)), s) for s in (1.0, 6.0))
    nuclei = np.clip(0.35 + 0.6 * fine / fine.std() * 0.3, 0.02, None)
    eosin = np.clip(0.30 + 0.1 * wide / wide.std(), 0.08, None)
    return strength * (nuclei[..., None] * NUCLEI + eosin[..., None] * EOSIN)


def uneven(amount=0.12):
    """Light that falls off to one corner: density, ``(SIZE, SIZE, 1)``."""
    y, x = np.indices((SIZE, SIZE)) / SIZE
    return amount * (x**2 + y**2)[..., None] / 2


def halo(mask, *, peak=0.14, reach=35):
    """Eosin that ran from the tissue into the glass on the right."""
    distance = ndimage.distance_transform_edt(~mask)
    right = np.indices((SIZE, SIZE))[1] > 250
    strength = peak * np.exp(-distance / reach) * ndimage.gaussian_filter(right.astype(float), 15)
    return strength[..., None] * np.array([0.05, 1.0, 0.45])


def stroke(points, width):
    """Mask of a line through (y, x) points."""
    found = np.zeros((SIZE, SIZE), dtype=bool)
    for (y0, x0), (y1, x1) in pairwise(points):
        for t in np.linspace(0, 1, 600):
            found[int(y0 + t * (y1 - y0)), int(x0 + t * (x1 - x0))] = True
    return ndimage.distance_transform_edt(~found) <= width / 2


def photograph(density, seed=1):
    """Camera: density to ``(SIZE, SIZE, 3)`` uint8 with a little noise."""
    noise = np.random.default_rng(seed).normal(0, 1.5, density.shape)
    return np.clip(256 * np.exp(-density) - 1 + noise, 0, 255).astype(np.uint8)


def section(glass=WHITE, *, extra=0.0, strength=1.0):
    """A thumbnail and its true mask."""
    mask = ellipse()
    density = np.asarray(glass) + extra + tissue(strength=strength) * mask[..., None]
    return photograph(density), mask


def overlap(found, truth):
    """Intersection over union."""
    return (found & truth).sum() / (found | truth).sum()
