"""Prediction intervals: how often they hold the truth."""

from __future__ import annotations

import numpy as np

from histoscribe.core.errors import DataError

__all__ = ["interval_coverage"]


def interval_coverage(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Return the ``(g,)`` share of observations whose truth lies in ``[lower, upper]``, ends included.

    Parameters
    ----------
    truth, lower, upper
        ``(n, g)`` in one unit.

    Raises
    ------
    DataError
        If the shapes differ or a lower bound lies above its upper bound.
    """
    # One precision for all three: bounds are float32, and a truth on a bound is inside.
    y, low, high = (np.asarray(a, dtype=np.float32) for a in (truth, lower, upper))
    if not y.shape == low.shape == high.shape or y.ndim != 2 or not len(y):
        msg = f"truth {y.shape}, lower {low.shape} and upper {high.shape} must be alike, observations x genes."
        raise DataError(msg)
    if not (low <= high).all():
        msg = f"{int((~(low <= high)).sum())} lower bounds lie above their upper bounds (or are NaN). Calibrate again."
        raise DataError(msg)
    return ((y >= low) & (y <= high)).mean(0, dtype=np.float64)
