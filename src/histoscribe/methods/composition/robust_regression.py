"""Robust regression of the RCTD kind: overdispersed Poisson, platform factors from totals, bounded pull."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._composition import Composed, Deconvolver, Mixture

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["RobustRegression"]

_MAX_ROUNDS = 60


class RobustRegression(Deconvolver):
    """Iteratively reweighted regression of each observation on the profiles.

    The rate of a gene scatters log-normally around the mixture, so that variance = mean + sigma^2 mean^2; sigma is
    found from the section. A gene's platform factor is its total in the section over that of the nearest mixture of
    profiles, fixed before any observation is looked at; where these scatter by more than a factor of 2 that mixture is
    not to be trusted, and factors are found in turn with the observations. A residual of more than `bound` standard
    deviations pulls as one of `bound` (Huber).

    Parameters
    ----------
    bound
        Huber's bound, standard deviations.
    steps
        Multiplicative updates per round; they lower the weighted residuals monotonically for fixed weights.
    max_genes
        Most genes that are used.
    """

    card: ClassVar[Card] = Card(
        name="robust-regression",
        summary="Reweighted, bounded regression with platform factors from the section's total; of the RCTD kind.",
        paper="rctd-2021",
        deviations=(
            "Written from the paper's idea alone; the released package (GPL) was not read.",
            "A quasi-likelihood of the Poisson-lognormal's first two moments, where the paper integrates it.",
            "All types may be in an observation (the paper's full mode); no doublet mode.",
            "Residuals are bounded, which the paper does not do.",
            "A type's amount has a weak prior (half a count) towards equal shares.",
        ),
    )

    def __init__(self, *, bound: float = 3.0, steps: int = 15, max_genes: int = 1000) -> None:
        self.bound = bound
        self.steps = steps
        self.max_genes = max_genes

    def _deconvolve(self, mixture: Mixture, *, rng: Generator) -> Composed:
        from histoscribe.methods._nb_mixture import PLATFORM_SD, platform_log_ratio, scatter

        del rng  # nothing random
        x, profiles = mixture.counts, mixture.reference.profiles
        factors = platform_log_ratio(x, profiles)
        factors = np.zeros_like(factors) if scatter(factors) > PLATFORM_SD else factors
        refine = not factors.any()
        k = len(profiles)
        v = np.tile(x.sum(1)[:, None] / k, (1, k))
        sigma2, before, rounds, moving = 0.1, v, 0, True
        while moving and rounds < _MAX_ROUNDS:
            rounds += 1
            rates = profiles * np.exp(factors)
            v = self._update(x, rates, v, sigma2)
            if refine:
                factors = factors + np.log((x.sum(0) + 0.5) / ((v @ rates).sum(0) + 0.5))
                factors -= np.average(factors, weights=profiles.mean(0))
                rates = profiles * np.exp(factors)
            sigma2 = _extra_variance(x, v @ rates)
            p, q = (a / a.sum(1, keepdims=True) for a in (v, before))
            moving = bool(np.linalg.norm(p - q) > 2e-2 * np.linalg.norm(p - 1 / k))
            before = v
        facts = {"steps": rounds * self.steps, "stopped": "max_iter" if moving else "converged"}
        return Composed(v, None, facts | {"sigma": float(np.sqrt(sigma2))}, factors)

    def _update(self, x: np.ndarray, rates: np.ndarray, v: np.ndarray, sigma2: float) -> np.ndarray:
        """Take `steps` multiplicative updates under the weights of the present mean."""
        mean = np.maximum(v @ rates, 1e-9)
        spread = np.sqrt(mean + sigma2 * mean**2)
        bounded = mean + np.clip(x - mean, -self.bound * spread, self.bound * spread)
        weight = mean / spread**2  # of a Poisson term; 1 where sigma is 0
        pulled = np.maximum(bounded, 0) * weight
        exposure = weight @ rates.T
        prior = 0.5
        for _ in range(self.steps):
            mean = np.maximum(v @ rates, 1e-9)
            v = (v * ((pulled / mean) @ rates.T) + prior) / (exposure + prior * len(rates) / v.sum(1, keepdims=True))
        return v


def _extra_variance(x: np.ndarray, mean: np.ndarray) -> float:
    """Return sigma^2 by the method of moments on all counts, between 1e-3 and 4."""
    return float(np.clip((((x - mean) ** 2 - mean).sum()) / (mean**2).sum(), 1e-3, 4.0))
