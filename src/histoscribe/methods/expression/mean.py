"""The control that every method has to beat: the mean of the training observations, everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._expression import Predictor, TrainingSection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.core.section import Section

__all__ = ["TrainingMean"]


class TrainingMean(Predictor):
    """Predicts each gene's mean target over the training observations, whatever the image shows."""

    card: ClassVar[Card] = Card(
        name="mean",
        summary="Each gene's training mean at every place; the zero of R2.",
        paper="hest-1k-2024",
        control=True,
        deviations=("A control of this project; the paper names the setting (frozen features, per-gene regression).",),
    )
    uses_features: ClassVar[bool] = False

    def _fit(self, data: list[TrainingSection], *, rng: np.random.Generator) -> None:
        """Nothing to learn beyond `train_mean_`, which the base class keeps."""

    def _predict(self, section: Section) -> np.ndarray:
        return np.tile(self.train_mean_.astype(np.float32), (section.n_obs, 1))

    def state(self) -> dict[str, np.ndarray]:
        """Return no arrays: the mean is part of every bundle."""
        return {}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Accept the empty state."""
