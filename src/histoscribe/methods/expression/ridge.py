"""Ridge regression on frozen features, with the shrinkage that published baselines leave untuned."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import scipy.linalg

from histoscribe.core.card import Card
from histoscribe.methods._expression import Predictor, TrainingSection
from histoscribe.methods._strength import GRID, choose_strengths

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.core.section import Section

__all__ = ["Ridge"]


class Ridge(Predictor):
    """Linear map from features to expression, one strength per feature block, unpenalised intercept.

    Minimises ``||Y - 1 b' - sum_b X_b W_b||^2 + sum_b strength_b ||W_b||^2`` over standardised features.
    Source: Hoerl and Kennard 1970 (hoerl-kennard-1970).

    Parameters
    ----------
    strength
        A fixed strength for all blocks, or None to choose by leave-group-out error over 1e-2 to 1e8, groups being
        donors (sections where there is one donor, strips where there is one section).
    per_block
        Choose one strength per block (encoder part x tile side); a common strength on a concatenation can lose to
        its smaller part.
    pca
        Keep this many principal components of each wider block; None keeps all columns.
    max_search
        At most this many observations take part in the choice of strengths. The best strength is the ratio of noise
        to weight variance, which does not grow with n, so a sample finds it.

    Attributes
    ----------
    strengths_
        ``(n_blocks,)`` in the order of the blocks.
    coef_, intercept_
        ``(d, g)`` and ``(g,)``, for raw features.
    """

    card: ClassVar[Card] = Card(
        name="ridge",
        summary="Ridge on frozen features; strength per feature block chosen by inner grouped cross-validation.",
        paper="hoerl-kennard-1970",
        deviations=("Strength chosen within groups after removing each group's mean residual.",),
    )

    strengths_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray

    def __init__(
        self,
        *,
        strength: float | None = None,
        per_block: bool = True,
        pca: int | None = None,
        max_search: int = 1500,
    ) -> None:
        self.strength = strength
        self.per_block = per_block
        self.pca = pca
        self.max_search = max_search

    def _fit(self, data: list[TrainingSection], *, rng: np.random.Generator) -> None:
        X = np.concatenate([self.features(d.section).matrix for d in data]).astype(np.float64)
        Y = np.concatenate([d.y for d in data]).astype(np.float64)
        groups = np.unique(np.concatenate([d.groups for d in data]), return_inverse=True)[1]
        mean, scale = X.mean(0), X.std(0)
        scale[scale < 1e-8 * max(1.0, float(scale.max()))] = np.inf  # a constant column carries nothing
        X = (X - mean) / scale
        assert self.spec_ is not None
        blocks, bases = [], []
        for start, stop in self.spec_.blocks.values():
            block, basis = _compress(X[:, start:stop], self.pca)
            blocks.append(block)
            bases.append(basis)
        self.strengths_ = self._choose(blocks, Y, groups, rng)
        weights, self.intercept_ = _solve(blocks, Y, self.strengths_)
        full = np.concatenate([w if q is None else q @ w for w, q in zip(weights, bases, strict=True)])
        self.coef_ = full / scale[:, None]
        self.intercept_ = self.intercept_ - mean @ self.coef_

    def _choose(
        self, blocks: list[np.ndarray], Y: np.ndarray, groups: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        if self.strength is not None:
            return np.full(len(blocks), float(self.strength))
        n = len(Y)
        rows = np.arange(n) if n <= self.max_search else np.sort(rng.choice(n, self.max_search, replace=False))
        y = Y[rows] - Y[rows].mean(0)
        sd = y.std(0)
        y = y[:, sd > 0] / sd[sd > 0]
        if len(np.unique(groups[rows])) < 2 or y.shape[1] == 0:
            # Nothing to validate on (one observation group, or no varying gene): shrink as hard as the grid allows.
            return np.full(len(blocks), GRID[-1])
        strengths, _ = choose_strengths([b[rows] for b in blocks], y, groups[rows], per_block=self.per_block)
        return strengths

    def _predict(self, section: Section) -> np.ndarray:
        return self.features(section).matrix.astype(np.float64) @ self.coef_ + self.intercept_

    def state(self) -> dict[str, np.ndarray]:
        """Return strengths, coefficients and intercept, float64."""
        return {"strengths": self.strengths_, "coef": self.coef_, "intercept": self.intercept_}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.strengths_, self.coef_, self.intercept_ = state["strengths"], state["coef"], state["intercept"]


def _compress(block: np.ndarray, pca: int | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the block's scores on its first `pca` principal axes and the axes, or the block itself."""
    if pca is None or block.shape[1] <= pca:
        return block, None
    _, axes = scipy.linalg.eigh(block.T @ block, subset_by_index=[block.shape[1] - pca, block.shape[1] - 1])
    axes = axes[:, ::-1]
    return block @ axes, axes


def _solve(blocks: list[np.ndarray], Y: np.ndarray, strengths: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Solve the penalised least squares, in the smaller of observations and features."""
    scaled = np.concatenate([b / np.sqrt(s) for b, s in zip(blocks, strengths, strict=True)], axis=1)
    centre, y_mean = scaled.mean(0), Y.mean(0)
    scaled = scaled - centre
    y = Y - y_mean
    n, d = scaled.shape
    if n <= d:
        system = scaled @ scaled.T
        system.flat[:: n + 1] += 1.0
        weights = scaled.T @ scipy.linalg.solve(system, y, assume_a="pos", overwrite_a=True)
    else:
        system = scaled.T @ scaled
        system.flat[:: d + 1] += 1.0
        weights = scipy.linalg.solve(system, scaled.T @ y, assume_a="pos", overwrite_a=True)
    intercept = y_mean - centre @ weights
    edges = np.cumsum([b.shape[1] for b in blocks])[:-1]
    return [w / np.sqrt(s) for w, s in zip(np.split(weights, edges), strengths, strict=True)], intercept
