"""How far proportions of cell types are from true ones; truth and prediction are ``(n, k)`` and rows sum to 1."""

from __future__ import annotations

import numpy as np

from histoscribe.core.registry import Registry
from histoscribe.metrics._metric import Context, Metric, Score, is_constant
from histoscribe.metrics.correlation import PCC_GENE, PCC_SPOT

__all__ = [
    "COMPOSITION_JSD_SPOT",
    "COMPOSITION_METRICS",
    "COMPOSITION_PCC_SPOT",
    "COMPOSITION_PCC_TYPE",
    "COMPOSITION_RMSE",
]

#: Metrics of proportions; apart from those of expression, since their second axis is the cell type.
COMPOSITION_METRICS = Registry(
    "composition-metric",
    {
        "composition_jsd_spot": "histoscribe.metrics.composition:COMPOSITION_JSD_SPOT",
        "composition_pcc_spot": "histoscribe.metrics.composition:COMPOSITION_PCC_SPOT",
        "composition_pcc_type": "histoscribe.metrics.composition:COMPOSITION_PCC_TYPE",
        "composition_rmse": "histoscribe.metrics.composition:COMPOSITION_RMSE",
    },
)


def _rmse(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    del context
    one = np.ones(1, dtype=bool)
    return Score(np.sqrt(((y - p) ** 2).mean(keepdims=True)).ravel(), one, one & bool(is_constant(p).all()))


def _jsd(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    del context
    y, p = (np.maximum(a, 0.0) for a in (y, p))
    y, p = (a / np.maximum(a.sum(1, keepdims=True), 1e-300) for a in (y, p))
    middle = (y + p) / 2
    parts = [np.where(a > 0, a * np.log2(np.maximum(a, 1e-300) / np.maximum(middle, 1e-300)), 0.0) for a in (y, p)]
    value = np.clip((parts[0].sum(1) + parts[1].sum(1)) / 2, 0.0, 1.0)
    return Score(value, np.ones(len(y), dtype=bool), is_constant(p.T))


COMPOSITION_RMSE = Metric(
    name="composition_rmse",
    summary="Root mean square error of proportions over all observations and types.",
    axis="section",
    low=0.0,
    high=np.inf,
    direction="lower",
    best=0.0,
    source="Sang-aram et al. 2024 (Spotless)",
    compute=_rmse,
)

COMPOSITION_PCC_TYPE = Metric(
    name="composition_pcc_type",
    summary="Pearson correlation of a type's proportions across observations, mean over types.",
    axis="type",
    low=-1.0,
    high=1.0,
    direction="higher",
    best=1.0,
    source="Pearson 1895",
    compute=PCC_GENE.compute,
    invariances=("order", "shift", "scale"),
)

COMPOSITION_PCC_SPOT = Metric(
    name="composition_pcc_spot",
    summary="Pearson correlation of an observation's proportions across types, mean over observations.",
    axis="spot",
    low=-1.0,
    high=1.0,
    direction="higher",
    best=1.0,
    source="Pearson 1895",
    compute=PCC_SPOT.compute,
)

COMPOSITION_JSD_SPOT = Metric(
    name="composition_jsd_spot",
    summary="Jensen-Shannon divergence of an observation's proportions, bits (0 alike, 1 disjoint), mean over them.",
    axis="spot",
    low=0.0,
    high=1.0,
    direction="lower",
    best=0.0,
    source="Lin 1991; used by Open Problems and Spotless",
    compute=_jsd,
)
