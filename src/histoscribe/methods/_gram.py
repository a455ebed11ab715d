"""Tune a ridge from sums over groups: no matrix of observations is solved, whatever their number.

All that a ridge needs of a group's observations are the sums ``X'X``, ``X'Y``, ``Y'Y`` and the means. So after one pass
over the data each strength costs what a few hundred components cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
from scipy.linalg import blas

from histoscribe.methods._strength import GRID

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Sums", "choose_strength", "principal_axes", "sums_of"]

#: Groups beyond this many are dealt to this many: each costs an eigendecomposition.
_MOST_GROUPS = 5
#: Columns beyond those wanted, and passes, of the subspace iteration: the last wanted eigenvalues of image features lie
#: close together, and any basis of what they span serves a ridge.
_EXTRA, _PASSES = 16, 3


@dataclass(frozen=True)
class Sums:
    """Raw sums over `n` observations: `xx` ``(d, d)``, `xy` ``(d, g)``, `yy` ``(g,)``, `x` ``(d,)``, `y` ``(g,)``.

    Of the symmetric `xx` only the upper half need be filled in where it is float32.
    """

    n: int
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray
    x: np.ndarray
    y: np.ndarray

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def along(self, axes: np.ndarray) -> Sums:
        """Return the sums of the features' projections on ``(d, k)`` axes."""
        inside = (axes.T @ blas.ssymm(1.0, self.xx, axes)).astype(np.float64)
        return Sums(self.n, inside, axes.T.astype(np.float64) @ self.xy, self.yy, axes.T @ self.x, self.y)

    def centred(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return `xx`, `xy` and `yy` of deviations from these observations' own means."""
        return (
            self.xx - np.outer(self.x, self.x) / self.n,
            self.xy - np.outer(self.x, self.y) / self.n,
            self.yy - self.y**2 / self.n,
        )


def sums_of(X: np.ndarray, Y: np.ndarray, groups: np.ndarray) -> list[Sums]:
    """Return the sums of each group; at most five, larger numbers of groups are dealt together.

    Parameters
    ----------
    X
        ``(n, d)`` float32 standardised features: sums of squares are in float32, which needs means near 0.
    Y
        ``(n, g)`` float64 targets.
    groups
        ``(n,)`` labels.
    """
    labels = np.unique(groups, return_inverse=True)[1]
    if labels.max() >= _MOST_GROUPS:
        sizes = np.bincount(labels)
        dealt, load = np.empty(len(sizes), dtype=int), np.zeros(_MOST_GROUPS)
        for label in np.argsort(-sizes, kind="stable"):
            dealt[label] = int(load.argmin())
            load[dealt[label]] += sizes[label]
        labels = dealt[labels]
    found = []
    for label in range(labels.max() + 1):
        rows = np.flatnonzero(labels == label)
        # Sections come one after another, so that a group is most often a slice, of which nothing is copied.
        whole = rows[-1] - rows[0] + 1 == len(rows)
        x, y = (v[rows[0] : rows[-1] + 1] if whole else v[rows] for v in (X, Y))
        xy = (x.T @ y.astype(np.float32)).astype(np.float64)
        sums = np.ones(len(x), dtype=np.float32) @ x
        # The transpose of a C array is in Fortran order, which LAPACK wants; only the upper half is computed.
        found.append(Sums(len(x), blas.ssyrk(1.0, x.T), xy, (y**2).sum(0), sums.astype(np.float64), y.sum(0)))
    return found


def principal_axes(xx: np.ndarray, k: int, *, seed: int) -> np.ndarray:
    """Return ``(d, k)`` orthonormal axes of the largest sums of squares, from the upper half of `xx`.

    By subspace iteration where `k` is far below d.
    """
    d, xx = len(xx), np.triu(xx) + np.triu(xx, 1).T
    if k + _EXTRA > d // 2:
        return np.asarray(scipy.linalg.eigh(xx, subset_by_index=[d - k, d - 1])[1][:, ::-1])
    basis = np.random.default_rng(seed).standard_normal((d, k + _EXTRA)).astype(xx.dtype)
    for _ in range(_PASSES):
        basis = np.linalg.qr(xx @ basis)[0]
    _, turn = scipy.linalg.eigh(basis.T @ (xx @ basis))
    return np.asarray(basis @ turn[:, ::-1][:, :k])


def choose_strength(groups: Sequence[Sums], grid: Sequence[float] = GRID) -> tuple[float, np.ndarray, np.ndarray]:
    """Choose the strength that predicts each group best from the others, and fit all of them with it.

    Errors are within groups, as in `histoscribe.methods._strength`, and genes count alike. With one group there is
    nothing to choose by, and the strongest is taken.

    Returns
    -------
    The strength, ``(d, g)`` weights and the ``(g,)`` unpenalised intercept.
    """
    whole = groups[0]
    for other in groups[1:]:
        whole = whole + other
    grid, errors = np.asarray(grid, dtype=np.float64), np.zeros(len(grid))
    variance = whole.centred()[2]
    weight = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 1e-12 * whole.n)
    for i, held in enumerate(groups if len(groups) > 1 else ()):
        rest = [g for j, g in enumerate(groups) if j != i]
        train = rest[0]
        for other in rest[1:]:
            train = train + other
        values, vectors, along = _solved(train)
        xx, xy, yy = held.centred()
        xx, xy = vectors.T @ xx @ vectors, vectors.T @ xy
        for j, strength in enumerate(grid):
            w = along / (values + strength)[:, None]
            errors[j] += (weight * (yy - 2 * (w * xy).sum(0) + (w * (xx @ w)).sum(0))).sum()
    # From strong to weak, so that a tie keeps the stronger shrinkage.
    best = float(grid[::-1][errors[::-1].argmin()])
    values, vectors, along = _solved(whole)
    coef = vectors @ (along / (values + best)[:, None])
    return best, coef, (whole.y - whole.x @ coef) / whole.n


def _solved(sums: Sums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return eigenvalues and eigenvectors of the centred sums of squares, and the cross sums along these."""
    xx, xy, _ = sums.centred()
    values, vectors = scipy.linalg.eigh(xx, driver="evd")
    return np.maximum(values, 0.0), vectors, vectors.T @ xy
