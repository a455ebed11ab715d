"""Whole slides of known truth: bags of tiles whose look, all over or in one small region, drives bulk expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.bag import Bag

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BULK_CASES", "SYNTHETIC_BULK", "PlantedBulk", "make_bulk"]

#: Case to the share of genes that the region drives; the whole slide drives the others.
BULK_CASES = {"diffuse": 0.0, "regional": 1.0, "mixed": 0.5}

_STATES = 3
_PITCH_UM = 256.0


@dataclass(frozen=True, eq=False)
class PlantedBulk:
    """Generated slides and what was planted.

    Attributes
    ----------
    bags
        Slides; ``bag.encoder`` is ``"planted"``.
    expression
        ``(m, g)`` profiles named like the slides, unit ``"log2(x+1)"``.
    signal
        ``(m, g)`` profiles without noise and without effects of sites.
    regions
        ``(n_i,)`` bool of each slide: tiles of the region.
    tile_signal
        ``(n_i, g)`` of each slide: the share of `signal` above the genes' means that is seen in a tile.
    """

    bags: tuple[Bag, ...]
    expression: AnnData
    signal: np.ndarray
    regions: tuple[np.ndarray, ...]
    tile_signal: tuple[np.ndarray, ...]

    @property
    def regional(self) -> np.ndarray:
        """``(g,)`` bool: genes that the region drives."""
        return np.asarray(self.expression.var["regional"])


def make_bulk(
    case: str = "mixed",
    *,
    n_slides: int = 120,
    n_sites: int = 6,
    n_tiles: tuple[int, int] = (40, 90),
    n_genes: int = 60,
    dim: int = 24,
    share: float = 0.08,
    seed: int = 0,
) -> PlantedBulk:
    """Generate slides.

    A tile is of one of four kinds, whose mix differs from slide to slide, or of the region: one disc of a share of the
    tiles that looks like no other kind. Two states per slide, standard normal, tilt the look along directions of their
    own: the diffuse state that of every tile, the regional one that of the region. The rest of the tissue is tilted
    along the regional directions, too, by a quarter as much and independently of the profile: a mean over all tiles
    can hardly tell. A gene follows one state by random loadings; site effects shift features and profiles; noise is
    added to both. Every eighth donor has two slides.

    Parameters
    ----------
    case
        ``"diffuse"``, ``"regional"`` or ``"mixed"``: all genes follow the diffuse state, the regional one, or half.
    n_slides, n_sites, n_tiles, n_genes, dim
        Sizes; a slide has between the two `n_tiles`.
    share
        Share of a slide's tiles in its region.
    seed
        Seed.
    """
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(dim, dim)))[0].T  # rows are orthonormal
    kinds, marker, (everywhere, inside) = 2 * basis[:4], 4 * basis[4], np.split(basis[5 : 5 + 2 * _STATES], 2)
    site = np.arange(n_slides) % n_sites
    donor = np.arange(n_slides)
    donor[8::8] -= n_sites if n_slides > n_sites else 0
    diffuse, regional, elsewhere = rng.normal(size=(3, n_slides, _STATES))
    site_look, site_level = 0.5 * rng.normal(size=(n_sites, dim)), 0.3 * rng.normal(size=(n_sites, n_genes))
    follows = np.arange(n_genes) < round(BULK_CASES[case] * n_genes)
    loadings = rng.normal(size=(_STATES, n_genes)) / np.sqrt(_STATES)
    level = rng.uniform(4, 10, n_genes)
    bags, regions, tile_signal = [], [], []
    for s in range(n_slides):
        xy, region = _layout(int(rng.integers(n_tiles[0], n_tiles[1] + 1)), share, rng)
        kind = rng.choice(4, len(xy), p=rng.dirichlet(np.ones(4)))
        look = np.where(region[:, None], marker, kinds[kind]) + diffuse[s] @ everywhere + site_look[site[s]]
        look += np.where(region[:, None], 2 * regional[s], elsewhere[s] / 2) @ inside
        look += rng.normal(size=look.shape) * 0.7
        bags.append(Bag(f"slide{s}", look, xy, f"donor{donor[s]}", f"site{site[s]}", "planted"))
        regions.append(region)
        tile_signal.append(np.where(follows, region[:, None] * (regional[s] @ loadings), diffuse[s] @ loadings))
    signal = level + np.where(follows, regional @ loadings, diffuse @ loadings)
    values = signal + site_level[site] + 0.6 * rng.normal(size=signal.shape)
    names = [b.name for b in bags]
    genes = pd.DataFrame({"regional": follows}, index=pd.Index([f"gene{g}" for g in range(n_genes)], name="gene"))
    expression = AnnData(values.astype(np.float32), obs=pd.DataFrame(index=names), var=genes)
    expression.uns[keys.UNS] = {"unit": "log2(x+1)", "synthetic": True}
    return PlantedBulk(tuple(bags), expression, signal, tuple(regions), tuple(tile_signal))


def _layout(n: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lay tiles on a disc of a grid, and choose the region: the tiles nearest to one of them."""
    side = np.arange(-20, 21)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    xy = grid[np.argsort((grid**2).sum(1), kind="stable")[:n]] * _PITCH_UM
    distance = ((xy - xy[rng.integers(n)]) ** 2).sum(1)
    region = np.zeros(n, dtype=bool)
    region[np.argsort(distance, kind="stable")[: max(2, round(share * n))]] = True
    return xy.astype(np.float64), region


@dataclass(frozen=True)
class SyntheticBulk:
    """Generator that studies find by name; see `histoscribe.bench.sources`."""

    def slides(self, case: str, *, seed: int, **options: int) -> PlantedBulk:
        """Return generated slides."""
        return make_bulk(case, seed=seed, **options)

    def cases(self) -> Sequence[str]:
        """Return the cases."""
        return tuple(BULK_CASES)


SYNTHETIC_BULK = SyntheticBulk()
