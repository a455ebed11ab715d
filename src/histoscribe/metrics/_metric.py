"""The contract of a metric: what it declares, what it gets, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Context", "Metric", "Score", "is_constant"]

#: Variation below this share of the largest value is rounding: float32, in which predictions come, resolves 6e-8.
_CONSTANT = 1e-6


@dataclass(frozen=True, eq=False)
class Context:
    """What some metrics need beside truth and prediction; None where it is not known.

    Attributes
    ----------
    depth
        ``(n,)`` library size of each observation.
    xy_um
        ``(n, 2)`` positions, um.
    train_mean
        ``(g,)`` mean of each gene over the training observations, in the unit of the truth.
    reliability
        ``(g,)`` share of each gene's variance that is not counting noise, 0-1; see `reliability`.
    """

    depth: np.ndarray | None = None
    xy_um: np.ndarray | None = None
    train_mean: np.ndarray | None = None
    reliability: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Score:
    """A metric's values; never NaN.

    Attributes
    ----------
    values
        ``(k,)`` float64: one per gene, per observation, or a single one.
    counted
        ``(k,)`` bool: False where the truth leaves the value undefined (it is constant there) and the mean skips it.
    constant
        ``(k,)`` bool: True where the prediction is constant; a correlation is then 0 by rule, and counts.
    """

    values: np.ndarray
    counted: np.ndarray
    constant: np.ndarray

    @property
    def mean(self) -> float | None:
        """Mean of the counted values, or None where there is none."""
        return float(self.values[self.counted].mean()) if self.counted.any() else None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric and the facts that are needed to read its number.

    Attributes
    ----------
    name
        Registry name; it carries the axis.
    summary
        One sentence for tables.
    axis
        What one value is of: ``"gene"`` (computed across observations), ``"spot"`` (an observation, computed across
        genes or cell types), ``"type"`` (a cell type, across observations) or ``"section"`` (one number).
    low, high
        Range.
    direction
        ``"higher"`` or ``"lower"`` is better, or ``"nearer"`` to `best`.
    best
        Value of a perfect prediction.
    source
        Where it comes from.
    compute
        ``(truth, prediction, context) -> Score``; truth and prediction are ``(n, g)`` float64.
    unit
        Unit of the value: ``"1"``, ``"target"`` (that of the prediction) or ``"target^2"``.
    invariances
        What may be done to the prediction without changing the value: ``"shift"`` and ``"scale"`` (of a gene, by a
        positive factor), ``"monotone"`` (any increasing map of a gene), ``"order"`` (of observations, everywhere).
    needs
        Fields of `Context` that must be there.
    scope
        ``"section"``: computed in each section and averaged; ``"all"``: over all test sections thrown together.
    """

    name: str
    summary: str
    axis: Literal["gene", "spot", "section", "type"]
    low: float
    high: float
    direction: Literal["higher", "lower", "nearer"]
    best: float
    source: str
    compute: Callable[[np.ndarray, np.ndarray, Context], Score]
    unit: Literal["1", "target", "target^2"] = "1"
    invariances: tuple[str, ...] = ("order",)
    needs: tuple[str, ...] = ()
    scope: Literal["section", "all"] = "section"

    def __call__(self, truth: np.ndarray, prediction: np.ndarray, context: Context | None = None) -> Score:
        """Compute the metric for ``(n, g)`` truth and prediction.

        Raises
        ------
        DataError
            If the shapes differ, a value is NaN or infinite, or the context lacks what the metric needs.
        """
        context = context or Context()
        y, p = checked(truth, prediction)
        lacking = [field for field in self.needs if getattr(context, field) is None]
        if lacking:
            msg = f"metric {self.name!r} needs {', '.join(lacking)}, which was not given. Pass it in the context."
            raise DataError(msg)
        return self.compute(y, p, context)

    def missing(self, context: Context) -> list[str]:
        """Return what `context` lacks for this metric."""
        return [field for field in self.needs if getattr(context, field) is None]

    def better(self, a: float, b: float) -> bool:
        """Say whether value `a` is better than value `b`."""
        if self.direction == "nearer":
            return abs(a - self.best) < abs(b - self.best)
        return a > b if self.direction == "higher" else a < b

    def to_dict(self) -> dict[str, Any]:
        """Return the declared facts as JSON values; an infinite bound becomes None."""
        facts = {field: getattr(self, field) for field in ("name", "summary", "axis", "direction", "best", "source")}
        bounds = {field: getattr(self, field) for field in ("low", "high")}
        return {
            **facts,
            **{field: value if np.isfinite(value) else None for field, value in bounds.items()},
            "unit": self.unit,
            "invariances": list(self.invariances),
            "needs": list(self.needs),
            "scope": self.scope,
        }


def checked(truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64 matrices of one shape, or say why they cannot be compared."""
    y, p = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    if y.ndim != 2 or y.shape != p.shape or not y.size:
        msg = (
            f"truth has shape {y.shape} and prediction {p.shape}; both must be observations x genes, alike and not "
            "empty. Match observations and genes first."
        )
        raise DataError(msg)
    for what, value in (("truth", y), ("prediction", p)):
        bad = int(value.size - np.isfinite(value).sum())
        if bad:
            msg = f"the {what} holds {bad} NaN or infinite values of {value.size}. Remove or repair them first."
            raise DataError(msg)
    return y, p


def is_constant(values: np.ndarray, *, level: np.ndarray | None = None) -> np.ndarray:
    """Return per column of ``(n, g)`` whether it varies no more than float32 rounding at its `level`.

    `level` is the magnitude that the values were computed at (their own largest by default): residuals of a
    regression are constant when they are rounding of what was regressed.
    """
    level = np.abs(values).max(0) if level is None else level
    return values.std(0) <= _CONSTANT * level
