"""Metrics as papers average them: to repeat a printed number, never to stand beside a clean one.

They differ from the metrics of `METRICS` in what they skip (a constant prediction is left out instead of scoring 0), in
what they average first, and in which genes they choose by looking at the test. So they live in a registry of their own,
every name begins with ``published_``, and a board prints them in a table of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.core.errors import DataError
from histoscribe.metrics._metric import checked, is_constant
from histoscribe.metrics.correlation import pcc_gene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["PublishedMetric", "PublishedScore", "top_genes"]

#: Genes that PCC(H) keeps, out of 250 (TRIPLEX).
TOP = 50


@dataclass(frozen=True)
class PublishedScore:
    """A metric over all folds of a run.

    Attributes
    ----------
    mean, sd
        Mean and standard deviation (of the population: the constant predictor's .263 +- .082 over eight donors is
        that one) over the folds where it is defined; None where it is defined in none.
    folds
        Value of each fold, None where undefined (every prediction constant).
    """

    mean: float | None
    sd: float | None
    folds: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class PublishedMetric:
    """A metric as published, and the facts that are needed to read its number.

    Attributes
    ----------
    name, label
        Registry name (begins with ``published_``) and the paper's own name.
    summary
        One sentence: what is averaged in which order, what is skipped, and what is wrong with it.
    direction
        ``"higher"`` or ``"lower"`` is better.
    source
        Paper key.
    compute
        ``(k folds of (truth, prediction) per test section, each (n, g) float64) -> (k,)``, NaN where undefined.
    undefined
        ``"skip"``: the mean is over the folds where it is defined; ``"spread"``: one undefined fold leaves the mean
        undefined.
    """

    name: str
    label: str
    summary: str
    direction: str
    source: str
    compute: Callable[[Sequence[Sequence[tuple[np.ndarray, np.ndarray]]]], np.ndarray]
    undefined: Literal["skip", "spread"] = "skip"

    def __call__(self, folds: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]]) -> PublishedScore:
        """Compute the metric over all folds of a run.

        Parameters
        ----------
        folds
            For each fold its test sections, for each of these ``(n, g)`` truth and prediction; genes of a fold are the
            same in all its sections.

        Raises
        ------
        DataError
            If a fold has no section, shapes differ, or a value is NaN.
        """
        empty = [i for i, fold in enumerate(folds) if not len(fold)]
        if empty or not len(folds):
            where = f"fold {empty[0] + 1} has no test section" if empty else "there is no fold"
            msg = f"{where}, so {self.name} cannot be computed. Give every fold of the run."
            raise DataError(msg)
        return self.over(self.compute([[checked(y, p) for y, p in fold] for fold in folds]))

    def over(self, values: Sequence[float | None] | np.ndarray) -> PublishedScore:
        """Average the values of folds, None or NaN where undefined, as the paper does."""
        values = np.array([np.nan if v is None else v for v in values], dtype=np.float64)
        known = values[np.isfinite(values)]
        each = tuple(float(v) if np.isfinite(v) else None for v in values)
        enough = len(known) == len(values) if self.undefined == "spread" else len(known) > 0
        return PublishedScore(*((float(known.mean()), float(known.std())) if enough else (None, None)), each)


Folds = list[list[tuple[np.ndarray, np.ndarray]]]


def _nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """Average what is not NaN; NaN where nothing is left, without a warning."""
    known = np.isfinite(values)
    n = known.sum(axis)
    return np.divide(np.where(known, values, 0.0).sum(axis), n, out=np.full(np.shape(n), np.nan), where=n > 0)


def _gene_means(fold: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return each gene's ``(g,)`` correlation, averaged over the sections where neither side is constant."""
    rows = [np.where(is_constant(y) | is_constant(p), np.nan, pcc_gene(y, p)) for y, p in fold]
    return _nanmean(np.stack(rows), 0)


def _pcc_a(folds: Folds) -> np.ndarray:
    return np.array([float(_nanmean(_gene_means(fold), 0)) for fold in folds])


def top_genes(folds: Folds, n: int = TOP) -> np.ndarray:
    """Return the indices of the `n` genes of best mean rank over folds, best first, **chosen on the test sections**.

    In each fold genes are ranked by their mean correlation over its sections; ranks are averaged over folds. A gene
    that is undefined in a fold takes its last rank. Source: TRIPLEX (triplex-2024), authors' answer to issue 3.

    Raises
    ------
    DataError
        If the folds' panels differ in length: ranks of different genes cannot be averaged.
    """
    sizes = sorted({fold[0][0].shape[1] for fold in folds})
    if len(sizes) > 1:
        msg = f"folds have panels of {sizes} genes, whose ranks cannot be averaged. Use one panel in all folds."
        raise DataError(msg)
    means = np.stack([_gene_means(fold) for fold in folds])
    from scipy.stats import rankdata  # late: half a second in every process

    ranks = rankdata(-np.nan_to_num(means, nan=-2.0), axis=1).mean(0)
    return np.argsort(ranks, kind="stable")[:n]


def _pcc_h(folds: Folds) -> np.ndarray:
    chosen = top_genes(folds)
    return np.array([float(_nanmean(_gene_means(fold)[chosen], 0)) for fold in folds])


def _pcc_pooled(folds: Folds) -> np.ndarray:
    values = []
    for fold in folds:
        y, p = (np.concatenate([pair[i] for pair in fold]) for i in (0, 1))
        # A constant gene has no correlation, and takes the fold with it.
        values.append(float(np.where(is_constant(y) | is_constant(p), np.nan, pcc_gene(y, p)).mean()))
    return np.array(values)


def _mse(folds: Folds) -> np.ndarray:
    return np.array([np.mean([((y - p) ** 2).mean() for y, p in fold]) for fold in folds])


def _mae(folds: Folds) -> np.ndarray:
    return np.array([np.mean([np.abs(y - p).mean() for y, p in fold]) for fold in folds])


def _pcc_spot(folds: Folds) -> np.ndarray:
    values = []
    for fold in folds:
        y, p = (np.concatenate([pair[i] for pair in fold]).T for i in (0, 1))
        values.append(float(_nanmean(np.where(is_constant(y) | is_constant(p), np.nan, pcc_gene(y, p)), 0)))
    return np.array(values)


PCC_A = PublishedMetric(
    name="published_pcc_a",
    label="PCC(A)",
    summary="Correlation of a gene across the spots of a section; mean over the fold's sections, genes, then folds; "
    "what is constant is skipped instead of scoring 0.",
    direction="higher",
    source="triplex-2024",
    compute=_pcc_a,
)

PCC_H = PublishedMetric(
    name="published_pcc_h",
    label=f"PCC(H), top {TOP} chosen on the test sections",
    summary=f"PCC(A) over the {TOP} genes of best mean rank over folds, ranked by this very method's correlation on "
    "the test sections: an upward selection.",
    direction="higher",
    source="triplex-2024",
    compute=_pcc_h,
)

MSE = PublishedMetric(
    name="published_mse",
    label="MSE",
    summary="Squared error over spots and genes of a section; mean over the fold's sections (equal weights), then "
    "folds.",
    direction="lower",
    source="triplex-2024",
    compute=_mse,
)

MAE = PublishedMetric(
    name="published_mae",
    label="MAE",
    summary="Absolute error over spots and genes of a section; mean over the fold's sections (equal weights), then "
    "folds.",
    direction="lower",
    source="triplex-2024",
    compute=_mae,
)

PCC_SPOT = PublishedMetric(
    name="published_pcc_spot",
    label="correlation per spot",
    summary="Correlation of a spot across genes; mean over all spots of the fold, then folds: the training mean alone "
    "scores high.",
    direction="higher",
    source="histospace-2024",
    compute=_pcc_spot,
)

PCC_POOLED = PublishedMetric(
    name="published_pcc_pooled",
    label="Pearson, HEST-Benchmark",
    summary="Correlation of a gene over all spots of the fold's test sections together, so that differences between "
    "sections count; mean over genes, where one constant gene leaves the fold undefined; mean over folds, then tasks.",
    direction="higher",
    source="hest-1k-2024",
    compute=_pcc_pooled,
    undefined="spread",
)
