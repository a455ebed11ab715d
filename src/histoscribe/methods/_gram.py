"""Tune a ridge from sums over groups: no matrix of observations is solved, whatever their number.

All that a ridge needs of a group's observations are the sums ``X'X``, ``X'Y``, ``Y'Y`` and the means. So after one pass
over the data each strength costs what a few hundred components cost.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
#: id of an array of features -> the array, some of its rows, and `_squares` of it; goes with the array.
_SEEN: dict[int, tuple[weakref.ref[np.ndarray], bytes, tuple[np.ndarray, np.ndarray]]] = {}


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

    def scaled(self, factors: np.ndarray) -> Sums:
        """Return the sums of the features times ``(d,)`` factors."""
        f = np.asarray(factors, dtype=self.xx.dtype)
        return Sums(self.n, self.xx * f[:, None] * f, self.xy * factors[:, None], self.yy, self.x * factors, self.y)

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


def sums_of(
    features: Sequence[np.ndarray], targets: Sequence[np.ndarray], groups: Sequence[np.ndarray]
) -> tuple[list[Sums], np.ndarray]:
    """Return the sums of each group, of features less a common centre; many groups are dealt to five.

    Squares of a section's features are summed once, however many folds it is trained on in: leaving one donor out
    after another meets the same sections again and again.

    Parameters
    ----------
    features
        ``(n, d)`` float32 of each section; not to be changed in place while it is in use.
    targets
        ``(n, g)`` float64 of each section.
    groups
        ``(n,)`` labels of each section.

    Returns
    -------
    The groups' sums, and the ``(d,)`` centre, the mean over all observations.
    """
    parts: list[tuple[Any, np.ndarray, np.ndarray]] = []
    for X, Y, labels in zip(features, targets, groups, strict=True):
        found = np.unique(labels)
        # A section of one group is taken as the object it is, by which its sums are known again.
        whole = len(found) == 1
        parts += [(g, X, Y) if whole else (g, X[labels == g], Y[labels == g]) for g in found]
    squares = [_squares(X) for _, X, _ in parts]
    sizes = np.array([len(X) for _, X, _ in parts])
    centre = np.average([mean for mean, _ in squares], axis=0, weights=sizes)
    place = _dealt([g for g, _, _ in parts], sizes)
    sums: list[Sums | None] = [None] * (place.max() + 1)
    for i, (_, X, Y), (mean, xx) in zip(place, parts, squares, strict=True):
        n, x, y = len(X), mean - centre, Y.mean(0)
        shift = x.astype(np.float32)
        xy = (X.T @ (Y - y).astype(np.float32)).astype(np.float64) + n * np.outer(x, y)
        # Transposed, as the outer product is in C order and all else in Fortran order.
        one = Sums(n, xx + n * np.outer(shift, shift).T, xy, (Y**2).sum(0), n * x, n * y)
        held = sums[i]
        sums[i] = one if held is None else held + one
    return [s for s in sums if s is not None], centre


def _dealt(labels: Sequence[Any], sizes: np.ndarray) -> np.ndarray:
    """Return the place of each part: that of its group, or, of many groups, of the five they are dealt to by size."""
    index = np.unique(labels, return_inverse=True)[1]
    if index.max() < _MOST_GROUPS:
        return index
    total = np.bincount(index, weights=sizes)
    place, load = np.empty(len(total), dtype=int), np.zeros(_MOST_GROUPS)
    for group in np.argsort(-total, kind="stable"):
        place[group] = int(load.argmin())
        load[place[group]] += total[group]
    return place[index]


def _squares(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean, and the upper half of the sums of squares of deviations from it; remembered while `X` lives."""
    key, probe = id(X), X[:: max(1, len(X) // 64)].tobytes()
    if key in _SEEN and _SEEN[key][0]() is X and _SEEN[key][1] == probe:
        return _SEEN[key][2]
    mean = (np.ones(len(X), dtype=np.float32) @ X).astype(np.float64) / len(X)
    # The transpose of a C array is in Fortran order, which LAPACK wants; only the upper half is computed.
    found = mean, blas.ssyrk(1.0, np.ascontiguousarray(X - mean.astype(np.float32)).T)
    _SEEN[key] = weakref.ref(X, lambda _: _SEEN.pop(key, None)), probe, found
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
        basis = _orthonormal(xx @ basis)
    _, turn = scipy.linalg.eigh(basis.T @ (xx @ basis))
    return np.asarray(basis @ turn[:, ::-1][:, :k])


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """Return a basis of what the columns span: by a Cholesky factor in float64, twice as fast as QR of float32."""
    wide = columns.astype(np.float64)
    try:
        factor = scipy.linalg.cholesky(wide.T @ wide, lower=True)
    except scipy.linalg.LinAlgError:
        return np.linalg.qr(columns)[0]
    inverse = scipy.linalg.solve_triangular(factor, np.eye(len(factor)), lower=True)
    return np.asarray(wide @ inverse.T, dtype=columns.dtype)


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
