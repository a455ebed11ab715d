"""Ridge on the mean tile and on the mean of each kind of tile: regional signal without training a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._slide_level import SlideRegressor
from histoscribe.methods._slide_ridge import fit_ridge, profile_axes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.methods._slide_ridge import BlockRidge
    from histoscribe.methods._slide_training import TrainingSlides

__all__ = ["ClusterRidge"]

_CHOICES = (4, 8, 16)
#: Tiles that kinds are found from, as many of each slide.
_MOST_TILES = 20_000


class ClusterRidge(SlideRegressor):
    """Linear in the mean tile, in the shares of k kinds of tile, and in how the tiles of each kind look.

    Kinds are k-means clusters of the training tiles. Each of these blocks has a strength of its own, chosen exactly by
    the error on donors left out, and may be left out: a signal that is everywhere uses the mean tile alone, one of a
    small region uses the kind that the region is of. A kind's mean deviation is shrunk as by one average tile.

    A tile's prediction is that for a slide whose mean tile, and whose tiles of this kind, looked like it.

    Parameters
    ----------
    k
        Number of kinds, or None to choose 4, 8 or 16 by the error on donors left out.
    components
        Principal components of tiles in which kinds are told apart.

    Attributes
    ----------
    strengths_
        Of the mean tile, of the shares, and of each kind; see `_slide_ridge`.
    """

    card: ClassVar[Card] = Card(
        name="cluster-ridge",
        summary="Ridge on the mean tile, on shares of k-means kinds of tile, and on each kind's mean; solved exactly.",
        paper="hoerl-kennard-1970",
        deviations=("Ours; that a slide is described by k-means clusters of its tiles is SEQUOIA's (sequoia-2024).",),
    )

    strengths_: np.ndarray

    def __init__(self, *, k: int | None = None, components: int = 32) -> None:
        self.k = k
        self.components = components

    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        each = max(1, _MOST_TILES // len(data))
        tiles = np.concatenate([data.tiles(i, most=each, rng=rng) for i in range(len(data))])
        self.projection_ = _axes(tiles, self.components)
        scores, self.axes_ = profile_axes(data.y)
        seed = int(rng.integers(2**31))
        best: tuple[BlockRidge, np.ndarray, np.ndarray] | None = None
        for k in _CHOICES if self.k is None else (self.k,):
            self._find_kinds(tiles, k, seed)
            blocks = zip(*(self._blocks(data.tiles(i)) for i in range(len(data))), strict=True)
            ridge = fit_ridge([np.stack(rows) for rows in blocks], scores, data.groups)
            if best is None or ridge.error < best[0].error:
                best = ridge, self.kinds_, self.centres_
        assert best is not None
        ridge, self.kinds_, self.centres_ = best
        self.strengths_, self.intercept_ = ridge.strengths, ridge.intercept.astype(np.float32)
        self.weights_, self.share_weights_ = (w.astype(np.float32) for w in ridge.weights[:2])
        self.kind_weights_ = np.stack(ridge.weights[2:]).astype(np.float32)
        self.mean_shares_ = np.mean([self._blocks(data.tiles(i))[1] for i in range(len(data))], 0).astype(np.float32)

    def _find_kinds(self, tiles: np.ndarray, k: int, seed: int) -> None:
        from sklearn.cluster import KMeans

        found = KMeans(min(k, len(tiles)), n_init=4, random_state=seed).fit(tiles @ self.projection_)
        self.kinds_ = found.cluster_centers_.astype(np.float32)
        self.centres_ = _means(tiles, self._kind(tiles), len(self.kinds_), extra=0.0).astype(np.float32)

    def _kind(self, x: np.ndarray) -> np.ndarray:
        """Return each tile's kind."""
        p = x @ self.projection_
        return ((self.kinds_**2).sum(1) - 2 * p @ self.kinds_.T).argmin(1)

    def _blocks(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the mean tile, the square roots of the shares, and each kind's shrunk mean deviation."""
        kind = self._kind(x)
        shares = np.bincount(kind, minlength=len(self.kinds_)) / len(x)
        deviations = _means(x - self.centres_[kind], kind, len(self.kinds_), extra=1.0)
        return [x.mean(0, dtype=np.float64), np.sqrt(shares), *deviations]

    def _predict(self, x: np.ndarray) -> np.ndarray:
        mean, shares, *deviations = self._blocks(x)
        scores = mean @ self.weights_ + shares @ self.share_weights_ + self.intercept_
        scores += np.einsum("kd,kdr->r", np.stack(deviations), self.kind_weights_)
        return scores.astype(np.float32) @ self.axes_

    def _predict_tiles(self, x: np.ndarray) -> np.ndarray:
        kind = self._kind(x)
        scores = x @ self.weights_ + (self.mean_shares_ @ self.share_weights_ + self.intercept_)
        for c in np.unique(kind):
            scores[kind == c] += (x[kind == c] - self.centres_[c]) @ self.kind_weights_[c]
        return scores @ self.axes_

    def state(self) -> dict[str, np.ndarray]:
        """Return kinds, weights and axes."""
        return {name: getattr(self, f"{name}_") for name in _STATE}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        for name in _STATE:
            setattr(self, f"{name}_", state[name])


_STATE = (
    *("axes", "centres", "intercept", "kind_weights", "kinds", "mean_shares", "projection", "share_weights"),
    *("strengths", "weights"),
)


def _axes(tiles: np.ndarray, k: int) -> np.ndarray:
    """Return ``(d, k)`` float32 principal axes of tiles."""
    centred = tiles - tiles.mean(0)
    return np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :k].astype(np.float32)


def _means(x: np.ndarray, kind: np.ndarray, k: int, *, extra: float) -> np.ndarray:
    """Return ``(k, d)`` float64 means of the rows of each kind, as if `extra` rows of zeros were added to each."""
    one = np.zeros((k, len(x)), dtype=np.float32)
    one[kind, np.arange(len(x))] = 1.0
    return (one @ x).astype(np.float64) / np.maximum(one.sum(1) + extra, 1e-12)[:, None]
