"""Which genes a report shows, and why each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.core import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

__all__ = ["Shown", "choose_genes"]


@dataclass(frozen=True)
class Shown:
    """A gene on show, and why: asked for, among the best trusted, the top where none is trusted, or as a warning."""

    gene: str
    trusted: bool
    why: Literal["asked", "best", "top", "warning"]


def choose_genes(prediction: AnnData, asked: Sequence[str] | None = None, *, n_best: int = 4) -> list[Shown]:
    """Choose the genes asked for, the best trusted ones, and one untrusted gene as a warning.

    "Best" is the lower bound of the held-out score from training, never the score on the slide that is shown: the
    latter would pick winners by luck. Where no gene is trusted, the two of highest held-out mean stand in.
    """
    names = [str(g) for g in prediction.var_names]
    flags = prediction.var[keys.TRUSTED].to_numpy(dtype=bool)
    trusted = dict(zip(names, flags.tolist(), strict=True))
    mean = prediction.var[keys.TRUST_MEAN].to_numpy(dtype=np.float64)
    lower = prediction.var[keys.TRUST_LOWER].to_numpy(dtype=np.float64)
    # Bounds tie at -1 where there is one training unit; the mean then decides, and the name where that ties, too.
    ranked = [names[i] for i in np.lexsort((names, -mean, -lower))]
    best = [g for g in ranked if trusted[g]][:n_best]
    top = [] if best else [names[i] for i in np.lexsort((names, -mean))[:2]]
    # A gene that is not predicted stays in: whoever draws it says so, with the nearest names.
    shown = {gene: Shown(gene, trusted.get(gene, False), "asked") for gene in asked or ()}
    shown = {gene: Shown(gene, trusted[gene], "best" if best else "top") for gene in best + top} | shown
    ordered = [shown[g] for g in dict.fromkeys([*(asked or ()), *best, *top])]
    rest = [g for g in ranked if not trusted[g]]
    if rest and all(s.trusted for s in ordered):
        ordered.append(Shown(rest[-1], trusted=False, why="warning"))
    return ordered
