"""The control of slide pre-training that learns from slides alone: principal components of mean features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._pretrain import SlidePretrainer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.methods._slide_training import TrainingSlides

__all__ = ["PcaMean"]


class PcaMean(SlidePretrainer):
    """Projects the mean of a slide's tiles on the leading components of the training slides' means.

    Parameters
    ----------
    n_components
        At most this many; never more than slides less one.
    whiten
        Divide each component by its standard deviation over the training slides.
    """

    card: ClassVar[Card] = Card(
        name="pca-mean",
        summary="Principal components of the tiles' mean feature.",
        paper="tangle-2024",
        control=True,
    )

    components_: np.ndarray
    mean_: np.ndarray

    def __init__(self, *, n_components: int = 32, whiten: bool = False) -> None:
        self.n_components = n_components
        self.whiten = whiten

    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        del rng  # nothing random
        means = data.means()
        self.mean_ = means.mean(0)
        _, sizes, components = np.linalg.svd(means - self.mean_, full_matrices=False)
        k = min(self.n_components, len(means) - 1, len(sizes))
        # The sign of a component is arbitrary: the largest weight is made positive.
        signs = np.sign(np.take_along_axis(components, np.abs(components).argmax(1)[:, None], 1))
        components = (components * signs)[:k]
        sd = np.maximum(sizes[:k] / np.sqrt(len(means) - 1), 1e-12)
        self.components_ = components / sd[:, None] if self.whiten else components

    def _embed(self, x: np.ndarray) -> np.ndarray:
        return self.components_ @ (x.mean(0, dtype=np.float64) - self.mean_)

    def state(self) -> dict[str, np.ndarray]:
        """Return components and mean."""
        return {"components": self.components_, "mean": self.mean_}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.components_, self.mean_ = state["components"], state["mean"]
