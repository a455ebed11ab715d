"""Pseudo-spots: cells or molecules summed on a square grid of um, as benchmarks do with imaging platforms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.errors import DataError, ScaleError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["GridSpots", "grid_cells", "grid_molecules"]

#: Sums of so many chunks are held before they are put together.
_TOGETHER = 32


@dataclass(frozen=True, eq=False)
class GridSpots:
    """Counts of squares.

    Attributes
    ----------
    matrix
        ``(n, g)`` integer csr.
    obs
        Table with `array_row`, `array_col` and the number of cells or molecules, indexed ``012x034`` (row x column).
    xy_um
        ``(n, 2)`` centres, um.
    """

    matrix: sp.csr_matrix
    obs: pd.DataFrame
    xy_um: np.ndarray


def grid_cells(counts: sp.csr_matrix, xy_um: np.ndarray, grid_um: float, *, where: str) -> GridSpots:
    """Sum cells by the square that their centre lies in.

    Parameters
    ----------
    counts
        ``(n, g)`` integer csr.
    xy_um
        ``(n, 2)`` centres, um.
    grid_um
        Edge of a square, um; squares start at multiples of it, whatever cells there are.
    where
        Name for messages.
    """
    _check(grid_um, where)
    squares, row = np.unique(_square(xy_um, grid_um), axis=0, return_inverse=True)
    collect = sp.csr_matrix(
        (np.ones(len(row), counts.dtype), (row.ravel(), np.arange(len(row)))), shape=(len(squares), len(row))
    )
    n_cells = np.bincount(row.ravel(), minlength=len(squares))
    return _spots(sp.csr_matrix(collect @ counts), squares, grid_um, "n_cells", n_cells)


def grid_molecules(
    chunks: Iterable[tuple[np.ndarray, np.ndarray]], n_genes: int, grid_um: float, *, where: str
) -> GridSpots:
    """Sum molecules, given as chunks of gene columns ``(m,)`` and positions ``(m, 2)``, um, by their square."""
    _check(grid_um, where)
    parts: list[tuple[np.ndarray, sp.csr_matrix]] = []
    for genes, xy_um in chunks:
        if not len(genes):
            continue
        squares, row = np.unique(_square(xy_um, grid_um), axis=0, return_inverse=True)
        ones = np.ones(len(genes), np.int32)
        parts.append((squares, sp.coo_matrix((ones, (row.ravel(), genes)), shape=(len(squares), n_genes)).tocsr()))
        if len(parts) >= _TOGETHER:
            parts = [_together(parts)]
    if not parts:
        msg = f"{where}: no molecule of a gene is left to sum. Check the transcripts, or read cells (grid_um left out)."
        raise DataError(msg)
    squares, matrix = _together(parts)
    return _spots(matrix, squares, grid_um, "n_transcripts", np.asarray(matrix.sum(1)).ravel())


def _check(grid_um: float, where: str) -> None:
    if not 1 <= grid_um <= 10_000:
        msg = (
            f"{where}: grid_um={grid_um:g} is not the edge of a square on tissue, 1 to 10000 um. Give e.g. grid_um=100."
        )
        raise ScaleError(msg)


def _square(xy_um: np.ndarray, grid_um: float) -> np.ndarray:
    """Return ``(n, 2)`` row and column of the square."""
    return np.floor(xy_um[:, ::-1] / grid_um).astype(np.int64)


def _together(parts: list[tuple[np.ndarray, sp.csr_matrix]]) -> tuple[np.ndarray, sp.csr_matrix]:
    squares, row = np.unique(np.vstack([s for s, _ in parts]), axis=0, return_inverse=True)
    stacked = sp.vstack([m for _, m in parts]).tocoo()
    summed = sp.coo_matrix((stacked.data, (row.ravel()[stacked.row], stacked.col)), (len(squares), stacked.shape[1]))
    return squares, summed.tocsr()


def _spots(matrix: sp.csr_matrix, squares: np.ndarray, grid_um: float, what: str, number: np.ndarray) -> GridSpots:
    # Some platforms measure from the middle of the slide; rows and columns count from the first square with anything.
    place = squares - squares.min(0)
    width = max(3, len(str(place.max())))
    names = [f"{r:0{width}d}x{c:0{width}d}" for r, c in place.tolist()]
    obs = pd.DataFrame(
        {keys.ARRAY_ROW: place[:, 0], keys.ARRAY_COL: place[:, 1], what: number.astype(np.int64)},
        index=pd.Index(names, dtype=object),
    )
    matrix.sort_indices()
    return GridSpots(matrix, obs, (squares[:, ::-1] + 0.5) * grid_um)
