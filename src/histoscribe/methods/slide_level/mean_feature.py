"""The control of slide pre-training: a slide is the mean of its tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from histoscribe.core.card import Card
from histoscribe.methods._pretrain import SlidePretrainer

if TYPE_CHECKING:
    import numpy as np

    from histoscribe.methods._slide_training import TrainingSlides

__all__ = ["MeanFeature"]


class MeanFeature(SlidePretrainer):
    """Averages the standardised features of a slide's tiles."""

    card: ClassVar[Card] = Card(
        name="mean-feature",
        summary="Mean of the tiles' features; learns nothing.",
        paper="tangle-2024",
        control=True,
    )

    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        del data, rng  # nothing to learn beyond the moments

    def _embed(self, x: np.ndarray) -> np.ndarray:
        return x.mean(0)
