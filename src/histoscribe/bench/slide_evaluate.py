"""Cross-validate slide-level regressors on one's own slides, beside the controls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.bench.slide_splits import slide_donor_folds, slide_site_folds
from histoscribe.methods import SLIDE_LEVEL, slide_level
from histoscribe.metrics import SLIDE_METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from histoscribe.core.bag import Bag

__all__ = ["cross_validate_slides"]


def cross_validate_slides(
    bags: Sequence[Bag],
    expression: AnnData,
    methods: Mapping[str, Mapping[str, Any]],
    *,
    folds: int = 5,
    apart: str = "donor",
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score methods and all controls on slides of donors, or sites, that they were not fitted on.

    Parameters
    ----------
    bags
        Slides, each with a row in `expression` named like it.
    expression
        Profiles; ``uns["histoscribe"]["unit"]`` says their unit.
    methods
        Registry name to parameters; controls are added.
    folds, apart
        Number of folds, and what they keep apart: ``"donor"`` or ``"site"``.
    seed
        Of the folds and of the methods.

    Returns
    -------
    One row for each method, best first: ``control``; for each metric the mean over folds and ``<metric>_sd`` between
    folds; ``genes_04``, the number of genes of which the correlation across a fold's test slides is 0.4 or more, mean
    over folds. And genes x methods: each gene's ``pcc_sample``, mean over folds.
    """
    controls = {name: {} for name in SLIDE_LEVEL if SLIDE_LEVEL.get(name).card.control and name not in methods}
    splits = list((slide_site_folds if apart == "site" else slide_donor_folds)(bags, folds, seed=seed))
    rows, genes = {}, {}
    for name, params in {**methods, **controls}.items():
        found, per_gene = [], []
        for split in splits:
            predicted = slide_level(name, **params).fit(split.train, expression, seed=seed).predict(split.test)
            truth = np.asarray(expression[predicted.obs_names].X)
            scores = {metric: SLIDE_METRICS.get(metric)(truth, predicted.X) for metric in SLIDE_METRICS}
            found.append({metric: score.mean for metric, score in scores.items()})
            per_gene.append(scores["pcc_sample"].values)
        table = pd.DataFrame(found, dtype=float)
        spread = table.std().add_suffix("_sd")
        own = pd.Series({"control": SLIDE_LEVEL.get(name).card.control})
        number = pd.Series({"genes_04": float(np.mean([(values >= 0.4).sum() for values in per_gene]))})
        rows[name] = pd.concat([own, table.mean(), spread, number])
        genes[name] = np.mean(per_gene, axis=0)
    summary = pd.DataFrame(rows).T.sort_values("pcc_sample", ascending=False, kind="stable")
    return summary, pd.DataFrame(genes, index=expression.var_names)
