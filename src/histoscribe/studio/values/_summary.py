"""Summary: a gene's values in each group of observations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Group", "summarise"]


@dataclass(frozen=True)
class Group:
    """One group: number of known values, mean, median and quartiles; None where nothing is known."""

    name: str
    n: int
    mean: float | None
    median: float | None
    q25: float | None
    q75: float | None


def summarise(values: np.ndarray, codes: np.ndarray | None, names: list[str]) -> list[Group]:
    """Summarise ``(n,)`` values, NaN where unknown, by ``(n,)`` codes into `names`; without codes all together."""
    known = np.isfinite(values)
    if codes is None:
        return [_group(names[0], values[known])]
    return [_group(name, values[known & (codes == i)]) for i, name in enumerate(names)]


def _group(name: str, values: np.ndarray) -> Group:
    if not len(values):
        return Group(name, 0, None, None, None, None)
    q25, median, q75 = (float(q) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    return Group(name, len(values), float(values.mean(dtype=np.float64)), median, q25, q75)
