"""Spatial structure: whether predicted maps are as patchy as measured ones."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from histoscribe.core.errors import DataError
from histoscribe.metrics._metric import Context, Metric, Score, is_constant
from histoscribe.metrics.correlation import pcc_gene

__all__ = ["MORAN_AGREEMENT", "MORAN_DIFFERENCE", "morans_i"]

#: Neighbours of an observation: those of a hexagonal array; on a square one, the sides and two of the corners.
_NEIGHBOURS = 6


def morans_i(values: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return the ``(g,)`` Moran's I of each gene over the 6 nearest neighbours; 0 for a constant gene.

    ``I = sum_ij w_ij z_i z_j / sum_i z_i^2`` with row-standardised weights (Moran 1950).

    Parameters
    ----------
    values
        ``(n, g)``.
    xy
        ``(n, 2)`` positions in any unit.

    Raises
    ------
    DataError
        If there are fewer than 3 observations.
    """
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if n < 3:
        msg = f"Moran's I needs at least 3 observations and got {n}. Evaluate more of the section."
        raise DataError(msg)
    weights = _weights(np.asarray(xy, dtype=np.float64), min(_NEIGHBOURS, n - 1))
    varies = ~is_constant(values)
    z = values[:, varies] - values[:, varies].mean(0)
    result = np.zeros(values.shape[1])
    result[varies] = np.einsum("ng,ng->g", z, weights @ z) / np.einsum("ng,ng->g", z, z)
    return result


def _weights(xy: np.ndarray, k: int) -> sp.csr_matrix:
    n = len(xy)
    # Asked for k + 1, a point finds itself first; of several at one place another may come first, so drop by index.
    found = cKDTree(xy).query(xy, k=k + 1)[1]
    own = found == np.arange(n)[:, None]
    own[~own.any(1), -1] = True
    neighbours = found[~own].reshape(n, k)
    return sp.csr_matrix((np.full(n * k, 1.0 / k), neighbours.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))


def _both(y: np.ndarray, p: np.ndarray, context: Context) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    assert context.xy_um is not None
    return morans_i(y, context.xy_um), morans_i(p, context.xy_um), ~is_constant(y), is_constant(p)


def _agreement(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    true, predicted, counted, constant = _both(y, p, context)
    a, b = true[counted, None], predicted[counted, None]
    value = pcc_gene(a, b) if counted.any() else np.zeros(1)
    # With one gene, or all of one I, there is no ranking of genes to agree on.
    defined = counted.any() and not is_constant(a)[0]
    return Score(value, np.array([defined]), np.array([bool(constant.all())]))


def _difference(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    true, predicted, counted, constant = _both(y, p, context)
    return Score(np.abs(true - predicted), counted, constant)


MORAN_AGREEMENT = Metric(
    name="moran_agreement",
    summary="Pearson correlation over genes of the Moran's I of truth and prediction; one number per section.",
    axis="section",
    low=-1.0,
    high=1.0,
    direction="higher",
    best=1.0,
    source="Moran 1950",
    compute=_agreement,
    invariances=("order", "scale", "shift"),
    needs=("xy_um",),
)

MORAN_DIFFERENCE = Metric(
    name="moran_difference",
    summary="Absolute difference of a gene's Moran's I between truth and prediction, mean over genes.",
    axis="gene",
    low=0.0,
    high=np.inf,
    direction="lower",
    best=0.0,
    source="Moran 1950",
    compute=_difference,
    invariances=("order", "scale", "shift"),
    needs=("xy_um",),
)
