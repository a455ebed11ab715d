"""k nearest slides: the mean profile of the training slides whose mean tile is most alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._slide_level import SlideRegressor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.methods._slide_training import TrainingSlides

__all__ = ["Knn"]

_CHOICES = (1, 2, 5, 10, 20, 50, 100)


class Knn(SlideRegressor):
    """Mean profile of the k training slides of largest cosine between mean tiles; nothing is trained.

    Source: the kNN baseline of evaluating-deep-regression-models-for-wsi-based-2024.

    Parameters
    ----------
    k
        Neighbours, or None to choose among 1 to 100 by the error on donors left out.

    Attributes
    ----------
    k_
        Neighbours used.
    """

    card: ClassVar[Card] = Card(
        name="knn",
        summary="Mean profile of the k training slides whose mean tile is nearest by cosine; k by donors left out.",
        paper="evaluating-deep-regression-models-for-wsi-based-2024",
        control=True,
        deviations=(
            "k is chosen on the training slides; the paper's is not known.",
            "Cosines are taken of standardised features: raw ones share a mean that hides how slides differ.",
        ),
    )

    k_: int

    def __init__(self, *, k: int | None = None) -> None:
        self.k = k

    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        del rng  # nothing random
        self.means_ = _unit(data.means()).astype(np.float32)
        self.y_ = data.y
        self.k_ = min(self.k, len(data)) if self.k else self._choose(data.groups)

    def _choose(self, groups: np.ndarray) -> int:
        cosine = self.means_ @ self.means_.T
        cosine[groups[:, None] == groups] = -np.inf
        choices = [k for k in _CHOICES if k <= int(np.isfinite(cosine).sum(1).min())]
        if not choices:
            return min(_CHOICES[-1], len(groups))
        order = np.argsort(-cosine, axis=1, kind="stable")[:, : choices[-1]]
        # Squared errors from inner products of profiles: no (m, k, g) array.
        inner = self.y_ @ self.y_.T
        errors = []
        for k in choices:
            near = order[:, :k]
            mean = inner[near[:, :, None], near[:, None, :]].mean((1, 2))
            errors.append(float((mean - 2 * inner[np.arange(len(near))[:, None], near].mean(1)).sum()))
        # From many to few, so that a tie keeps the smoother.
        return min(reversed(choices), key=lambda k: errors[choices.index(k)])

    def _predict(self, x: np.ndarray) -> np.ndarray:
        return self._predict_means(x.mean(0, dtype=np.float64)[None])[0]

    def _predict_tiles(self, x: np.ndarray) -> np.ndarray:
        return self._predict_means(x.astype(np.float64))

    def _predict_means(self, means: np.ndarray) -> np.ndarray:
        cosine = _unit(means).astype(np.float32) @ self.means_.T
        order = np.argsort(-cosine, axis=1, kind="stable")[:, : self.k_]
        return np.stack([self.y_[row].mean(0) for row in order])

    def state(self) -> dict[str, np.ndarray]:
        """Return the training slides' mean tiles and profiles, and k."""
        return {"means": self.means_, "y": self.y_, "k": np.array([self.k_], dtype=np.int64)}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.means_, self.y_, self.k_ = state["means"], state["y"], int(state["k"][0])


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
