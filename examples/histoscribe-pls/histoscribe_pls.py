"""Partial least squares on frozen features: a HistoScribe method in a package of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods import Predictor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.core.section import Section
    from histoscribe.methods import TrainingSection

__all__ = ["PLS"]


class PLS(Predictor):
    """A few directions of the features that covary most with the panel, and a linear map from them.

    Source: Wold 1966; scikit-learn's PLSRegression.

    Parameters
    ----------
    components
        Number of directions, at most what the data allow.

    Attributes
    ----------
    coef_, intercept_
        ``(d, g)`` and ``(g,)``.
    """

    card: ClassVar[Card] = Card(
        name="pls",
        summary="Partial least squares on frozen features.",
        paper="hoerl-kennard-1970",
        origin="examples/histoscribe-pls",
        deviations=("An example plug-in; the paper named is that of its nearest relative, ridge regression.",),
    )

    def __init__(self, *, components: int = 8) -> None:
        self.components = components

    def _fit(self, data: list[TrainingSection], *, rng: np.random.Generator) -> None:
        from sklearn.cross_decomposition import PLSRegression

        del rng  # nothing random
        X = np.concatenate([self.features(d.section).matrix for d in data]).astype(np.float64)
        y = np.concatenate([d.y for d in data]).astype(np.float64)
        # A constant column, or a gene that never varies, has no direction.
        columns, genes = X.std(0) > 1e-8, y.std(0) > 0
        self.coef_ = np.zeros((X.shape[1], y.shape[1]))
        if columns.any() and genes.any():
            n = min(self.components, int(columns.sum()), len(X) - 1)
            model = PLSRegression(n_components=n).fit(X[:, columns], y[:, genes])
            self.coef_[np.ix_(columns, genes)] = model.coef_.T
        self.intercept_ = y.mean(0) - X.mean(0) @ self.coef_

    def _predict(self, section: Section) -> np.ndarray:
        return self.features(section).matrix.astype(np.float64) @ self.coef_ + self.intercept_

    def state(self) -> dict[str, np.ndarray]:
        """Return coefficients and intercept."""
        return {"coef": self.coef_, "intercept": self.intercept_}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.coef_, self.intercept_ = state["coef"], state["intercept"]
