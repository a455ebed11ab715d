"""Judge a mixture fit by counts that it has not seen, and say in JSON what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from histoscribe.methods._composition import Mixture
    from histoscribe.methods._nb_mixture import MixtureFit

__all__ = ["facts_of", "held_out_loglik"]

#: Observations that are looked at: enough to rank two fits, and the time stays that of one section of this size.
_MOST = 1000


def facts_of(fit: MixtureFit) -> dict[str, Any]:
    """Return a fit's numbers as JSON values."""
    return {
        "steps": fit.steps,
        "stopped": fit.stopped,
        "loglik": fit.loglik,
        "strength_cells": fit.strength,
        "strength_ratio": fit.strength / fit.variety,
        "two_platforms": fit.platform,
        "inflation": fit.inflation,
    }


def held_out_loglik(mixture: Mixture, rng: np.random.Generator, *, share: float, **options: Any) -> float:
    """Fit to a binomial thinning of the counts and return the log-likelihood of the rest, nats.

    Options are those of `fit_mixture`. At most 1,000 observations are looked at.

    A thinned negative binomial of variance d times its mean has variance 1 + (d - 1) f times its mean, f the share
    kept. The two parts are independent only for Poisson counts; compare fits of the same counts, nothing else.
    """
    from histoscribe.methods._nb_mixture import fit_mixture, nb_loglik

    counts = mixture.counts
    aside = rng.binomial(counts.astype(int), share).astype(float)
    kept = counts - aside
    some = np.flatnonzero(kept.sum(1) > 0)
    some = np.sort(rng.permutation(some)[:_MOST])
    if options.get("layers") is not None:
        options = options | {"layers": options["layers"][some]}
    excess = mixture.reference.dispersion - 1
    fit = fit_mixture(kept[some], mixture.reference.profiles, 1 + excess * (1 - share), **options)
    return nb_loglik(aside[some], fit.mean * share / (1 - share), 1 + excess * share)
