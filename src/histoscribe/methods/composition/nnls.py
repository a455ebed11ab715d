"""Non-negative least squares: counts as a sum of profiles, observation by observation."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._composition import Composed, Deconvolver, Mixture

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["NNLS"]


class NNLS(Deconvolver):
    """Least squares on raw counts with amounts of at least 0; exact, no iteration to stop, no uncertainty.

    Source: Lawson and Hanson 1974; a compulsory baseline by the count of Spotless (Sang-aram et al. 2024), in which it
    beats almost half of the dedicated tools.
    """

    card: ClassVar[Card] = Card(
        name="nnls",
        summary="Non-negative least squares of counts on mean profiles; the baseline that half of the tools lose to.",
        paper="polaris-2023",
        control=True,
        deviations=("A control of this project; the paper is the one whose data it is compared on.",),
    )

    def _deconvolve(self, mixture: Mixture, *, rng: Generator) -> Composed:
        from scipy.optimize import nnls

        del rng  # nothing random
        design = mixture.reference.profiles.T
        amounts = np.stack([nnls(design, row / row.sum())[0] for row in mixture.counts])
        # Only genes that no profile explains: nothing is known.
        amounts[amounts.sum(1) == 0] = 1.0
        return Composed(amounts)
