"""Metrics: each knows its axis, range, direction, best value, what it ignores and where it comes from."""

from __future__ import annotations

from histoscribe.core.registry import Registry
from histoscribe.metrics._metric import Context, Metric, Score
from histoscribe.metrics.composition import COMPOSITION_METRICS
from histoscribe.metrics.correlation import depth_partial_pcc_gene, pcc_gene, pcc_spot, remove_depth, spearman_gene
from histoscribe.metrics.error import r2_train_mean, variance_ratio
from histoscribe.metrics.intervals import interval_coverage
from histoscribe.metrics.published import PublishedMetric, PublishedScore
from histoscribe.metrics.reliability import MIN_RELIABILITY, reliability
from histoscribe.metrics.slide_level import SLIDE_METRICS
from histoscribe.metrics.spatial import morans_i

__all__ = [
    "COMPOSITION_METRICS",
    "METRICS",
    "MIN_RELIABILITY",
    "PUBLISHED",
    "SLIDE_METRICS",
    "Context",
    "Metric",
    "PublishedMetric",
    "PublishedScore",
    "Score",
    "depth_partial_pcc_gene",
    "interval_coverage",
    "morans_i",
    "pcc_gene",
    "pcc_spot",
    "r2_train_mean",
    "reliability",
    "remove_depth",
    "spearman_gene",
    "variance_ratio",
]

METRICS = Registry(
    "metric",
    {
        "ceiling_normalised_pcc_gene": "histoscribe.metrics.reliability:CEILING_NORMALISED_PCC_GENE",
        "depth_partial_pcc_gene": "histoscribe.metrics.correlation:DEPTH_PARTIAL_PCC_GENE",
        "mae": "histoscribe.metrics.error:MAE",
        "moran_agreement": "histoscribe.metrics.spatial:MORAN_AGREEMENT",
        "moran_difference": "histoscribe.metrics.spatial:MORAN_DIFFERENCE",
        "mse": "histoscribe.metrics.error:MSE",
        "pcc_gene": "histoscribe.metrics.correlation:PCC_GENE",
        "pcc_pooled": "histoscribe.metrics.correlation:PCC_POOLED",
        "pcc_spot": "histoscribe.metrics.correlation:PCC_SPOT",
        "r2_train_mean": "histoscribe.metrics.error:R2_TRAIN_MEAN",
        "spearman_gene": "histoscribe.metrics.correlation:SPEARMAN_GENE",
        "variance_ratio": "histoscribe.metrics.error:VARIANCE_RATIO",
    },
)

#: Metrics as papers average them; a suite names those of its paper, and no board mixes them with the others.
PUBLISHED = Registry(
    "published-metric",
    {
        "published_mae": "histoscribe.metrics.published:MAE",
        "published_mse": "histoscribe.metrics.published:MSE",
        "published_pcc_a": "histoscribe.metrics.published:PCC_A",
        "published_pcc_h": "histoscribe.metrics.published:PCC_H",
        "published_pcc_pooled": "histoscribe.metrics.published:PCC_POOLED",
        "published_pcc_spot": "histoscribe.metrics.published:PCC_SPOT",
    },
)
