"""How far predicted profiles are from measured ones; truth and prediction are ``(slides, genes)``."""

from __future__ import annotations

import numpy as np

from histoscribe.core.registry import Registry
from histoscribe.metrics._metric import Context, Metric, Score
from histoscribe.metrics.correlation import PCC_GENE, PCC_SPOT

__all__ = ["PCC_PROFILE", "PCC_SAMPLE", "PCC_SAMPLE_SHARE_04", "SLIDE_METRICS"]

#: Metrics of slides; apart from those of sections, since a gene is followed across slides, not across places.
SLIDE_METRICS = Registry(
    "slide-metric",
    {
        "pcc_profile": "histoscribe.metrics.slide_level:PCC_PROFILE",
        "pcc_sample": "histoscribe.metrics.slide_level:PCC_SAMPLE",
        "pcc_sample_share_04": "histoscribe.metrics.slide_level:PCC_SAMPLE_SHARE_04",
    },
)

_LEAST = 0.4


def _share(y: np.ndarray, p: np.ndarray, context: Context) -> Score:
    found = PCC_GENE.compute(y, p, context)
    return Score((found.values >= _LEAST).astype(np.float64), found.counted, found.constant)


PCC_SAMPLE = Metric(
    name="pcc_sample",
    summary="Pearson correlation of a gene across slides, mean over genes.",
    axis="gene",
    low=-1.0,
    high=1.0,
    direction="higher",
    best=1.0,
    source="Pearson 1895",
    compute=PCC_GENE.compute,
    invariances=("order", "scale", "shift"),
)

PCC_SAMPLE_SHARE_04 = Metric(
    name="pcc_sample_share_04",
    summary="Share of the genes whose correlation across slides is 0.4 or more; times the genes, their number.",
    axis="gene",
    low=0.0,
    high=1.0,
    direction="higher",
    best=1.0,
    source="Gustafsson and Rantalainen 2024, as a number of genes",
    compute=_share,
    invariances=("order", "scale", "shift"),
)

PCC_PROFILE = Metric(
    name="pcc_profile",
    summary="Pearson correlation of a slide across genes, mean over slides; high for who only knows the genes' means.",
    axis="spot",
    low=-1.0,
    high=1.0,
    direction="higher",
    best=1.0,
    source="Pearson 1895",
    compute=PCC_SPOT.compute,
)
