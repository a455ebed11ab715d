"""Make a small stack of sections of one donor: planted gradients in three dimensions, and counting noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.section import Section
from histoscribe.core.stack import Stack

__all__ = ["PlantedStack", "make_stack"]

_PITCH_UM = 200.0


@dataclass(frozen=True, eq=False)
class PlantedStack:
    """A generated stack and what was planted.

    Attributes
    ----------
    stack
        Sections with counts, each in a frame of its own, and the true places in a common one.
    shares
        Of each section, ``(n, g)`` true shares of the library.
    """

    stack: Stack
    shares: tuple[np.ndarray, ...]


def make_stack(
    donor: str = "planted-1",
    *,
    n_sections: int = 4,
    side: int = 8,
    n_genes: int = 12,
    depth: float = 2000.0,
    step_um: float = 50.0,
    seed: int = 0,
) -> PlantedStack:
    """Make a donor's stack on a square array of 200 um.

    Three programmes vary smoothly in x, y and depth, each donor in its own way; genes take them up alike in all
    donors. Levels of genes differ between donors. Library sizes are log-normal, counts Poisson.

    Parameters
    ----------
    donor
        Name; it decides the programmes' places, as `seed` decides the genes.
    n_sections, side, n_genes
        Sections, observations along a side, genes.
    depth
        Median library size; half of it lies on one gene more, "rest", that is not of interest.
    step_um
        Distance of sections, um.
    seed
        Seed of the genes, shared by donors that are to be studied together.
    """
    study = np.random.default_rng([seed, 61])
    loading = study.normal(0, 0.8, (3, n_genes))
    base = study.normal(0, 0.7, n_genes)
    rng = np.random.default_rng([seed, *donor.encode()])
    level = base + rng.normal(0, 0.3, n_genes)
    waves = rng.normal(0, 1, (3, 3)) * np.array([1, 1, 0.5]) / (side * _PITCH_UM) * 2.5
    phase = rng.uniform(0, 2 * np.pi, 3)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2) * _PITCH_UM
    genes = [f"G{g}" for g in range(n_genes)]
    sections, places, shares = [], [], []
    for i in range(n_sections):
        xy = grid + rng.uniform(-0.3, 0.3, 2) * _PITCH_UM
        where = np.column_stack([xy, np.full(len(xy), i * step_um)])
        rate = np.exp(level + np.sin(where @ waves.T + phase) @ loading)
        share = 0.5 * rate / rate.sum(1, keepdims=True)
        library = depth * np.exp(rng.normal(0, 0.3, len(xy)))
        counts = rng.poisson(np.column_stack([share, np.full(len(xy), 0.5)]) * library[:, None]).astype(np.float32)
        sections.append(_section(f"{donor}-s{i + 1}", donor, counts, [*genes, "rest"], xy, turn=0.2 * i))
        places.append(xy)
        shares.append(share)
    depths = np.arange(n_sections) * step_um
    return PlantedStack(Stack(tuple(sections), tuple(places), depths), tuple(shares))


def _section(name: str, donor: str, counts: np.ndarray, genes: list[str], xy: np.ndarray, *, turn: float) -> Section:
    obs = pd.DataFrame(index=[f"{name}-{i}" for i in range(len(xy))])
    obs[keys.DEPTH] = counts.sum(1)
    table = AnnData(sp.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=genes))
    table.layers[keys.COUNTS] = table.X.copy()
    # Sections come in frames of their own: turned and shifted, 1 um/px.
    c, s = np.cos(turn), np.sin(turn)
    table.obsm[keys.SPATIAL] = (xy - xy.mean(0)) @ np.array([[c, s], [-s, c]]) + 2000.0
    return Section(table, None, 1.0, name, donor, platform="synthetic", spot_um=100.0, pitch_um=_PITCH_UM)
