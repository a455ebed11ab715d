"""The head of the HEST-Benchmark as it is: PCA, a ridge of one fixed, tiny strength, and no intercept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.core.target import Target
from histoscribe.methods._expression import Predictor, TrainingSection
from histoscribe.methods._gram import choose_strength, principal_axes, sums_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.core.section import Section

__all__ = ["HestRidge"]


class HestRidge(Predictor):
    """Linear head by which the HEST-Benchmark compares encoders: to repeat its numbers, not to predict with.

    Features are standardised and reduced by PCA, both on the training sections; then scikit-learn's ridge with solver
    ``"lsqr"`` at ``alpha = 100 / (features x genes)``, which is 0.0078 for 256 components and 50 genes: next to no
    shrinkage. Targets are not centred and there is no intercept, so predictions lie too low by the mean, which a
    correlation does not show. `ridge` is the same model with these faults removed. Source: Jaume et al. 2024
    (hest-1k-2024).

    Parameters
    ----------
    pca
        Components kept, at most as many as there are features or observations; None keeps all features.
    alpha
        Strength; None for 100 / (features x genes).
    max_iter
        Iterations of the solver.
    tuned
        Choose the strength by leave-group-out error, groups being donors, and add an unpenalised intercept: the same
        components with the two faults removed. `alpha` and `max_iter` are then not used.

    Attributes
    ----------
    mean_, scale_
        ``(d,)`` of the training features.
    axes_
        ``(k, d)`` principal axes, ``(0, d)`` where there is no PCA; `shift_` is ``(k,)``, the mean along them.
    coef_, intercept_
        ``(g, k)``, of a tuned one ``(g, d)`` for features less their mean; ``(g,)``, zeros where there is none.
    strength_
        The strength used.
    """

    card: ClassVar[Card] = Card(
        name="hest-ridge",
        summary="The HEST-Benchmark's head: PCA to 256, ridge of strength 100 / (features x genes), no intercept.",
        paper="hest-1k-2024",
        deviations=("Fewer components where there are fewer features or observations than 256.",),
    )
    default_encoder: ClassVar[str] = "efficientnet-lite0"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"tuned": {"tuned": True}}
    predicts_level: ClassVar[bool] = False
    learns: ClassVar[tuple[str, ...]] = (Target.kind,)  # of raw counts

    mean_: np.ndarray
    scale_: np.ndarray
    axes_: np.ndarray
    shift_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    strength_: float

    def __init__(
        self, *, pca: int | None = 256, alpha: float | None = None, max_iter: int = 1000, tuned: bool = False
    ) -> None:
        self.pca = pca
        self.alpha = alpha
        self.max_iter = max_iter
        self.tuned = tuned

    def _fit(self, data: list[TrainingSection], *, rng: np.random.Generator) -> None:
        del rng  # scikit-learn takes the seed itself
        if self.tuned:
            self._fit_tuned(data)
            return
        from sklearn.decomposition import PCA
        from sklearn.linear_model import Ridge
        from sklearn.preprocessing import StandardScaler

        X = np.concatenate([self.features(d.section).matrix for d in data])
        scaler = StandardScaler()
        X = scaler.fit_transform(X)
        self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        self.axes_ = np.zeros((0, X.shape[1]), dtype=X.dtype)
        self.shift_ = np.zeros(0, dtype=X.dtype)
        if self.pca is not None:
            pca = PCA(min(self.pca, *X.shape), random_state=self.seed_)
            # Not fit and transform: the solver stops at so loose a tolerance that the last bit of its input moves a
            # gene's correlation by 1e-4. The same calls on the same types (components rounded to float32, then solved
            # in float64) give the benchmark's own numbers.
            X = pca.fit_transform(X).astype(np.float32)
            self.axes_ = pca.components_
            self.shift_ = pca.mean_ @ pca.components_.T
        y = np.concatenate([self._exact(d) for d in data])
        alpha = 100.0 / (X.shape[1] * y.shape[1]) if self.alpha is None else self.alpha
        X = np.ascontiguousarray(X, dtype=np.float64)
        model = Ridge(alpha=alpha, solver="lsqr", fit_intercept=False, max_iter=self.max_iter, random_state=self.seed_)
        self.coef_ = np.atleast_2d(model.fit(X, y).coef_)
        self.intercept_, self.strength_ = np.zeros(len(self.coef_)), alpha

    def _fit_tuned(self, data: list[TrainingSection]) -> None:
        features = [self.features(d.section).matrix for d in data]
        n, d = sum(map(len, features)), features[0].shape[1]
        groups, self.mean_ = sums_of(features, [t.y.astype(np.float64) for t in data], [t.groups for t in data])
        variance = np.sum([g.xx.diagonal() for g in groups], 0, dtype=np.float64) / n
        # As scikit-learn: a constant feature is left as it is, 0 once its mean is taken off.
        self.scale_ = np.sqrt(np.where(variance > 1e-10 * (1 + self.mean_**2), variance, 1.0))
        groups = [g.scaled(1.0 / self.scale_) for g in groups]
        total = sum((g.xx for g in groups[1:]), groups[0].xx)
        k = min(self.pca or d, n, d)
        axes = principal_axes(total, k, seed=self.seed_) if k < d else np.eye(k, dtype=np.float32)
        self.strength_, coef, self.intercept_ = choose_strength([g.along(axes) for g in groups])
        # One product serves prediction: the axes are folded into the coefficients.
        self.axes_, self.shift_ = np.zeros((0, d), dtype=np.float32), np.zeros(0, dtype=np.float32)
        self.coef_ = (axes @ coef / self.scale_[:, None]).T.astype(np.float32)

    def _exact(self, data: TrainingSection) -> np.ndarray:
        if self.target_.smooth != "none":
            return data.y.astype(np.float64)
        return self.target_.values(data.counts, data.depth)

    def _predict(self, section: Section) -> np.ndarray:
        if self.tuned:
            return (self.features(section).matrix - self.mean_.astype(np.float32)) @ self.coef_.T + self.intercept_
        # As the scaler does it: float64 statistics, float32 result.
        X = ((self.features(section).matrix - self.mean_) / self.scale_).astype(np.float32)
        return self._reduced(X) @ self.coef_.T + self.intercept_

    def _reduced(self, X: np.ndarray) -> np.ndarray:
        return X if not len(self.axes_) else (X @ self.axes_.T - self.shift_).astype(np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """Return statistics, axes, coefficients, intercept and strength."""
        return {
            "mean": self.mean_,
            "scale": self.scale_,
            "axes": self.axes_,
            "shift": self.shift_,
            "coef": self.coef_,
            "intercept": self.intercept_,
            "strength": np.array([self.strength_]),
        }

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""
        self.mean_, self.scale_, self.axes_ = state["mean"], state["scale"], state["axes"]
        self.shift_, self.coef_ = state["shift"], state["coef"]
        self.intercept_, self.strength_ = state["intercept"], float(state["strength"][0])
