"""How far to trust a fitted predictor: intervals and per-gene flags from held-out donors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.composition import CompositionTarget
from histoscribe.core.features import Features
from histoscribe.methods.groups import Unit, grouping
from histoscribe.methods.novelty import Novelty
from histoscribe.metrics import depth_partial_pcc_gene, pcc_gene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section
    from histoscribe.methods._expression import Predictor

__all__ = ["LEVELS", "Calibration", "calibrate", "no_calibration", "stated_level"]

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
        What was held out: donor, section (of one donor), block (of one section) or none. Only ``"donor"`` speaks for a
        new donor.
    n_units
        How many.
    level
        Probability that an interval covers a random observation of a new unit; None where there are too few units
        for any level.
    half_width
        ``(g,)`` half width of the interval, in the target's unit; NaN where `level` is None.
    trust_mean, trust_lower
        ``(g,)`` mean over units of the held-out depth-partial correlation (of cell types: correlation), and its lower
        confidence bound (-1 where there are fewer than two units, and for cell types where no donor was held out).
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
        """``(g,)`` bool: the lower bound of the held-out correlation lies above 0."""
        return self.trust_lower > 0


def no_calibration(n_genes: int) -> Calibration:
    """Return what is known where nothing was held out: no interval, and no gene trusted.

    Calibration refits a method once for every unit; a benchmark, which measures on held-out sections itself, can do
    without.
    """
    return Calibration(
        "none", 0, None, np.full(n_genes, np.nan), np.zeros(n_genes), np.full(n_genes, -1.0), novelty=None
    )


def stated_level(n_units: int, *, wanted: float = 0.9) -> float | None:
    """Return the finest of `LEVELS` that is at most `wanted` and below ``n / (n + 1)``, or None.

    With n exchangeable units no finite interval can promise more than n / (n + 1) for a new one; see Lee, Barber and
    Willett 2023 on hierarchical conformal prediction.
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
    The calibration; see `Calibration` and `interval_half_width`.
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
            partial.append(_skill(predictor, truth, guess, section))
        residuals.append(np.concatenate(found))
        scores.append(np.mean(partial, axis=0))
    reached = stated_level(len(residuals), wanted=level)
    width = np.full(n_genes, np.nan) if reached is None else interval_half_width(residuals, reached)
    mean, lower = _lower_bound(scores, n_genes)
    if predictor.target_.kind == CompositionTarget.kind and unit != "donor":
        # Sections of one donor vouch for no other: on HER2+ breast cancer all types passed there, and from donor C to
        # donor A they lost to the training mean.
        lower = np.full(n_genes, -1.0)
    return Calibration(unit, len(residuals), reached, width, mean, lower, _novelty(predictor, sections, labels))


def interval_half_width(residuals: Sequence[np.ndarray], level: float) -> np.ndarray:
    """Return the ``(g,)`` half widths that cover `level` of a random observation of a new unit.

    The half width is a quantile of the unit-weighted absolute residuals. Which quantile is itself cross-validated: for
    each candidate, each unit is covered by the quantile of the *other* units, and the smallest candidate that covers
    `level` on average over units and genes is taken. Where units are alike this is `level` itself; where they differ
    it is larger. (Hierarchical conformal prediction guarantees the level for any units, at the price of covering
    far more than it states when there are few.)

    Parameters
    ----------
    residuals
        One ``(n_k, g)`` array of absolute residuals per unit.
    level
        Below ``k / (k + 1)``.
    """
    candidates = np.linspace(level, 1.0, 51)
    covered = np.zeros(len(candidates))
    for k, own in enumerate(residuals):
        widths = _weighted_quantiles([r for j, r in enumerate(residuals) if j != k], candidates)
        covered += [float((own <= w).mean()) for w in widths]
    covered /= len(residuals)
    enough = np.flatnonzero(covered >= level)
    # If even the largest residual of the others does not cover, the largest of all is the most there is to give.
    chosen = candidates[enough[0]] if len(enough) else 1.0
    return _weighted_quantiles(residuals, np.array([chosen]))[0]


def _weighted_quantiles(residuals: Sequence[np.ndarray], q: np.ndarray) -> np.ndarray:
    """Return ``(len(q), g)`` quantiles of stacked residuals in which every unit weighs the same."""
    stacked = np.concatenate(list(residuals))
    weight = np.concatenate([np.full(len(r), 1.0 / len(residuals) / len(r)) for r in residuals])
    order = np.argsort(stacked, axis=0, kind="stable")
    mass = np.cumsum(weight[order], axis=0)
    ranked = np.take_along_axis(stacked, order, axis=0)
    # The smallest residual whose cumulative mass reaches q; 1e-9 forgives rounding of the sum.
    return np.stack(
        [ranked[np.minimum((mass < p - 1e-9).sum(0), len(ranked) - 1), np.arange(ranked.shape[1])] for p in q]
    )


def _lower_bound(scores: list[np.ndarray], n_genes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over units and its lower bound.

    The refits share training units, so their scores are not independent; the variance of their mean is taken as
    ``(1/k + 1/(k - 1)) s^2``, the corrected resampled t of Nadeau and Bengio 2003 (test to training ratio 1/(k - 1)).
    """
    if not scores:
        return np.zeros(n_genes), np.full(n_genes, -1.0)
    values = np.stack(scores)
    mean = values.mean(0)
    k = len(values)
    if k < 2:
        return mean, np.full(n_genes, -1.0)
    spread = values.std(0, ddof=1) * np.sqrt(1.0 / k + 1.0 / (k - 1))
    from scipy import stats  # late: half a second in every process

    return mean, mean - stats.t.ppf(_TRUST_CONFIDENCE, k - 1) * spread


def _skill(predictor: Predictor, truth: np.ndarray, guess: np.ndarray, section: Section) -> np.ndarray:
    if predictor.target_.kind == CompositionTarget.kind:
        return pcc_gene(truth, guess)  # shares of cells have no depth that could be seen instead of them
    return depth_partial_pcc_gene(truth, guess, section.depth)


def _encoder(predictor: Predictor) -> dict[str, str]:
    return {} if predictor.spec_ is None else {"encoder": predictor.spec_.encoder}


def _novelty(predictor: Predictor, sections: Sequence[Section], labels: list[np.ndarray]) -> Novelty | None:
    if predictor.spec_ is None:
        return None
    matrices = [Features.of(s.table, predictor.spec_.encoder, name=s.name).matrix for s in sections]
    return Novelty.learn(matrices, labels)
