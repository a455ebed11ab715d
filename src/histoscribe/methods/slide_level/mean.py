"""The control that every slide-level method has to beat: the mean of the training slides."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._slide_level import SlideRegressor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.methods._slide_training import TrainingSlides

__all__ = ["TrainingMean"]


class TrainingMean(SlideRegressor):
    """Predicts each gene's mean over the training slides, whatever a slide shows."""

    card: ClassVar[Card] = Card(
        name="mean",
        summary="Each gene's training mean for every slide; correlates with nothing across slides.",
        paper="evaluating-deep-regression-models-for-wsi-based-2024",
        control=True,
        deviations=("A control of this project; the paper names the setting.",),
    )
    has_maps: ClassVar[bool] = False

    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        """Nothing to learn beyond the means, which the base class keeps."""

    def _predict(self, x: np.ndarray) -> np.ndarray:
        del x
        return np.zeros(len(self.genes_), dtype=np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """Return no arrays."""
        return {}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Accept the empty state."""
