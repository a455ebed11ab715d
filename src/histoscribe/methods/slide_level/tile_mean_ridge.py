"""Ridge on the mean tile: one closed form for all genes, and maps for free."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._slide_level import SlideRegressor
from histoscribe.methods._slide_ridge import fit_ridge, profile_axes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.methods._slide_training import TrainingSlides

__all__ = ["TileMeanRidge"]


class TileMeanRidge(SlideRegressor):
    """Linear in the mean tile, its strength chosen by the error on donors left out, exactly.

    The prediction is also the mean of the same linear map of each tile. Source: the Direct - Patch-Level model of
    evaluating-deep-regression-models-for-wsi-based-2024 is this model, trained by gradient descent.

    Attributes
    ----------
    strengths_
        ``(1,)`` ridge strength as a multiple of the mean tile's mean squared length over slides; infinite: no signal.
    """

    card: ClassVar[Card] = Card(
        name="tile-mean-ridge",
        summary="Ridge on the mean tile, tuned exactly on donors left out; equal to the mean of tile predictions.",
        paper="evaluating-deep-regression-models-for-wsi-based-2024",
        deviations=("The paper's patch-level model with a ridge penalty and its exact solution.",),
    )

    strengths_: np.ndarray

    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        del rng  # nothing random
        scores, self.axes_ = profile_axes(data.y)
        found = fit_ridge([data.means()], scores, data.groups)
        self.strengths_, self.intercept_ = found.strengths, found.intercept.astype(np.float32)
        self.weights_ = found.weights[0].astype(np.float32)

    def _predict(self, x: np.ndarray) -> np.ndarray:
        return (x.mean(0, dtype=np.float64).astype(np.float32) @ self.weights_ + self.intercept_) @ self.axes_

    def _predict_tiles(self, x: np.ndarray) -> np.ndarray:
        return (x @ self.weights_ + self.intercept_) @ self.axes_

    def state(self) -> dict[str, np.ndarray]:
        """Return weights and intercept on the profiles' axes, and the axes."""
        return {
            "axes": self.axes_,
            "intercept": self.intercept_,
            "strengths": self.strengths_,
            "weights": self.weights_,
        }

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.axes_, self.intercept_, self.weights_ = state["axes"], state["intercept"], state["weights"]
        self.strengths_ = state["strengths"]
