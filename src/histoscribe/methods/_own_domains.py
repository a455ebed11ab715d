"""Domains of a section from its own counts: what stands for annotated layers where nobody drew any."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from histoscribe.core import keys
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["N_DOMAINS", "own_domains"]

#: Domains, as many as a section has observations for; on heart ISS 4 and 8 served alike, which was seen.
N_DOMAINS = 8
_COMPONENTS, _NEIGHBOURS, _STARTS = 10, 9, 10
#: Observations that a domain should have at least.
_LEAST = 25


def own_domains(table: AnnData, *, seed: int = 0) -> list[str]:
    """Group observations by k-means on principal components of expression, averaged over their neighbourhood.

    Parameters
    ----------
    table
        Counts in ``layers["counts"]`` or ``X``, positions in ``obsm["spatial"]``.
    seed
        Seed of the starts.

    Returns
    -------
    ``"domain 1"``, ... for each observation, the largest first.

    Raises
    ------
    DataError
        If there are no positions.
    """
    if keys.SPATIAL not in table.obsm:
        msg = "domains need positions, and the section has no obsm['spatial']. Name an obs column with layers instead."
        raise DataError(msg)
    counts = sp.csr_matrix(table.layers.get(keys.COUNTS, table.X), dtype=np.float64)
    depth = np.maximum(np.asarray(counts.sum(1)).ravel(), 1.0)
    values = sp.csr_matrix(sp.diags(np.median(depth) / depth) @ counts).log1p()
    scores = _scores(values)
    xy = np.asarray(table.obsm[keys.SPATIAL], dtype=np.float64)
    near = cKDTree(xy).query(xy, k=min(_NEIGHBOURS, len(xy)))[1].reshape(len(xy), -1)
    smooth = scores[near].mean(1)
    k = int(np.clip(len(xy) // _LEAST, 1, N_DOMAINS))
    best, least = np.zeros(len(xy), dtype=int), np.inf
    for start in range(_STARTS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a start in which a domain runs empty is as good as another
            centres, code = kmeans2(smooth, k, minit="++", seed=np.random.default_rng([seed, start]))
        error = ((smooth - centres[code]) ** 2).sum()
        if error < least:
            best, least = code, error
    sizes = np.bincount(best, minlength=k)
    place = np.argsort(np.argsort(-sizes, kind="stable"), kind="stable")
    return [f"domain {place[c] + 1}" for c in best]


def _scores(values: sp.csr_matrix) -> np.ndarray:
    """Return ``(n, c)`` scores on the first principal components, without a dense matrix of all genes."""
    from scipy.sparse.linalg import LinearOperator, svds

    mean = np.asarray(values.mean(0)).ravel()
    n, g = values.shape
    centred = LinearOperator(
        (n, g),
        matvec=lambda v: values @ v.ravel() - mean @ v.ravel(),
        rmatvec=lambda u: values.T @ u.ravel() - mean * u.sum(),
        dtype=np.float64,
    )
    # A fixed start makes it repeatable.
    left, size, _ = svds(centred, k=min(_COMPONENTS, n - 1, g - 1), v0=np.ones(min(n, g)), solver="arpack")
    return np.asarray(left * size)
