"""How unlike the training tiles a tile is: the out-of-distribution score of slides and tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Novelty"]

#: Axes of the training features in which distances are taken; the rest enters as one residual length.
_RANK = 32


@dataclass(frozen=True, eq=False)
class _Shape:
    """Mean and principal axes of a cloud of features."""

    mean: np.ndarray
    axes: np.ndarray  # (d, r), scaled so that training scores have unit variance
    residual_sd: float
    scale: np.ndarray  # (d,)

    @classmethod
    def of(cls, X: np.ndarray) -> _Shape:
        mean, scale = X.mean(0), X.std(0)
        scale = np.where(scale > 1e-8 * max(1.0, float(scale.max(initial=0.0))), scale, np.inf)
        Z = (X - mean) / scale
        rank = max(1, min(_RANK, len(Z) // 4, Z.shape[1]))
        if len(Z) < Z.shape[1]:
            values, left = np.linalg.eigh(Z @ Z.T)
            values, left = values[::-1][:rank], left[:, ::-1][:, :rank]
            vectors = Z.T @ (left / np.sqrt(np.maximum(values, 1e-12)))
        else:
            values, vectors = np.linalg.eigh(Z.T @ Z)
            values, vectors = values[::-1][:rank], vectors[:, ::-1][:, :rank]
        residual = Z - (Z @ vectors) @ vectors.T
        length = float(np.sqrt((residual**2).sum(1).mean()))
        sd = np.sqrt(np.maximum(values / len(Z), 1e-12))
        return cls(mean, vectors / sd, max(length, 1e-6), scale)

    def distance(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n,)`` root mean square of the whitened scores and of the relative residual length."""
        Z = (X - self.mean) / self.scale
        scores = Z @ self.axes
        sd = 1.0 / np.sqrt((self.axes**2).sum(0))
        vectors = self.axes * sd
        residual = np.sqrt(np.maximum((Z**2).sum(1) - ((Z @ vectors) ** 2).sum(1), 0.0)) / self.residual_sd
        return np.sqrt((scores**2).mean(1) + residual**2)


@dataclass(frozen=True, eq=False)
class Novelty:
    """Distance of a tile's features from the training tiles, as a percentile among held-out training tiles.

    The reference distances come from units (donors, sections or strips) that were held out when the cloud was
    described, so that ordinary differences between units do not count as novel.

    Attributes
    ----------
    mean, axes, residual_sd, scale
        Description of the whole training cloud.
    quantiles
        ``(101,)`` distances of held-out training tiles at percentiles 0, 1, ..., 100.
    unit_shares
        ``(k,)`` share of each held-out unit's tiles beyond the 95th percentile of the others', percent.
    """

    mean: np.ndarray
    axes: np.ndarray
    residual_sd: float
    scale: np.ndarray
    quantiles: np.ndarray
    unit_shares: np.ndarray

    @classmethod
    def learn(cls, X: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Novelty:
        """Learn from ``(n, d)`` features and ``(n,)`` unit labels per section."""
        features, units = np.concatenate(list(X)).astype(np.float64), np.concatenate(list(labels))
        distances = np.zeros(len(features))
        names = np.unique(units)
        for name in names:
            inside = units == name
            # A lone unit has nothing to be held out against; its own distances are then too small, i.e. cautious.
            shape = _Shape.of(features[~inside] if (~inside).any() else features)
            distances[inside] = shape.distance(features[inside])
        shares = [100.0 * np.mean(distances[units == u] > _cut(distances, units, u)) for u in names]
        whole = _Shape.of(features)
        quantiles = np.percentile(distances, np.arange(101))
        return cls(whole.mean, whole.axes, whole.residual_sd, whole.scale, quantiles, np.array(shares))

    def percentile(self, X: np.ndarray) -> np.ndarray:
        """Return ``(n,)`` float32 percentiles, 0-100; 100 is farther than every held-out training tile."""
        shape = _Shape(self.mean, self.axes, self.residual_sd, self.scale)
        found = np.searchsorted(self.quantiles, shape.distance(X.astype(np.float64)), side="left")
        return np.minimum(found, 100).astype(np.float32)

    def slide_share(self, percentiles: np.ndarray) -> float:
        """Return the percentage of tiles beyond the 95th percentile; about 5 is ordinary."""
        return float(100.0 * np.mean(percentiles > 95)) if len(percentiles) else 0.0

    @property
    def warn_above(self) -> float:
        """Share of novel tiles, percent, above which a slide is unlike anything seen in training."""
        return max(20.0, float(self.unit_shares.max(initial=0.0)))

    def state(self) -> dict[str, np.ndarray]:
        """Return the learned arrays."""
        return {name: np.atleast_1d(np.asarray(value, dtype=np.float64)) for name, value in vars(self).items()}

    @classmethod
    def from_state(cls, state: dict[str, np.ndarray]) -> Novelty:
        """Rebuild from `state`."""
        return cls(**(state | {"residual_sd": float(state["residual_sd"][0])}))


def _cut(distances: np.ndarray, units: np.ndarray, unit: str) -> float:
    others = distances[units != unit]
    return float(np.percentile(others if len(others) else distances, 95))
