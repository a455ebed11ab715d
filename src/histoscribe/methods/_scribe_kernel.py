"""Kernels over feature blocks, and their strengths by exact leave-group-out error under unequal noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from histoscribe.methods._strength import leave_group_out_residuals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "MULTIPLIERS",
    "STRENGTHS",
    "block_kernel",
    "choose_multipliers",
    "choose_strengths",
    "squared_distances",
    "within_group_error",
]

#: Noise over signal variance of one block, decades: from a block that explains a gene almost alone to one that is off.
STRENGTHS = tuple(10.0**e for e in range(-1, 6))
#: What a target component multiplies the common strengths by; 2^10 leaves nothing of it.
MULTIPLIERS = tuple(2.0**e for e in range(-8, 11))


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the ``(n, m)`` squared Euclidean distances between the rows of `a` and `b`."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None, :] - 2.0 * a @ b.T
    return np.maximum(square, 0.0)


def block_kernel(a: np.ndarray, b: np.ndarray, *, length2: float, shape: str) -> np.ndarray:
    """Return the ``(n, m)`` kernel of one block.

    ``"rbf"``: ``exp(-d^2 / length2)``, 1 at no distance. ``"linear"``: the inner product over `length2`.
    """
    if shape == "linear":
        return 2.0 * a @ b.T / length2
    return np.exp(-squared_distances(a, b) / length2)


def within_group_error(residuals: np.ndarray, groups: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Return the ``(g,)`` mean square, weighted by 1 / noise, of residuals less their group's mean.

    A section's overall offset says nothing about where in it a gene is high.
    """
    weight = 1.0 / noise
    total = np.zeros(residuals.shape[1])
    for group in np.unique(groups):
        rows = groups == group
        w = weight[rows, None]
        centred = residuals[rows] - (w * residuals[rows]).sum(0) / w.sum()
        total += (w * centred**2).sum(0)
    return total / weight.sum()


def choose_strengths(
    kernels: Sequence[np.ndarray], error: Callable[[np.ndarray], float], *, per_block: float
) -> np.ndarray:
    """Choose a strength for each block kernel: a common one first, then a decade up or down while that helps.

    Parameters
    ----------
    kernels
        ``(n, n)`` each.
    error
        Of a summed kernel; infinite where it has none.
    per_block
        How far, in log strength, each block goes from the common strength to its own: 0 stays, 1 goes all the way.

    Returns
    -------
    ``(n_blocks,)`` strengths.
    """
    seen: dict[tuple[int, ...], float] = {}

    def at(index: tuple[int, ...]) -> float:
        if index not in seen:
            seen[index] = error(np.asarray(sum(k / STRENGTHS[i] for k, i in zip(kernels, index, strict=True))))
        return seen[index]

    # From strong to weak, so that a tie keeps the stronger shrinkage.
    common = min(((i,) * len(kernels) for i in reversed(range(len(STRENGTHS)))), key=at)
    best = common
    improved = per_block > 0 and len(kernels) > 1
    while improved:
        improved = False
        for b in range(len(kernels)):
            for step in (1, -1):
                moved = best[b] + step
                while 0 <= moved < len(STRENGTHS):
                    candidate = (*best[:b], moved, *best[b + 1 :])
                    if at(candidate) >= at(best) - 1e-9:
                        break
                    best, improved, moved = candidate, True, moved + step
    grid = np.log(STRENGTHS)
    return np.exp((1.0 - per_block) * grid[list(common)] + per_block * grid[list(best)])


def choose_multipliers(kernel: np.ndarray, y: np.ndarray, groups: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Choose for each column of `y` what multiplies the common strengths, by its own leave-group-out error.

    Returns
    -------
    ``(g,)`` members of `MULTIPLIERS`.
    """
    errors = np.full((len(MULTIPLIERS), y.shape[1]), np.inf)
    for i, multiplier in enumerate(MULTIPLIERS):
        residuals = leave_group_out_residuals(kernel / multiplier, y, groups, noise)
        if residuals is not None:
            errors[i] = within_group_error(residuals, groups, noise)
    # From strong to weak: a component that nothing predicts ties everywhere, and is then shrunk away.
    chosen = len(MULTIPLIERS) - 1 - errors[::-1].argmin(0)
    return np.array(MULTIPLIERS)[chosen]
