"""k nearest neighbours: copy the expression of the training tiles that look most alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._expression import Predictor, TrainingSection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.core.section import Section

__all__ = ["Knn"]

_CHOICES = (5, 10, 20, 50, 100, 200)


class Knn(Predictor):
    """Mean expression of the k training tiles nearest in feature space.

    Each block is standardised, reduced to its first principal components and scaled to unit total variance, so that
    eight colour statistics weigh as much as a thousand network features. Source: Cover and Hart 1967
    (cover-hart-1967).

    Parameters
    ----------
    k
        Neighbours, or None to choose among 5 to 200 by leave-group-out error within groups.
    pca
        Principal components kept of each wider block.

    Attributes
    ----------
    k_
        Neighbours used.
    """

    card: ClassVar[Card] = Card(
        name="knn",
        summary="Mean expression of the k training tiles whose features are nearest; k by grouped cross-validation.",
        paper="cover-hart-1967",
        deviations=("Blocks are reduced by PCA and weighted alike before distances are taken.",),
    )

    k_: int

    def __init__(self, *, k: int | None = None, pca: int = 50) -> None:
        self.k = k
        self.pca = pca

    def _fit(self, data: list[TrainingSection], *, rng: np.random.Generator) -> None:
        del rng  # nothing random
        X = np.concatenate([self.features(d.section).matrix for d in data]).astype(np.float64)
        self.y_ = np.concatenate([d.y for d in data]).astype(np.float32)
        groups = np.unique(np.concatenate([d.groups for d in data]), return_inverse=True)[1]
        self.mean_ = X.mean(0)
        assert self.spec_ is not None
        axes = [_axes(X[:, a:b] - self.mean_[a:b], self.pca) for a, b in self.spec_.blocks.values()]
        self.axes_ = np.zeros((X.shape[1], sum(q.shape[1] for q in axes)))
        column = 0
        for (start, stop), q in zip(self.spec_.blocks.values(), axes, strict=True):
            self.axes_[start:stop, column : column + q.shape[1]] = q
            column += q.shape[1]
        self.scores_ = ((X - self.mean_) @ self.axes_).astype(np.float32)
        self.k_ = self.k or self._choose(groups)

    def _choose(self, groups: np.ndarray) -> int:
        """Pick k by the squared error within left-out groups, all k from one sorted neighbour list."""
        labels = np.unique(groups)
        choices = [k for k in _CHOICES if k <= min(int((groups != g).sum()) for g in labels)] if len(labels) > 1 else []
        if not choices:
            return min(_CHOICES[-1], len(groups))
        sd = self.y_.std(0)
        y = self.y_[:, sd > 0] / sd[sd > 0]
        errors = dict.fromkeys(choices, 0.0)
        for group in labels:
            inside = groups == group
            order = _nearest(self.scores_[inside], self.scores_[~inside], choices[-1])
            for k in choices:
                residual = y[inside] - y[~inside][order[:, :k]].mean(1)
                errors[k] += float(((residual - residual.mean(0)) ** 2).sum())
        return min(reversed(choices), key=errors.__getitem__)

    def _predict(self, section: Section) -> np.ndarray:
        scores = ((self.features(section).matrix.astype(np.float64) - self.mean_) @ self.axes_).astype(np.float32)
        order = _nearest(scores, self.scores_, min(self.k_, len(self.scores_)))
        return np.stack([self.y_[row].mean(0) for row in order]) if len(order) else np.zeros((0, self.y_.shape[1]))

    def state(self) -> dict[str, np.ndarray]:
        """Return the reference tiles' scores and expression, and the projection."""
        return {
            "axes": self.axes_,
            "mean": self.mean_,
            "scores": self.scores_,
            "y": self.y_,
            "k": np.array([self.k_], dtype=np.int64),
        }

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.axes_, self.mean_, self.scores_, self.y_ = (state[name] for name in ("axes", "mean", "scores", "y"))
        self.k_ = int(state["k"][0])


def _axes(block: np.ndarray, pca: int) -> np.ndarray:
    """Return ``(d, r)`` axes that standardise, rotate and scale a centred block to unit total variance."""
    sd = block.std(0)
    inverse = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 1e-8 * max(1.0, float(sd.max(initial=0.0))))
    values, vectors = np.linalg.eigh((block * inverse).T @ (block * inverse) / len(block))
    keep = slice(None, -min(pca, len(values)) - 1, -1)
    total = max(float(values[keep].sum()), 1e-12)
    return inverse[:, None] * vectors[:, keep] / np.sqrt(total)


def _nearest(query: np.ndarray, reference: np.ndarray, k: int) -> np.ndarray:
    """Return ``(n, k)`` indices of the nearest reference rows, nearest first."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(reference).kneighbors(query, return_distance=False)
