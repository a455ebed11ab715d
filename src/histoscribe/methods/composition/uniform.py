"""The control that every deconvolver has to beat: equal shares everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._composition import Composed, Deconvolver, Mixture

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["Uniform"]


class Uniform(Deconvolver):
    """Gives every cell type the same share in every observation."""

    card: ClassVar[Card] = Card(
        name="uniform",
        summary="Equal shares of all cell types everywhere; what a table of errors has to show first.",
        paper="polaris-2023",
        control=True,
        deviations=("A control of this project; the paper's simulation is nearly uniform, which its tables hide.",),
    )

    def _deconvolve(self, mixture: Mixture, *, rng: Generator) -> Composed:
        del rng  # nothing random
        return Composed(np.ones((len(mixture.counts), len(mixture.reference.types))))
