"""The noise ceiling: how much of a gene's measured variation is more than counting noise."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from histoscribe.core.errors import DataError
from histoscribe.core.target import Target
from histoscribe.metrics._metric import Context, Metric, Score, is_constant
from histoscribe.metrics.correlation import pcc_gene, remove_depth

__all__ = ["CEILING_NORMALISED_PCC_GENE", "MIN_RELIABILITY", "reliability"]

#: Genes below this are left out of ceiling-normalised scores: dividing by a ceiling near 0 only amplifies noise.
MIN_RELIABILITY = 0.1


def reliability(
    counts: np.ndarray | sp.spmatrix,
    depth: np.ndarray,
    *,
    target: Target | None = None,
    depth_partial: bool = False,
    array: np.ndarray | None = None,
    rows: np.ndarray | None = None,
    splits: int = 5,
    seed: int = 0,
) -> np.ndarray:
    """Estimate each gene's reliability by splitting its counts in two.

    Each count c becomes h ~ Binomial(c, 1/2) and c - h; what was counted outside the panel is halved as one binomial,
    so that each half has its own library size. The whole target (library inside the panel, base of the logarithm, 3x3
    mean) is computed for both halves and correlated across observations; the mean r over `splits` gives
    ``R = 2 r / (1 + r)`` (Spearman 1910, Brown 1910). ``sqrt(R)`` is what
    a noise-free predictor would score. It covers counting noise only, not capture or registration, so it is an
    upper bound; the logarithm makes it approximate.

    Parameters
    ----------
    counts
        ``(n, g)`` integer counts of the panel.
    depth
        ``(n,)`` library sizes over all measured genes.
    target
        Transform; default ln(1 + CP10k).
    depth_partial
        Remove each half's log depth and its square first: the reliability behind `depth_partial_pcc_gene`.
    array
        ``(n, 2)`` integer array rows and columns, where the target is a 3x3 mean.
    rows
        Observations that are correlated; the others only take part in the 3x3 means. Default all.
    splits
        Random splits averaged.
    seed
        Seed of the splits.

    Returns
    -------
    ``(g,)`` float64 in 0-1; 0 where the halves do not agree or the gene does not vary.

    Raises
    ------
    DataError
        If a count is negative or not an integer, or the library is smaller than the panel's counts.
    """
    target = target or Target()
    counts = sp.csr_matrix(counts, dtype=np.float64)
    depth = np.asarray(depth, dtype=np.float64)
    rest = np.rint(depth - np.asarray(counts.sum(1)).ravel())
    _check_counts(counts, rest)
    rng = np.random.default_rng(seed)
    whole = counts.data.astype(np.int64)
    total = np.zeros(counts.shape[1])
    for _ in range(splits):
        part = rng.binomial(whole, 0.5)
        part_rest = rng.binomial(rest.astype(np.int64), 0.5)
        halves = []
        for values, others in ((part, part_rest), (whole - part, rest - part_rest)):
            half = sp.csr_matrix((values, counts.indices, counts.indptr), shape=counts.shape)
            library = np.asarray(half.sum(1)).ravel() + others
            halves.append((target.transform(half.toarray(), library, array=array), library))
        (a, depth_a), (b, depth_b) = halves
        if rows is not None:
            a, b, depth_a, depth_b = a[rows], b[rows], depth_a[rows], depth_b[rows]
        if depth_partial:
            # Each half loses its own depth, as the whole truth loses its own.
            a, b = (remove_depth(v, d) for v, d in ((a, depth_a), (b, depth_b)))
        total += pcc_gene(a, b)
    r = np.maximum(total / splits, 0.0)
    return 2.0 * r / (1.0 + r)


def _check_counts(counts: sp.csr_matrix, rest: np.ndarray) -> None:
    bad = int(((counts.data < 0) | (counts.data != np.rint(counts.data))).sum())
    if bad:
        msg = f"{bad} counts are negative or not integers, so they cannot be split. Give raw counts."
        raise DataError(msg)
    short = int((rest < 0).sum())
    if short:
        msg = (
            f"{short} observations have a library size below the panel's own counts. Give the total over all measured "
            "genes as depth."
        )
        raise DataError(msg)


def _ceiling_normalised(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    assert context.reliability is not None
    kept = (np.asarray(context.reliability) > MIN_RELIABILITY) & ~is_constant(y)
    ceiling = np.sqrt(np.where(kept, context.reliability, 1.0))
    return Score(np.where(kept, pcc_gene(y, p) / ceiling, 0.0), kept, is_constant(p))


CEILING_NORMALISED_PCC_GENE = Metric(
    name="ceiling_normalised_pcc_gene",
    summary=f"pcc_gene over its noise ceiling sqrt(R), mean over genes with reliability R > {MIN_RELIABILITY}.",
    axis="gene",
    low=-np.inf,
    high=np.inf,
    direction="higher",
    best=1.0,
    source="correction for attenuation (Spearman 1904), R by count splitting",
    compute=_ceiling_normalised,
    invariances=("order", "scale", "shift"),
    needs=("reliability",),
)
