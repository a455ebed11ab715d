"""The control that beats published numbers: the mean of the donor's own labelled sections, at every place."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._volume import Imputed, Imputer, Volume

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["SectionMean"]


class SectionMean(Imputer):
    """Predicts each gene's mean over the observations of the labelled sections."""

    card: ClassVar[Card] = Card(
        name="section-mean",
        summary="Mean of the donor's own labelled sections everywhere; knows no place.",
        paper="asign-2025",
        control=True,
        deviations=("A control of this project; the paper has no such row, though it beats the paper's on HER2+.",),
    )

    def _impute(self, volume: Volume, rng: Generator) -> list[Imputed]:
        del rng  # nothing random
        mean = np.concatenate([p.values for p in volume.labelled if p.values is not None]).mean(0)
        return [Imputed(np.tile(mean, (len(p.xy_um), 1))) for p in volume.unlabelled]
