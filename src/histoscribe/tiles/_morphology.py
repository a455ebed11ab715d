"""Shapes in masks: grow, shrink and drop by size, at a cost that does not depend on the radius."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["closed", "dilated", "eroded", "fill_holes", "hysteresis", "opened", "without_small"]


def dilated(mask: np.ndarray, radius: float) -> np.ndarray:
    """Grow ``(h, w)`` bool by a disc of `radius` px."""
    if not mask.any() or radius < 0.5:
        return mask.copy()
    return ndimage.distance_transform_edt(~mask) <= radius


def eroded(mask: np.ndarray, radius: float) -> np.ndarray:
    """Shrink ``(h, w)`` bool by a disc of `radius` px; the image's border does not count as outside."""
    if mask.all() or radius < 0.5:
        return mask.copy()
    return ndimage.distance_transform_edt(mask) > radius


def closed(mask: np.ndarray, radius: float) -> np.ndarray:
    """Fill gaps narrower than a disc of `radius` px; the image's border is no gap."""
    pad = int(radius) + 2
    wide = np.pad(mask, pad)
    return eroded(dilated(wide, radius), radius)[pad:-pad, pad:-pad] | mask


def opened(mask: np.ndarray, radius: float) -> np.ndarray:
    """Drop what is narrower than a disc of `radius` px."""
    pad = int(radius) + 2
    wide = np.pad(mask, pad, mode="edge")
    return dilated(eroded(wide, radius), radius)[pad:-pad, pad:-pad] & mask


def without_small(mask: np.ndarray, min_px: float) -> np.ndarray:
    """Drop connected pieces of fewer than `min_px` px."""
    labels, n = ndimage.label(mask)
    keep = np.bincount(labels.ravel(), minlength=n + 1) >= min_px
    keep[0] = False
    return keep[labels]


def fill_holes(mask: np.ndarray, max_px: float) -> np.ndarray:
    """Fill holes of fewer than `max_px` px; what is open to the image's border is no hole."""
    labels, n = ndimage.label(~mask)
    small = np.bincount(labels.ravel(), minlength=n + 1) < max_px
    small[0] = False
    small[np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = False
    return mask | small[labels]


def hysteresis(weak: np.ndarray, strong: np.ndarray, min_strong_px: float) -> np.ndarray:
    """Keep the connected pieces of `weak` that hold at least `min_strong_px` px of `strong`."""
    labels, n = ndimage.label(weak | strong)
    keep = np.bincount(labels[strong], minlength=n + 1) >= max(1.0, min_strong_px)
    keep[0] = False
    return keep[labels]
