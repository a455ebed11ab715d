"""Windows: a large section as neighbourhoods small enough for attention over all of their observations."""

from __future__ import annotations

import numpy as np

__all__ = ["spatial_windows"]


def spatial_windows(xy: np.ndarray, max_n: int) -> list[np.ndarray]:
    """Split observations by place into parts of at most `max_n`.

    The longer side is halved at the median until all parts are small enough. Ties go by the other coordinate, so that
    the order of the observations plays no part.

    Parameters
    ----------
    xy
        ``(n, 2)`` places, any unit.
    max_n
        At least 1; 0 returns one part.

    Returns
    -------
    Arrays of row numbers, which together are all rows.
    """
    parts, todo = [], [np.arange(len(xy))]
    while todo:
        rows = todo.pop()
        if max_n <= 0 or len(rows) <= max_n:
            parts.append(rows)
            continue
        along = int(np.argmax(np.ptp(xy[rows], axis=0)))
        rows = rows[np.lexsort((xy[rows, 1 - along], xy[rows, along]))]
        todo += [rows[len(rows) // 2 :], rows[: len(rows) // 2]]
    return parts
