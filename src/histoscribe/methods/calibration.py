"""How far to trust a fitted predictor: intervals and per-gene flags from held-out donors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from histoscribe.core.features import Features
from histoscribe.methods.groups import Unit, grouping
from histoscribe.methods.novelty import Novelty
from histoscribe.metrics import depth_partial_pcc_gene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section
    from histoscribe.methods._expression import Predictor

__all__ = ["LEVELS", "Calibration", "calibrate", "stated_level"]

#: Levels offered, finest first; the first that the number of units allows is used.
LEVELS = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5)

#: One-sided confidence of the lower bound behind a trust flag (the lower end of a two-sided 95 % interval).
_TRUST_CONFIDENCE = 0.975


@dataclass(frozen=True, eq=False)
class Calibration:
    """What held-out units say about a predictor.

    Attributes
    ----------
    unit
        What was held out: donor, section (of one donor) or block (of one section). Only ``"donor"`` speaks for a new
        donor.
    n_units
        How many.
    level
        Probability that an interval covers a random observation of a new unit; None where there are too few units
        for any level.
    half_width
        ``(g,)`` half width of the interval, in the target's unit; NaN where `level` is None.
    trust_mean, trust_lower
        ``(g,)`` mean over units of the held-out depth-partial correlation, and its lower confidence bound (-1 where
        there are fewer than two units).
    novelty
        Out-of-distribution score, or None for a method without features.
    """

    unit: Unit
    n_units: int
    level: float | None
    half_width: np.ndarray
    trust_mean: np.ndarray
    trust_lower: np.ndarray
    novelty: Novelty | None

    @property
    def trusted(self) -> np.ndarray:
        """``(g,)`` bool: the lower bound of the held-out depth-partial correlation lies above 0."""
        return self.trust_lower > 0


def stated_level(n_units: int, *, wanted: float = 0.9) -> float | None:
    """Return the finest of `LEVELS` that is at most `wanted` and below ``n / (n + 1)``, or None.

    With n exchangeable units no finite interval can promise more than n / (n + 1); see Lee, Barber and Willett 2023
    on hierarchical conformal prediction.
    """
    return next((level for level in LEVELS if level <= wanted and level < n_units / (n_units + 1) - 1e-9), None)


def calibrate(predictor: Predictor, sections: Sequence[Section], *, level: float = 0.9, seed: int = 0) -> Calibration:
    """Refit `predictor` without each unit in turn and judge it on that unit.

    Parameters
    ----------
    predictor
        A fitted predictor; it is cloned, not changed. Each refit repeats its inner choices from scratch.
    sections
        The sections it was fitted on.
    level
        Highest interval level wanted; lowered to what the number of units allows.
    seed
        Seed of the refits.

    Returns
    -------
    The calibration; see `Calibration`. The intervals follow the hierarchical conformal rule: each unit's absolute
    residuals weigh ``1 / (n_units + 1)`` in sum, the missing weight lies at infinity, and the half width is the
    quantile of that mixture at `level`.
    """
    unit, labels = grouping(sections)
    names = sorted({str(label) for row in labels for label in row})
    n_genes = len(predictor.genes_)
    residuals: list[np.ndarray] = []
    scores: list[np.ndarray] = []
    for name in names:
        held = [s.subset(row == name) for s, row in zip(sections, labels, strict=True) if (row == name).any()]
        rest = [s.subset(row != name) for s, row in zip(sections, labels, strict=True) if (row != name).any()]
        if not rest:
            continue
        model = predictor.clone().fit(
            rest, predictor.genes_, target=predictor.target_, seed=seed, **_encoder(predictor)
        )
        found, partial = [], []
        for section in held:
            truth = predictor.target_(section, predictor.genes_)
            guess = np.asarray(model.predict(section).X)
            found.append(np.abs(truth - guess))
            partial.append(depth_partial_pcc_gene(truth, guess, section.depth))
        residuals.append(np.concatenate(found))
        scores.append(np.mean(partial, axis=0))
    reached = stated_level(len(residuals), wanted=level)
    width = np.full(n_genes, np.nan) if reached is None else conformal_width(residuals, reached)
    mean, lower = _lower_bound(scores, n_genes)
    return Calibration(unit, len(residuals), reached, width, mean, lower, _novelty(predictor, sections, labels))


def conformal_width(residuals: Sequence[np.ndarray], level: float) -> np.ndarray:
    """Return the ``(g,)`` quantile at `level` of unit-weighted absolute residuals with 1/(k+1) mass at infinity.

    Parameters
    ----------
    residuals
        One ``(n_k, g)`` array per unit.
    level
        Below ``k / (k + 1)``.
    """
    stacked = np.concatenate(list(residuals))
    weight = np.concatenate([np.full(len(r), 1.0 / (len(residuals) + 1) / len(r)) for r in residuals])
    order = np.argsort(stacked, axis=0, kind="stable")
    mass = np.cumsum(weight[order], axis=0)
    # The smallest residual whose cumulative mass reaches the level; 1e-12 forgives rounding of the sum.
    first = np.argmax(mass >= level - 1e-12, axis=0)
    return np.take_along_axis(stacked, order, axis=0)[first, np.arange(stacked.shape[1])]


def _lower_bound(scores: list[np.ndarray], n_genes: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean over units and its Student lower bound."""
    if not scores:
        return np.zeros(n_genes), np.full(n_genes, -1.0)
    values = np.stack(scores)
    mean = values.mean(0)
    k = len(values)
    if k < 2:
        return mean, np.full(n_genes, -1.0)
    spread = values.std(0, ddof=1) / np.sqrt(k)
    return mean, mean - stats.t.ppf(_TRUST_CONFIDENCE, k - 1) * spread


def _encoder(predictor: Predictor) -> dict[str, str]:
    return {} if predictor.spec_ is None else {"encoder": predictor.spec_.encoder}


def _novelty(predictor: Predictor, sections: Sequence[Section], labels: list[np.ndarray]) -> Novelty | None:
    if predictor.spec_ is None:
        return None
    matrices = [Features.of(s.table, predictor.spec_.encoder, name=s.name).matrix for s in sections]
    return Novelty.learn(matrices, labels)
