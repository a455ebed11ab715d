"""Ridge over slides with its strengths chosen by the error on donors left out, for any number of genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.blas import threads_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["STRENGTHS", "BlockRidge", "fit_ridge", "left_out_error", "profile_axes"]

#: Strengths tried, as multiples of a slide's mean squared length in a block of features.
STRENGTHS = tuple(10.0 ** (e / 2) for e in range(-6, 7))


def profile_axes(y: np.ndarray, *, most: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Write profiles as scores on few axes, exactly where `most` is None: m slides span at most m axes.

    Squared errors of all genes are those of the scores, so nothing has to be as wide as the transcriptome.

    Parameters
    ----------
    y
        ``(m, g)``.
    most
        Keep this many axes of largest variance.

    Returns
    -------
    ``(m, r)`` float64 scores and ``(r, g)`` float32 orthonormal axes.
    """
    values, vectors = np.linalg.eigh((y @ y.T).astype(np.float64))
    order = np.argsort(-values)[:most]
    order = order[values[order] > 1e-6 * max(values.max(), 1e-12)]
    length = np.sqrt(values[order])
    return vectors[:, order] * length, (vectors[:, order].T / length[:, None]).astype(np.float32) @ y


@dataclass(frozen=True, eq=False)
class BlockRidge:
    """A fitted ridge.

    Attributes
    ----------
    weights
        ``(d_b, r)`` of each block.
    intercept
        ``(r,)``.
    strengths
        ``(n_blocks,)`` in the unit of `STRENGTHS`; infinite: the block is not used.
    error
        `left_out_error` at these strengths.
    """

    weights: list[np.ndarray]
    intercept: np.ndarray
    strengths: np.ndarray
    error: float


def fit_ridge(blocks: Sequence[np.ndarray], scores: np.ndarray, groups: np.ndarray) -> BlockRidge:
    """Fit with one strength per block.

    Parameters
    ----------
    blocks
        ``(m, d_b)`` float64 features of the slides.
    scores
        ``(m, r)`` targets.
    groups
        ``(m,)`` donors.
    """
    with threads_for(len(scores)):
        return _fit(blocks, scores, groups)


def _fit(blocks: Sequence[np.ndarray], scores: np.ndarray, groups: np.ndarray) -> BlockRidge:
    centred = [b - b.mean(0) for b in blocks]
    kernels = [c @ c.T for c in centred]
    kernels = [k / max(np.trace(k) / len(k), 1e-12) for k in kernels]
    units = [max(float((c**2).sum()) / len(c), 1e-12) for c in centred]
    strengths = _choose(kernels, scores, groups)
    kernel = np.eye(len(scores)) + sum(k / s for k, s in zip(kernels, strengths, strict=True))
    target = scores - scores.mean(0)
    # Centred features and targets: the intercept drops out.
    dual = np.linalg.solve(kernel, target)
    weights = [c.T @ dual / (u * s) for c, u, s in zip(centred, units, strengths, strict=True)]
    intercept = scores.mean(0) - sum(b.mean(0) @ w for b, w in zip(blocks, weights, strict=True))
    return BlockRidge(weights, intercept, strengths, left_out_error(kernel - np.eye(len(scores)), scores, groups))


def left_out_error(kernel: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> float:
    """Return the summed squared error of each donor predicted from the others, with an unpenalised intercept.

    As `leave_group_out_residuals`, which serves few groups; here nearly every slide is a group of its own, and those
    are done at once: the residual of one is ``(P y)_i / P_ii``.
    """
    n = len(kernel)
    inverse = np.linalg.inv(kernel + np.eye(n))
    ones = inverse.sum(1)
    inverse -= np.outer(ones, ones) / ones.sum()
    projected = inverse @ scores
    _, index, count = np.unique(groups, return_inverse=True, return_counts=True)
    alone = count[index] == 1
    error = float(((projected[alone] / np.diag(inverse)[alone, None]) ** 2).sum())
    for group in np.flatnonzero(count > 1):
        rows = np.flatnonzero(index == group)
        error += float((np.linalg.solve(inverse[np.ix_(rows, rows)], projected[rows]) ** 2).sum())
    return error


def _choose(kernels: list[np.ndarray], scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Choose strengths block by block, from strong to weak; a block may be left out (infinite strength)."""
    grid = (*STRENGTHS, np.inf)
    if len(np.unique(groups)) < 2:
        return np.full(len(kernels), STRENGTHS[-1])
    seen: dict[tuple[int, ...], float] = {}

    def error(index: tuple[int, ...]) -> float:
        if index not in seen:
            kernel = sum(k / grid[i] for k, i in zip(kernels, index, strict=True))
            seen[index] = left_out_error(np.asarray(kernel), scores, groups)
        return seen[index]

    def better(best: tuple[int, ...], b: int, choices: Iterable[int]) -> tuple[int, ...]:
        for i in sorted(choices, reverse=True):
            candidate = (*best[:b], i, *best[b + 1 :])
            # A tie, or what is next to one, keeps the stronger shrinkage.
            if 0 <= i < len(grid) and error(candidate) < error(best) * (1 - 1e-6):
                best = candidate
        return best

    best = (len(grid) - 1,) * len(kernels)
    while True:
        before = best
        for b in range(len(kernels)):
            best = better(best, b, range(0, len(grid), 3))
            best = better(best, b, (best[b] - 2, best[b] - 1, best[b] + 1, best[b] + 2))
        if best == before:
            return np.array([grid[i] for i in best])
