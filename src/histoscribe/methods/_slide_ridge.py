"""Ridge over slides with its strengths chosen by the error on donors left out, for any number of genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from histoscribe.methods._strength import leave_group_out_residuals

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["STRENGTHS", "fit_ridge", "left_out_error", "profile_axes"]

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


def fit_ridge(
    blocks: Sequence[np.ndarray], scores: np.ndarray, groups: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Fit with one strength per block.

    Parameters
    ----------
    blocks
        ``(m, d_b)`` float64 features of the slides.
    scores
        ``(m, r)`` targets.
    groups
        ``(m,)`` donors.

    Returns
    -------
    ``(d_b, r)`` weights of each block, the ``(r,)`` intercept, and the ``(n_blocks,)`` strengths in the unit of
    `STRENGTHS` (infinite: the block is not used).
    """
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
    return weights, intercept, strengths


def left_out_error(kernel: np.ndarray, scores: np.ndarray, groups: np.ndarray) -> float:
    """Return the summed squared error of each donor predicted from the others."""
    residuals = leave_group_out_residuals(kernel, scores, groups)
    return np.inf if residuals is None else float((residuals**2).sum())


def _choose(kernels: list[np.ndarray], scores: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Choose strengths by coordinate descent from strong to weak; a block may be left out (infinite strength)."""
    grid = (*STRENGTHS, np.inf)
    if len(np.unique(groups)) < 2:
        return np.full(len(kernels), STRENGTHS[-1])
    seen: dict[tuple[int, ...], float] = {}

    def error(index: tuple[int, ...]) -> float:
        if index not in seen:
            kernel = sum(k / grid[i] for k, i in zip(kernels, index, strict=True))
            seen[index] = left_out_error(np.asarray(kernel), scores, groups)
        return seen[index]

    best = (len(STRENGTHS) - 1,) * len(kernels)
    while True:
        before = best
        for b in range(len(kernels)):
            choices = [(*best[:b], i, *best[b + 1 :]) for i in reversed(range(len(grid)))]
            best = min([best, *choices], key=lambda index: error(index) * (1 + 1e-9 * (index != best)))
        if best == before:
            return np.array([grid[i] for i in best])
