"""Markers of a selection: a rank-sum test of every gene, inside against outside, within a time that a user waits."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from histoscribe.studio.values._values import Layer

__all__ = ["Marker", "Markers", "find_markers"]

#: Genes in the answer.
_TOP = 50
#: Values ranked at once: many genes of few observations, or one of many.
_BLOCK = 200_000
#: Below this many observations on a side a rank-sum test's normal approximation says nothing.
MIN_SIDE = 3


@dataclass(frozen=True)
class Marker:
    """One gene: means of both sides in the layer's unit, fold change, AUC, adjusted p.

    Attributes
    ----------
    log2_fold_change
        Of the means brought back from the logarithm; None where the layer is no logarithm of a count.
    auc
        Probability that an observation inside exceeds one outside (ties count half).
    p_adjusted
        Wilcoxon's rank-sum test (normal approximation, ties corrected), Benjamini-Hochberg over the tested genes.
    """

    name: str
    mean_inside: float
    mean_outside: float
    log2_fold_change: float | None
    auc: float
    p_adjusted: float


@dataclass(frozen=True)
class Markers:
    """The genes that tell a selection apart best, and how many were tested of how many."""

    n_inside: int
    n_outside: int
    n_tested: int
    n_genes: int
    genes: list[Marker]


def find_markers(
    layer: Layer,
    genes: list[str],
    inside: np.ndarray,
    *,
    to_rate: Callable[[np.ndarray], np.ndarray] | None,
    seconds: float,
) -> Markers:
    """Test genes until the time is over.

    Observations are not independent of their neighbours, so that p-values are too small; they rank genes, no more.

    Parameters
    ----------
    layer
        The values.
    genes
        Which, those of most interest first.
    inside
        ``(n,)`` bool.
    to_rate
        From the layer's unit back to a rate, or None where there is none.
    seconds
        Time after which the genes tested so far are the answer.
    """
    until = time.monotonic() + seconds
    counts = int(inside.sum()), int((~inside).sum())
    names, parts = [], []
    wanted = [gene for gene in genes if gene in layer.genes]
    size = max(1, _BLOCK // max(1, len(inside)))
    for start in range(0, len(wanted), size):
        block = np.stack([layer.get(layer.genes[gene]) for gene in wanted[start : start + size]], axis=1)  # (n, b)
        # Where a value is unknown it is so for every gene: no counterpart was there.
        known = np.isfinite(block[:, 0])
        values, side = (block, inside) if known.all() else (block[known], inside[known])
        if min(side.sum(), (~side).sum()) < MIN_SIDE:
            break
        means = values[side].mean(0, dtype=np.float64), values[~side].mean(0, dtype=np.float64)
        parts.append(np.column_stack([*means, *rank_sum(values, side)]))
        names += wanted[start : start + size]
        if time.monotonic() > until:
            break
    if not parts:
        return Markers(*counts, 0, len(wanted), [])
    return Markers(*counts, len(names), len(wanted), _best(names, np.concatenate(parts), to_rate))


def _best(names: list[str], table: np.ndarray, to_rate: Callable[[np.ndarray], np.ndarray] | None) -> list[Marker]:
    """Return the genes that tell best, of a table with both means, AUC and p."""
    adjusted = _benjamini_hochberg(table[:, 3])
    order = np.lexsort((-table[:, 0], -np.abs(table[:, 2] - 0.5), adjusted))[:_TOP]
    # Genes of the selection come first, those it lacks after them: both tell it apart.
    order = order[np.argsort(table[order, 2] < 0.5, kind="stable")]
    fold = _fold(table[:, 0], table[:, 1], to_rate)
    return [
        Marker(
            names[i],
            float(table[i, 0]),
            float(table[i, 1]),
            None if fold is None else float(fold[i]),
            float(table[i, 2]),
            float(adjusted[i]),
        )
        for i in order
    ]


def rank_sum(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return AUC and two-sided p of Wilcoxon's rank-sum test, gene by gene: ``(b,)`` float64 each.

    Parameters
    ----------
    values
        ``(n, b)`` finite values.
    inside
        ``(n,)`` bool with at least one value on either side.
    """
    from scipy import special

    n, n1 = len(values), int(inside.sum())
    n2 = n - n1
    total, squares = _rank_sums(values, inside)
    # Ties lower the sum of squared ranks by (t^3 - t) / 12 for each group of t equal values.
    ties = 12 * (n * (n + 1) * (2 * n + 1) / 6 - squares)
    variance = n1 * n2 / 12 * (n + 1 - ties / (n * (n - 1)))
    u = total - n1 * (n1 + 1) / 2
    distance = np.maximum(np.abs(u - n1 * n2 / 2) - 0.5, 0.0)
    # Rounding leaves a hair of variance where all values are one.
    tied = variance <= 1e-9 * n1 * n2 * n
    z = distance / np.sqrt(np.where(tied, 1.0, variance))
    return u / (n1 * n2), np.where(tied, 1.0, np.minimum(1.0, 2 * special.ndtr(-z)))


def _rank_sums(values: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of mid-ranks inside and of all squared mid-ranks, gene by gene.

    Of a single gene that is mostly 0, as counts are, only the other values are sorted.
    """
    from scipy import stats

    some = values[:, 0] != 0
    zeros = len(values) - int(some.sum())
    if values.shape[1] > 1 or zeros < len(values) // 2 or values.min() < 0:
        ranks = stats.rankdata(values, axis=0)
        return ranks[inside].sum(0), (ranks**2).sum(0)
    ranks, middle = stats.rankdata(values[some, 0]) + zeros, (zeros + 1) / 2
    total = ranks[inside[some]].sum() + middle * (inside & ~some).sum()
    return np.array([total]), np.array([(ranks**2).sum() + zeros * middle**2])


def _benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p)[::-1]
    scaled = p[order] * len(p) / np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(np.minimum(scaled, 1.0))
    return adjusted


def _fold(
    inside: np.ndarray, outside: np.ndarray, to_rate: Callable[[np.ndarray], np.ndarray] | None
) -> np.ndarray | None:
    if to_rate is None:
        return None
    # A hundredth of a count on both sides keeps the fold change of a gene that is absent on one side within reason.
    return np.log2((np.maximum(to_rate(inside), 0) + 0.01) / (np.maximum(to_rate(outside), 0) + 0.01))
