"""Agreement of two aligned sections in their genes: what the tissue under a placement expresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from histoscribe.core import keys

if TYPE_CHECKING:
    import pandas as pd

    from histoscribe.align.transform import Transform
    from histoscribe.core.section import Section

__all__ = ["SharedExpression"]

#: Genes compared, at most: those whose maps are the least noise in both sections.
_GENES = 100
#: Genes that are looked at for that, at most.
_CANDIDATES = 2000
#: A gene must be seen in this share of the observations of both sections.
_SEEN = 0.1
#: Observations used of each section, at most.
_OBSERVATIONS = 3000
_FEW_GENES = 5
_FEW_OBSERVATIONS = 10


@dataclass(frozen=True, eq=False)
class SharedExpression:
    """Genes that vary smoothly over both of two sections.

    Attributes
    ----------
    moving_um, fixed_um
        ``(n, 2)`` and ``(m, 2)`` positions, um.
    moving, fixed
        ``(n, g)`` and ``(m, g)`` log-normalised expression, mean 0 and variance 1 within the section.
    reach_um
        Standard deviation of the Gaussian that smooths one section for comparison with the other.
    """

    moving_um: np.ndarray
    fixed_um: np.ndarray
    moving: np.ndarray
    fixed: np.ndarray
    reach_um: float

    @classmethod
    def of(cls, moving: Section, fixed: Section, *, pitch_um: float) -> SharedExpression | None:
        """Choose the genes, or return None where a section has neither counts nor X, or little is shared.

        Counts are log-normalised to 10,000; X of a section without counts is taken as it is.

        Genes are ranked by the correlation of an observation with the mean of its four neighbours, in the section
        where that is lower: no placement plays a part in the choice.
        """
        if not all(s.measured or (s.table.n_vars and s.table.X is not None) for s in (moving, fixed)):
            return None
        if min(moving.n_obs, fixed.n_obs) < _FEW_OBSERVATIONS:
            return None
        genes = _seen(moving, fixed)
        if len(genes) < _FEW_GENES:
            return None
        values, places, worth = [], [], []
        for section in (moving, fixed):
            rows = np.linspace(0, section.n_obs - 1, min(section.n_obs, _OBSERVATIONS)).astype(int)
            level = _levels(section, rows, genes)
            values.append(_standard(level))
            places.append(section.xy_um[rows])
            near = cKDTree(places[-1]).query(places[-1], k=5)[1][:, 1:]
            around = _standard(values[-1][near].mean(1))
            worth.append((values[-1] * around).mean(0))
        lower = np.minimum(*worth)
        chosen = np.argsort(-lower, kind="stable")[:_GENES]
        chosen = chosen[lower[chosen] > 0]
        if len(chosen) < _FEW_GENES:
            return None
        return cls(places[0], places[1], values[0][:, chosen], values[1][:, chosen], 0.8 * pitch_um)

    def agreement(self, motion: Transform) -> float:
        """Mean over genes of the correlation of each section with the other's smoothed map, -1 to 1.

        Only observations within reach of the other section count; 0 where fewer than 10 are.
        """
        moved = motion(self.moving_um)
        near = cKDTree(moved).sparse_distance_matrix(
            cKDTree(self.fixed_um), 3 * self.reach_um, output_type="coo_matrix"
        )
        near.data = np.exp(-0.5 * (near.data / self.reach_um) ** 2)
        weight = near.tocsr()
        both = (
            _correlation(self.moving, weight, self.fixed),
            _correlation(self.fixed, weight.T.tocsr(), self.moving),
        )
        return float(np.mean(both))


def _seen(*sections: Section) -> pd.Index:
    """Return the shared genes that are seen in enough observations of every section, the most seen first."""
    genes = sections[0].table.var_names
    for section in sections[1:]:
        genes = genes.intersection(section.table.var_names, sort=False)
    least = np.full(len(genes), np.inf)
    for section in sections:
        stored = section.table.layers[keys.COUNTS] if section.measured else section.table.X
        seen = np.asarray((stored > 0).mean(0)).ravel()
        least = np.minimum(least, seen[section.table.var_names.get_indexer(genes)])
    chosen = np.argsort(-least, kind="stable")[:_CANDIDATES]
    return genes[chosen[least[chosen] >= _SEEN]]


def _levels(section: Section, rows: np.ndarray, genes: pd.Index) -> np.ndarray:
    """Return ``(n, g)`` float32 log-normalised expression."""
    table = section.table[rows, genes]
    stored = table.layers[keys.COUNTS] if section.measured else table.X
    values = np.asarray(stored.todense() if sp.issparse(stored) else stored, dtype=np.float32)
    if not section.measured:
        return values
    return np.log1p(values / np.maximum(section.depth[rows], 1.0)[:, None] * 1e4)


def _correlation(own: np.ndarray, weight: object, other: np.ndarray) -> float:
    total = np.asarray(weight.sum(1)).ravel()  # type: ignore[attr-defined]
    inside = total > 1.0
    if inside.sum() < _FEW_OBSERVATIONS:
        return 0.0
    mapped = (weight @ other)[inside] / total[inside, None]  # type: ignore[operator]
    return float((_standard(own[inside]) * _standard(mapped)).mean())


def _standard(values: np.ndarray) -> np.ndarray:
    values = values - values.mean(0)
    return values / np.maximum(values.std(0), 1e-9)
