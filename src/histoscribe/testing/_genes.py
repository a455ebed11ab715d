"""Plant genes: which gene follows what, and how counts are drawn so that truth and ceiling are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLASSES", "DEFAULT_GENES", "SCALE", "GenePlan", "draw_counts", "plan_genes"]

#: Gene class to the prefix of its gene names. What each follows is told at `make_section`.
CLASSES = {
    "nuclear-density": "NUCLEAR",
    "gland": "GLAND",
    "stroma": "STROMA",
    "lymphocyte": "LYMPH",
    "depth": "DEPTH",
    "feature": "FEATURE",
    "null": "NULL",
    "rest": "REST",
}

#: Genes per class where the caller does not say; "rest" are the unplanted genes that fill up the library.
DEFAULT_GENES: Mapping[str, int] = {
    "nuclear-density": 10,
    "gland": 10,
    "stroma": 10,
    "lymphocyte": 10,
    "depth": 10,
    "null": 30,
    "rest": 500,
}

#: Truth is planted in ln(1 + counts per this many), the default target of every method.
SCALE = 1e4
#: Mean share of a library that one planted or null gene takes, and that all of them take at most; the rest absorbs
#: what they leave. Rates vary about tenfold over tissue, so that most of a library must stay free.
_GENE_SHARE, _PLANTED_SHARE = 0.004, 0.25


@dataclass(frozen=True, eq=False)
class GenePlan:
    """What each gene follows; the same for all donors of a study.

    Attributes
    ----------
    names, classes
        Gene names and their classes, in order; those of class ``"rest"`` stand last.
    mean
        ``(g,)`` expected ln(1 + CP10k) where the signal is 0; for ``"rest"`` the share of what is left over.
    slope
        ``(g,)`` change of it per unit of signal; 0 for null genes.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    mean: np.ndarray
    slope: np.ndarray

    def shares(self, signals: Mapping[str, np.ndarray], offset: np.ndarray) -> np.ndarray:
        """Return each gene's expected share of the library.

        Parameters
        ----------
        signals
            Class to ``(n,)`` signal of zero mean and unit variance over typical tissue (or ``(n, k)``, one column for
            each gene of the class).
        offset
            ``(g,)`` donor effect on the expected target.

        Returns
        -------
        ``(n, g)`` float64, rows sum to 1.

        Raises
        ------
        DataError
            If planted genes leave less than 5 % of a library to the others.
        """
        n = max(len(s) for s in signals.values())
        target = np.tile(self.mean + offset, (n, 1))
        classes = np.array(self.classes)
        for name, signal in signals.items():
            mine = np.flatnonzero(classes == name)
            if len(mine):
                target[:, mine] += (signal if signal.ndim == 2 else signal[:, None]) * self.slope[mine]
        share = np.expm1(np.maximum(target, 0.02)) / SCALE
        rest = classes == "rest"
        left = 1.0 - share[:, ~rest].sum(1)
        if left.min() < 0.05:
            msg = f"planted genes would fill {1 - left.min():.0%} of a library. Plant fewer, or a smaller donor_effect."
            raise DataError(msg)
        share[:, rest] = left[:, None] * self.mean[rest]
        return share


def plan_genes(genes: Mapping[str, int], *, seed: int) -> GenePlan:
    """Plan a study's genes: log-spread means, slopes of either sign.

    Parameters
    ----------
    genes
        Class to number of genes.
    seed
        Seed of the study.
    """
    rng = np.random.default_rng([seed, 11])
    order = [name for name in CLASSES if name in genes and name != "rest"]
    names, classes, mean, slope = [], [], [], []
    for name in order:
        k = genes[name]
        names += [f"{CLASSES[name]}{i + 1:02d}" for i in range(k)]
        classes += [name] * k
        mean.append(rng.normal(0.0, 0.7, k))
        sign = np.where(np.arange(k) % 4 == 3, -1.0, 1.0)  # one gene in four falls where its class rises
        slope.append(np.zeros(k) if name == "null" else sign * rng.uniform(0.25, 0.55, k))
    planted = np.concatenate(mean)
    # ln-shares, shifted so that together they take their share of the library.
    together = min(_PLANTED_SHARE, _GENE_SHARE * len(planted))
    planted = np.log1p(SCALE * together * np.exp(planted) / np.exp(planted).sum())
    n_rest = max(1, genes.get("rest", 1))
    share = np.exp(rng.normal(0.0, 0.25, n_rest))
    names += [f"{CLASSES['rest']}{i + 1:02d}" for i in range(n_rest)]
    classes += ["rest"] * n_rest
    return GenePlan(
        tuple(names),
        tuple(classes),
        np.concatenate([planted, share / share.sum()]),
        np.concatenate([*slope, np.zeros(n_rest)]),
    )


def draw_counts(rng: np.random.Generator, share: np.ndarray, depth: np.ndarray, *, dispersion: float) -> sp.csr_matrix:
    """Draw ``(n, g)`` integer counts: gamma-Poisson around ``depth * share``.

    Parameters
    ----------
    share
        ``(n, g)`` expected shares of the library.
    depth
        ``(n,)`` expected library sizes.
    dispersion
        Squared coefficient of variation of the biology that no morphology explains; 0 draws plain Poisson counts.
    """
    rate = share * depth[:, None]
    if dispersion > 0:
        rate = rate * rng.gamma(1.0 / dispersion, dispersion, rate.shape)
    return sp.csr_matrix(rng.poisson(rate).astype(np.int32))


def gene_table(plan: GenePlan) -> pd.DataFrame:
    """Return the genes with their class and slope, indexed by name."""
    index = pd.Index(plan.names, name="gene")
    return pd.DataFrame({"planted": pd.Categorical(plan.classes, list(CLASSES)), "slope": plan.slope}, index=index)
