"""Genes that sections share: how well a placement brings them together, and maps of them to place by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from histoscribe.core import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from histoscribe.align.transform import Transform
    from histoscribe.core.section import Section

__all__ = ["Maps", "SharedExpression", "shared_maps", "smooth_genes"]

#: Genes compared, at most: those whose maps are the least noise in every section.
_GENES = 100
#: Maps that they are summed up in.
_MAPS = 10
#: Genes that are looked at for that, at most.
_CANDIDATES = 2000
#: A gene must be seen in this share of the observations of every section.
_SEEN = 0.1
#: Observations used of each section, at most.
_OBSERVATIONS = 3000
_FEW_GENES = 5
_FEW_OBSERVATIONS = 10


@dataclass(frozen=True, eq=False)
class Maps:
    """Values at places of one section or several: ``xy_um`` is ``(n, 2)``, ``values`` ``(n, k)``."""

    xy_um: np.ndarray
    values: np.ndarray

    def moved(self, motion: Transform) -> Maps:
        """Return the maps after a motion."""
        return replace(self, xy_um=motion(self.xy_um))

    @classmethod
    def joined(cls, maps: Sequence[Maps]) -> Maps:
        """Put maps of one frame on top of each other."""
        return cls(np.concatenate([m.xy_um for m in maps]), np.concatenate([m.values for m in maps]))


def shared_maps(genes: Sequence[Maps]) -> list[Maps]:
    """Sum up the genes of some sections in 10 maps: principal components of what neighbours share.

    Each observation's genes are averaged with its four neighbours', the sections' covariances are added, and the
    directions of the largest variance are taken. No placement plays a part.

    Parameters
    ----------
    genes
        Of each section, as `smooth_genes` returns them.

    Returns
    -------
    One for each section, mean 0 and variance 1 within it.
    """
    around = [g.values[_neighbours(g.xy_um)].mean(1) for g in genes]
    vectors = np.linalg.eigh(sum(a.T @ a / len(a) for a in around))[1][:, ::-1][:, :_MAPS]
    return [replace(g, values=_standard(g.values @ vectors)) for g in genes]


def smooth_genes(*sections: Section) -> list[Maps] | None:
    """Choose the genes that vary smoothly over every section, or None where too little is shared.

    Counts are log-normalised to 10,000; X of a section without counts is taken as it is. Genes are ranked by the
    correlation of an observation with the mean of its four neighbours, in the section where that is lowest: no
    placement plays a part in the choice.

    Returns
    -------
    Expression at no more than 3,000 observations of each, mean 0 and variance 1 within the section; None where a
    section has neither counts nor X, or fewer than 10 observations, or fewer than 5 genes are shared.
    """
    if not all(s.measured or (s.table.n_vars and s.table.X is not None) for s in sections):
        return None
    if min(s.n_obs for s in sections) < _FEW_OBSERVATIONS:
        return None
    genes = _seen(*sections)
    if len(genes) < _FEW_GENES:
        return None
    found, worth = [], []
    for section in sections:
        rows = np.linspace(0, section.n_obs - 1, min(section.n_obs, _OBSERVATIONS)).astype(int)
        values, xy = _standard(_levels(section, rows, genes)), section.xy_um[rows]
        found.append(Maps(xy, values))
        worth.append((values * _standard(values[_neighbours(xy)[:, 1:]].mean(1))).mean(0))
    lowest = np.min(worth, axis=0)
    chosen = np.argsort(-lowest, kind="stable")[:_GENES]
    chosen = chosen[lowest[chosen] > 0]
    if len(chosen) < _FEW_GENES:
        return None
    return [replace(f, values=f.values[:, chosen]) for f in found]


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
    def of(cls, moving: Maps, fixed: Maps, *, pitch_um: float) -> SharedExpression:
        """Compare the genes that `smooth_genes` chose for both."""
        return cls(moving.xy_um, fixed.xy_um, moving.values, fixed.values, 0.8 * pitch_um)

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


def _neighbours(xy_um: np.ndarray) -> np.ndarray:
    """Each observation and its four neighbours, ``(n, 5)``."""
    return cKDTree(xy_um).query(xy_um, k=5)[1]


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
