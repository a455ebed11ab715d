"""Spots of known composition, with genes that differ between layers: the simulation of POLARIS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData

__all__ = ["PlantedSpots", "make_spots"]


@dataclass(frozen=True, eq=False)
class PlantedSpots:
    """A generated section, its reference, and what was planted.

    Attributes
    ----------
    spots
        ``(n, g)`` counts; ``obs["layer"]``.
    cells
        Reference cells; ``obs["cell_type"]``. They come from all layers, as a dissociated tissue does.
    truth
        ``(n, k)`` true proportions, types in alphabetical order.
    layer_factors
        ``(l, g)`` planted differences, 0 for genes without any.
    """

    spots: AnnData
    cells: AnnData
    truth: np.ndarray
    layer_factors: np.ndarray


def make_spots(
    *,
    n_spots: int = 200,
    n_types: int = 6,
    n_genes: int = 100,
    unaffected: float = 0.0,
    alone: bool = False,
    cells_per_type: tuple[int, int] = (200, 800),
    seed: int = 0,
) -> PlantedSpots:
    """Generate spots as sums of negative-binomial cells.

    Per type and gene a rate R ~ N(0, 1), per layer and affected gene a difference T ~ N(0, 1); a cell's count is
    negative binomial of size softplus(R + T) and a probability ~ U(0.2, 0.8) per type and gene, which no method here
    models. Three of four spots are of the layer "normal", the others of "disease"; 70 % of the cells are diseased.
    Each type has 10 to 16 cells in each spot, so that true proportions are nearly equal: show the uniform guess.
    Source: the files released with POLARIS (polaris-2023).

    Parameters
    ----------
    n_spots, n_types, n_genes
        Sizes.
    unaffected
        Share of the genes that do not differ between layers.
    alone
        True to keep the last type out of "normal": composition differs between layers, for tests of confounding.
    cells_per_type
        Least and most reference cells of a type.
    seed
        Seed.
    """
    rng = np.random.default_rng(seed)
    rates = rng.normal(size=(n_types, n_genes))
    affected = rng.permutation(n_genes) >= round(unaffected * n_genes)
    factors = rng.normal(size=(2, n_genes)) * affected
    probability = rng.uniform(0.2, 0.8, (n_types, n_genes))
    size = np.logaddexp(0, rates[None] + factors[:, None])  # (l, k, g)
    n_cells = rng.integers(cells_per_type[0], cells_per_type[1] + 1, n_types)
    kind = np.repeat(np.arange(n_types), n_cells)
    state = (rng.random(len(kind)) < 0.7).astype(int)
    cells = rng.negative_binomial(size[state, kind], probability[kind])
    layer = np.repeat([0, 1], [n_spots - n_spots // 4, n_spots // 4])
    number = rng.integers(10, 17, (n_spots, n_types))
    if alone:
        number[layer == 0, -1] = 0
    # A sum of m independent cells of one type is negative binomial of m times the size.
    total = np.zeros((n_spots, n_genes), dtype=np.int64)
    for z in range(n_types):
        has = number[:, z] > 0
        total[has] += rng.negative_binomial(number[has, z, None] * size[layer[has], z], probability[z])
    types = np.array([f"type {chr(97 + z)}" for z in range(n_types)])
    genes = pd.DataFrame(index=[f"gene{g}" for g in range(n_genes)])
    spot_obs = pd.DataFrame({"layer": np.array(["normal", "disease"])[layer]}, index=[f"s{i}" for i in range(n_spots)])
    cell_obs = pd.DataFrame({"cell_type": types[kind]}, index=[f"c{i}" for i in range(len(kind))])
    return PlantedSpots(
        AnnData(total.astype(np.float64), obs=spot_obs, var=genes.copy()),
        AnnData(cells.astype(np.float64), obs=cell_obs, var=genes.copy()),
        number / number.sum(1, keepdims=True),
        factors,
    )
