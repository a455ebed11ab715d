"""Gaussian smoothing from the observations of one plane to any places: what controls and methods of stacks share."""

from __future__ import annotations

import numpy as np

__all__ = ["kernel_weights"]

#: Rows computed at a time: bounds memory for sections of many observations.
_CHUNK = 1024


def kernel_weights(at_um: np.ndarray, places_um: np.ndarray, sigma_um: float, *, alone: bool = False) -> np.ndarray:
    """Return ``(m, n)`` Gaussian weights of `places_um` ((n, 2)) for each of `at_um` ((m, 2)); rows sum to 1.

    A place far from all others takes the nearest one: distances count from the nearest. With `sigma_um` 0 only the
    nearest counts. `alone` leaves out each place itself, where both are the same places.
    """
    weights = np.empty((len(at_um), len(places_um)))
    for start in range(0, len(at_um), _CHUNK):
        rows = slice(start, start + _CHUNK)
        squared = ((at_um[rows, None] - places_um[None]) ** 2).sum(-1)
        if alone:
            squared[np.arange(len(squared)), np.arange(len(squared)) + start] = np.inf
        squared -= squared.min(1, keepdims=True)
        # Places equally near share the weight, so that order does not matter.
        part = np.exp(-squared / (2 * sigma_um**2)) if sigma_um > 0 else (squared <= 1e-6).astype(float)
        weights[rows] = part / part.sum(1, keepdims=True)
    return weights
