"""Means over an array's 3x3 neighbourhood: how some papers smooth what they measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["array_of", "neighbourhood"]

#: Fewer observations than this can lie on one parity by chance.
_FEW = 8


def array_of(section: Section) -> np.ndarray:
    """Return the ``(n, 2)`` integer row and column of each observation on its array.

    Raises
    ------
    CoordinateError
        If the section has no array coordinates, or they are not whole numbers.
    """
    lacking = [name for name in (keys.ARRAY_ROW, keys.ARRAY_COL) if name not in section.table.obs]
    if lacking:
        msg = (
            f"section {section.name!r} has no array coordinates ({', '.join(f'obs[{n!r}]' for n in lacking)}), which "
            "a 3x3 mean needs. Use a target that is not smoothed, or a reader that keeps the array."
        )
        raise CoordinateError(msg)
    place = section.table.obs[[keys.ARRAY_ROW, keys.ARRAY_COL]].to_numpy(dtype=np.float64)
    if not np.array_equal(place, np.rint(place)):
        msg = f"section {section.name!r}: array coordinates are not whole numbers. Give the array's rows and columns."
        raise CoordinateError(msg)
    return place.astype(np.int64)


def neighbourhood(place: np.ndarray) -> sp.csr_matrix:
    """Return the ``(n, n)`` matrix whose product averages over each observation's 3x3 neighbourhood, itself included.

    Only observations that exist count: one in a corner of the tissue averages over fewer than nine.
    Source: TRIPLEX (triplex-2024) and its followers.

    Parameters
    ----------
    place
        ``(n, 2)`` integer row and column on a square array, in any order.

    Raises
    ------
    CoordinateError
        If two observations share a place, or the array is staggered (its neighbours are not the 3x3 square).
    """
    place = np.asarray(place, dtype=np.int64)
    n = len(place)
    if n > _FEW and len(np.unique(place.sum(1) % 2)) == 1:
        msg = (
            f"all {n} array places have rows and columns of one parity, so the array is staggered (Visium, ST 2k) and "
            "its neighbours are not the 3x3 square. Use a target that is not smoothed."
        )
        raise CoordinateError(msg)
    place = place - place.min(0) + 1 if n else place
    width = int(place[:, 1].max()) + 2 if n else 1
    code = place[:, 0] * width + place[:, 1]
    order = np.argsort(code, kind="stable")
    ranked = code[order]
    if (np.diff(ranked) == 0).any():
        row, column = place[order[int(np.argmin(np.diff(ranked)))]]
        msg = (
            f"two observations share array place {row} x {column} (counted from the first). Remove one of them: each "
            "place of an array is measured once."
        )
        raise CoordinateError(msg)
    rows, columns = [], []
    for step in (dr * width + dc for dr in (-1, 0, 1) for dc in (-1, 0, 1)):
        at = np.searchsorted(ranked, code + step)
        hit = np.flatnonzero((at < n) & (ranked[np.minimum(at, n - 1)] == code + step))
        rows.append(hit)
        columns.append(order[at[hit]])
    row, column = np.concatenate(rows), np.concatenate(columns)
    weight = 1.0 / np.bincount(row, minlength=n)[row]
    return sp.csr_matrix((weight, (row, column)), shape=(n, n))
