"""Correlations, each with its axis in its name."""

from __future__ import annotations

import numpy as np

from histoscribe.metrics._metric import Context, Metric, Score, checked, is_constant

__all__ = [
    "DEPTH_PARTIAL_PCC_GENE",
    "PCC_GENE",
    "PCC_POOLED",
    "PCC_SPOT",
    "SPEARMAN_GENE",
    "depth_partial_pcc_gene",
    "pcc_gene",
    "pcc_spot",
    "remove_depth",
    "spearman_gene",
]


def pcc_gene(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the ``(g,)`` Pearson correlation of each gene across observations; 0 where either is constant."""
    return _correlation(*checked(truth, prediction)).values


def pcc_spot(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the ``(n,)`` Pearson correlation of each observation across genes; 0 where either is constant.

    Genes differ in their mean far more than places differ in a gene: the training mean alone scores high here.
    """
    y, p = checked(truth, prediction)
    return _correlation(y.T, p.T).values


def spearman_gene(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return the ``(g,)`` rank correlation of each gene across observations, ties at their mean rank."""
    return _spearman(*checked(truth, prediction), Context()).values


def depth_partial_pcc_gene(truth: np.ndarray, prediction: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return each gene's correlation across observations after depth was removed from truth and prediction.

    Parameters
    ----------
    truth, prediction
        ``(n, g)``.
    depth
        ``(n,)`` library sizes.

    Returns
    -------
    ``(g,)`` float64; 0 where nothing varies once log depth and its square are regressed out.
    """
    return _depth_partial(*checked(truth, prediction), Context(depth=depth)).values


def remove_depth(values: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Return the ``(n, g)`` residuals of `values` on log depth and its square, intercept included.

    A depth below 1 counts as 1, so that an observation without counts has a logarithm.
    """
    z = np.log(np.maximum(np.asarray(depth, dtype=np.float64), 1.0))
    z -= z.mean()
    spread = z.std()
    # Constant depth explains nothing; only the mean is removed.
    columns = [np.ones_like(z)] if spread <= 1e-9 else [np.ones_like(z), z / spread, (z / spread) ** 2]
    basis, weight, _ = np.linalg.svd(np.stack(columns, axis=1), full_matrices=False)
    # Depth of two values only: its square is no new direction.
    basis = basis[:, weight > 1e-9 * weight[0]]
    values = np.asarray(values, dtype=np.float64)
    return values - basis @ (basis.T @ values)


def _correlation(
    y: np.ndarray, p: np.ndarray, *, y_level: np.ndarray | None = None, p_level: np.ndarray | None = None
) -> Score:
    """Correlate columns; a constant truth is not counted, a constant prediction scores 0."""
    flat_y, flat_p = is_constant(y, level=y_level), is_constant(p, level=p_level)
    defined = ~(flat_y | flat_p)
    values = np.zeros(y.shape[1])
    a, b = y[:, defined], p[:, defined]
    a, b = a - a.mean(0), b - b.mean(0)
    # Normalise first: the product of two small sums of squares could underflow.
    a /= np.linalg.norm(a, axis=0)
    b /= np.linalg.norm(b, axis=0)
    values[defined] = np.clip(np.einsum("ng,ng->g", a, b), -1.0, 1.0)
    return Score(values, ~flat_y, flat_p)


def _pcc_gene(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    del context
    return _correlation(y, p)


def _pcc_spot(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    del context
    return _correlation(y.T, p.T)


def _spearman(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    del context
    # Constancy is judged before ranking: ranks of rounding noise would look like signal.
    flat_y, flat_p = is_constant(y), is_constant(p)
    from scipy.stats import rankdata  # late: half a second in every process

    ranked = _correlation(rankdata(y, axis=0), rankdata(p, axis=0))
    return Score(np.where(flat_y | flat_p, 0.0, ranked.values), ~flat_y, flat_p)


def _depth_partial(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    assert context.depth is not None
    levels = {"y_level": np.abs(y).max(0), "p_level": np.abs(p).max(0)}
    return _correlation(remove_depth(y, context.depth), remove_depth(p, context.depth), **levels)


_SHARED = {"low": -1.0, "high": 1.0, "direction": "higher", "best": 1.0}

PCC_GENE = Metric(
    name="pcc_gene",
    summary="Pearson correlation of a gene across the observations of one section, mean over genes.",
    axis="gene",
    source="Pearson 1895",
    compute=_pcc_gene,
    invariances=("order", "scale", "shift"),
    **_SHARED,
)

PCC_SPOT = Metric(
    name="pcc_spot",
    summary="Pearson correlation of an observation across genes; high for any predictor that knows the genes' means.",
    axis="spot",
    source="Pearson 1895",
    compute=_pcc_spot,
    **_SHARED,
)

PCC_POOLED = Metric(
    name="pcc_pooled",
    summary="Pearson correlation of a gene across all test sections thrown together; rewards section offsets.",
    axis="gene",
    source="HEST-Benchmark's convention (Jaume et al. 2024)",
    compute=_pcc_gene,
    invariances=("order", "scale", "shift"),
    scope="all",
    **_SHARED,
)

SPEARMAN_GENE = Metric(
    name="spearman_gene",
    summary="Rank correlation of a gene across the observations of one section, mean over genes.",
    axis="gene",
    source="Spearman 1904",
    compute=_spearman,
    invariances=("monotone", "order", "scale", "shift"),
    **_SHARED,
)

DEPTH_PARTIAL_PCC_GENE = Metric(
    name="depth_partial_pcc_gene",
    summary="pcc_gene after log depth and its square were regressed out of truth and prediction.",
    axis="gene",
    source="partial correlation (Yule 1907) given sequencing depth",
    compute=_depth_partial,
    invariances=("order", "scale", "shift"),
    needs=("depth",),
    **_SHARED,
)
