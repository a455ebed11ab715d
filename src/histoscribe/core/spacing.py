"""How far apart observations lie."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.core.errors import DataError

__all__ = ["spacing_um"]


def spacing_um(xy_um: np.ndarray) -> float:
    """Return the median distance to the nearest other observation, um.

    Parameters
    ----------
    xy_um
        ``(n, 2)`` positions, um.

    Raises
    ------
    DataError
        If there are fewer than two.
    """
    if len(xy_um) < 2:
        msg = f"{len(xy_um)} observations have no spacing. Give a section with at least 2."
        raise DataError(msg)
    return float(np.median(cKDTree(xy_um).query(xy_um, k=2)[0][:, 1]))
