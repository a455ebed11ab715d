"""How much less counts say than a mixture model has it: two halves of the genes must agree on composition.

A gene's dispersion is its scatter within a cell type of the reference. Where the model is wrong besides (genes that
layers or platforms change, cells that vary in many genes at once), genes are off together, and the likelihood is surer
than it should be; its proportions then grow worse with every step that raises it. So the section is fitted twice, on
one half of the genes each. The counts of different genes are independent, so that the squared difference of the two
proportions should be the sum of their sampling variances; by as much as it is larger, the dispersion is multiplied.
Nothing is tuned. What moves both halves alike, such as profiles that lack a type, stays unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.methods._nb_mixture import fit_mixture

if TYPE_CHECKING:
    from histoscribe.methods._nb_mixture import MixtureFit

__all__ = ["fit_inflated", "inflation_of"]

#: Observations that are looked at: a ratio of two sums over them needs no more.
_MOST = 1000


def inflation_of(counts: np.ndarray, profiles: np.ndarray, dispersion: np.ndarray, **options: Any) -> float:
    """Return by how much the dispersion is to be multiplied, at least 1; arguments as those of `fit_mixture`."""
    n_genes = counts.shape[1]
    if len(profiles) < 2 or n_genes // 2 <= len(profiles):
        return 1.0  # nothing to disagree on, or half of the genes cannot tell the types apart
    first = np.zeros(n_genes, dtype=bool)
    # By rank in turns (A B B A), so that both halves tell the types apart about as well.
    rank = np.argsort(-(profiles.var(0) / profiles.mean(0)), kind="stable")
    first[rank[np.isin(np.arange(n_genes) % 4, (0, 3))]] = True
    seen = np.flatnonzero((counts[:, first].sum(1) > 0) & (counts[:, ~first].sum(1) > 0))
    if len(seen) > _MOST:
        seen = seen[np.linspace(0, len(seen) - 1, _MOST).astype(int)]
    layers = options.pop("layers", None)
    if layers is not None:
        options["layers"] = np.unique(layers[seen], return_inverse=True)[1]
    one, two = (
        fit_mixture(counts[np.ix_(seen, half)], profiles[:, half], dispersion[half], **options)
        for half in (first, ~first)
    )
    apart = ((one.proportions - two.proportions) ** 2).sum()
    return float(max(1.0, apart / (one.sampling.sum() + two.sampling.sum())))


def fit_inflated(
    counts: np.ndarray, profiles: np.ndarray, dispersion: np.ndarray, *, watch: Any = None, **options: Any
) -> MixtureFit:
    """Find the inflation, and fit with it."""
    factor = inflation_of(counts, profiles, dispersion, **options)
    return fit_mixture(counts, profiles, dispersion, inflation=factor, watch=watch, **options)
