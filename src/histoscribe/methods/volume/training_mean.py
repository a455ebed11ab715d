"""The control that knows nothing of the donor: the mean of other donors' observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._volume import Imputed, Imputer, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator

__all__ = ["TrainingMean"]


class TrainingMean(Imputer):
    """Predicts each gene's mean over all observations of other donors."""

    card: ClassVar[Card] = Card(
        name="training-mean",
        summary="Mean of other donors' observations everywhere; uses nothing of the stack itself.",
        paper="asign-2025",
        control=True,
        deviations=("A control of this project; the paper has no such row.",),
    )
    uses_labelled = False
    uses_training_donors = True

    def _fit(self, volumes: Sequence[Volume], rng: Generator) -> None:
        del rng  # nothing random
        self.mean_ = np.concatenate([p.values for v in volumes for p in v.planes if p.values is not None]).mean(0)

    def _impute(self, volume: Volume, rng: Generator) -> list[Imputed]:
        del rng
        return [Imputed(np.tile(self.mean_, (len(p.xy_um), 1))) for p in volume.unlabelled]
