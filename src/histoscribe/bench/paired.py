"""Paired differences: two runs on the same donors (or sections, or strips), and how sure their difference is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.bench._scoring import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.records import RunRecord

__all__ = ["Difference", "differences", "student"]


@dataclass(frozen=True)
class Difference:
    """Mean over units of one run's score less another's.

    Attributes
    ----------
    method, against, role
        Both names, and what the second is: ``"best method"`` or ``"best control"``.
    metric, unit, n
        Score, what was paired (donor, section or strip), and how many.
    mean, lower, upper
        Mean difference and its 95 % Student interval; None where there is one unit.
    """

    method: str
    against: str
    role: str
    metric: str
    unit: str
    n: int
    mean: float
    lower: float | None
    upper: float | None

    @property
    def clear(self) -> bool:
        """True where the interval excludes 0."""
        return self.lower is not None and self.upper is not None and (self.lower > 0 or self.upper < 0)


def differences(
    methods: Sequence[tuple[str, RunRecord]],
    best: tuple[str, RunRecord],
    *,
    metric: str,
    role: str,
    unit: str,
) -> list[Difference]:
    """Pair each of `methods` with `best` by donor, section or strip."""
    found = []
    against = _values(best[1], metric, unit)
    for name, record in methods:
        own = _values(record, metric, unit)
        common = [key for key in own if key in against]
        if common:
            mean, lower, upper = student([own[key] - against[key] for key in common])
            found.append(Difference(name, best[0], role, metric, unit, len(common), mean, lower, upper))
    return found


def student(values: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Return mean and 95 % Student interval of a few numbers; no interval for a single one."""
    array = np.asarray(values, dtype=np.float64)
    mean, n = float(array.mean()), len(array)
    if n < 2:
        return mean, None, None
    from scipy import stats  # late: half a second in every process

    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1) * array.std(ddof=1) / np.sqrt(n))
    return mean, mean - half, mean + half


def _values(record: RunRecord, metric: str, unit: str) -> dict[str, float]:
    if unit == "donor":
        return {donor: scores[metric] for donor, scores in record.per_donor.items() if metric in scores}
    return {f"{row['fold']} {row['section']}": row[metric] for row in record.per_section if metric in row}
