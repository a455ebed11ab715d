"""Ridge regression on frozen features: what the methods of expression and of composition share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from histoscribe.methods._expression import Predictor, TrainingSection
from histoscribe.methods._strength import GRID, choose_strengths, leave_group_out_residuals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.core.section import Section

__all__ = ["RidgePredictor"]


class RidgePredictor(Predictor):
    """Linear map from features to the target, one strength per feature block, unpenalised intercept.

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
    centre
        Subtract each section's mean features (and, in training, its mean target), so that stain and scanner offsets
        drop out and what is learned is where in a section a gene is high. A prediction then depends on which tiles
        of the slide are predicted together. None chooses by the leave-group-out error where there are several donors,
        and centres where there is one: its sections cannot tell how another donor's slides differ.
    max_search
        At most this many observations take part in the choice of strengths. The best strength is the ratio of noise
        to weight variance, which does not grow with n, so a sample finds it.

    Attributes
    ----------
    strengths_
        ``(n_blocks,)`` in the order of the blocks.
    centred_
        Whether sections are centred.
    coef_, intercept_
        ``(d, g)`` and ``(g,)``, for raw features (for centred ones where `centred_`).
    """

    strengths_: np.ndarray
    centred_: bool
    coef_: np.ndarray
    intercept_: np.ndarray

    def __init__(
        self,
        *,
        strength: float | None = None,
        per_block: bool = True,
        pca: int | None = None,
        centre: bool | None = None,
        max_search: int = 800,
    ) -> None:
        self.strength = strength
        self.per_block = per_block
        self.pca = pca
        self.centre = centre
        self.max_search = max_search

    def _fit(self, data: list[TrainingSection], *, rng: np.random.Generator) -> None:
        features = [self.features(d.section).matrix.astype(np.float64) for d in data]
        targets = [d.y.astype(np.float64) for d in data]
        groups = np.unique(np.concatenate([d.groups for d in data]), return_inverse=True)[1]
        n = len(groups)
        rows = np.arange(n) if n <= self.max_search else np.sort(rng.choice(n, self.max_search, replace=False))
        several = len({d.section.donor for d in data}) > 1
        choices = [self.centre] if self.centre is not None else [False, True] if several else [True]
        designs = {centre: self._design(features, targets, centre=centre) for centre in choices}
        self.centred_, self.strengths_ = self._choose(designs, groups, rows)
        design = designs[self.centred_]
        weights, intercept = _solve(design.blocks, design.y, self.strengths_)
        full = np.concatenate([w if q is None else q @ w for w, q in zip(weights, design.bases, strict=True)])
        self.coef_ = full / design.scale[:, None]
        self.intercept_ = intercept + design.offset - design.mean @ self.coef_

    def _design(self, features: list[np.ndarray], targets: list[np.ndarray], *, centre: bool) -> _Design:
        assert self.spec_ is not None
        offset = np.zeros(targets[0].shape[1])
        section_means = np.zeros((sum(map(len, targets)), len(offset)))
        if centre:
            offset = np.concatenate(targets).mean(0)
            section_means = np.concatenate([np.broadcast_to(y.mean(0), y.shape) for y in targets])
            features = [x - x.mean(0) for x in features]
            targets = [y - y.mean(0) for y in targets]
        X, y = np.concatenate(features), np.concatenate(targets)
        mean, scale = X.mean(0), X.std(0)
        scale[scale < 1e-8 * max(1.0, float(scale.max()))] = np.inf  # a constant column carries nothing
        X = (X - mean) / scale
        pairs = [_compress(X[:, start:stop], self.pca) for start, stop in self.spec_.blocks.values()]
        return _Design([b for b, _ in pairs], [q for _, q in pairs], y, mean, scale, offset, section_means)

    def _choose(self, designs: dict[bool, _Design], groups: np.ndarray, rows: np.ndarray) -> tuple[bool, np.ndarray]:
        """Choose centring at a common strength, then the strengths."""
        first = next(iter(designs.values()))
        grid = GRID if self.strength is None else (float(self.strength),)
        if len(np.unique(groups[rows])) < 2 or not (first.y.std(0) > 0).any():
            # Nothing to validate on (one group, or no varying gene): shrink as hard as the grid allows.
            return next(iter(designs)), np.full(len(first.blocks), grid[-1])
        samples = {centre: _Sample.of(design, groups, rows) for centre, design in designs.items()}
        if len(samples) > 1:
            best = min(samples, key=lambda centre: samples[centre].whole_error(grid))
        else:
            best = next(iter(samples))
        if len(grid) == 1:
            return best, np.full(len(first.blocks), grid[0])
        chosen = samples[best]
        return best, choose_strengths(chosen.blocks, chosen.y, chosen.groups, per_block=self.per_block, grid=grid)[0]

    def _predict(self, section: Section) -> np.ndarray:
        X = self.features(section).matrix.astype(np.float64)
        if self.centred_ and len(X):
            X = X - X.mean(0)
        return X @ self.coef_ + self.intercept_

    def state(self) -> dict[str, np.ndarray]:
        """Return strengths, centring, coefficients and intercept."""
        return {
            "strengths": self.strengths_,
            "centred": np.array([self.centred_]),
            "coef": self.coef_,
            "intercept": self.intercept_,
        }

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.strengths_, self.coef_, self.intercept_ = state["strengths"], state["coef"], state["intercept"]
        self.centred_ = bool(state["centred"][0])


@dataclass(frozen=True)
class _Design:
    """Standardised feature blocks, targets, and what leads back to raw features."""

    blocks: list[np.ndarray]
    bases: list[np.ndarray | None]
    y: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    offset: np.ndarray
    section_means: np.ndarray


@dataclass(frozen=True)
class _Sample:
    """The observations that take part in a choice; targets scaled so that genes count alike."""

    blocks: list[np.ndarray]
    y: np.ndarray
    groups: np.ndarray
    section_means: np.ndarray

    @classmethod
    def of(cls, design: _Design, groups: np.ndarray, rows: np.ndarray) -> _Sample:
        y, means = design.y[rows], design.section_means[rows]
        sd = (y + means).std(0)
        kept = sd > 0
        y, means = (y - y.mean(0))[:, kept] / sd[kept], means[:, kept] / sd[kept]
        return cls([b[rows] for b in design.blocks], y, groups[rows], means)

    def whole_error(self, grid: Sequence[float]) -> float:
        """Mean squared leave-group-out error at the best common strength, offsets of sections included.

        A centred model predicts the other groups' mean as a section's level, and pays for the difference here.
        """
        strengths, _ = choose_strengths(self.blocks, self.y, self.groups, per_block=False, grid=grid)
        kernel = sum(b @ b.T / s for b, s in zip(self.blocks, strengths, strict=True))
        residuals = leave_group_out_residuals(np.asarray(kernel), self.y, self.groups)
        if residuals is None:
            return np.inf
        for group in np.unique(self.groups):
            inside = self.groups == group
            residuals[inside] += self.section_means[inside] - self.section_means[~inside].mean(0)
        return float((residuals**2).mean())


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
