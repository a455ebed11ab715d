"""Features of an observation's surroundings, averaged over its neighbours: context without encoding more tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["largest_side", "neighbour_mean"]

#: Neighbours further away than this many bandwidths weigh under 14 % of the nearest, and are left out.
_REACH = 2.0
#: Observations averaged at a time.
_CHUNK = 2048


def neighbour_mean(xy_um: np.ndarray, values: np.ndarray, bandwidth_um: float) -> np.ndarray:
    """Average over neighbouring observations with Gaussian weights.

    Parameters
    ----------
    xy_um
        ``(n, 2)`` centres, um.
    values
        ``(n, d)``.
    bandwidth_um
        Standard deviation of the weights, um; they end at twice that.

    Returns
    -------
    ``(n, d)`` float64; an observation without neighbours keeps its own values.
    """
    n = len(xy_um)
    result = np.empty(values.shape, dtype=np.float64)
    tree = cKDTree(xy_um)
    for start in range(0, n, _CHUNK):
        part = cKDTree(xy_um[start : start + _CHUNK])
        near = part.sparse_distance_matrix(tree, _REACH * bandwidth_um, output_type="coo_matrix").tocsr()
        # Stored zeros (an observation's distance to itself) stay in the matrix, with weight 1.
        near.data = np.exp(-0.5 * (near.data / bandwidth_um) ** 2)
        total = np.asarray(near.sum(1))
        result[start : start + _CHUNK] = near @ values / total
    return result


def largest_side(blocks: Mapping[str, tuple[int, int]]) -> list[str]:
    """Return the names of the blocks whose tiles are the largest; all of them where no name tells a side.

    Examples
    --------
    >>> largest_side({"a@112um": (0, 4), "a@448um": (4, 8), "b@448um": (8, 9)})
    ['a@448um', 'b@448um']
    """
    sides = {}
    for name in blocks:
        side = name.rpartition("@")[2].removesuffix("um")
        sides[name] = float(side) if side.replace(".", "", 1).isdigit() else 0.0
    most = max(sides.values(), default=0.0)
    return [name for name, side in sides.items() if side == most]
