"""What differs between synthetic donors: stain, scanner, build of the tissue, sequencing depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Donor", "draw_donor"]

#: Optical density of haematoxylin and eosin in R, G, B; the reference vectors of Macenko et al. 2009 (macenko2009).
_HAEMATOXYLIN = np.array([0.5626, 0.7201, 0.4062])
_EOSIN = np.array([0.2159, 0.8012, 0.5581])


@dataclass(frozen=True, eq=False)
class Donor:
    """One donor's stain and tissue.

    Attributes
    ----------
    haematoxylin, eosin
        ``(3,)`` optical density per unit of dye, in R, G, B.
    glass
        ``(3,)`` colour of empty glass, 0-255.
    gland_share, fat_share
        Share of the tissue that is rich in glands, and that is fat, 0-1.
    gland_um
        Mean radius of a gland, um.
    nests
        Share of glands that are solid nests without a lumen, 0-1.
    n_clusters
        Clusters of lymphocytes per mm2.
    nucleus
        Factor on the size of epithelial nuclei.
    stromal_cells
        Fibroblasts per mm2 of stroma.
    log_depth
        Offset of the log of the sequencing depth.
    """

    haematoxylin: np.ndarray
    eosin: np.ndarray
    glass: np.ndarray
    gland_share: float
    fat_share: float
    gland_um: float
    nests: float
    n_clusters: float
    nucleus: float
    stromal_cells: float
    log_depth: float


def draw_donor(rng: np.random.Generator, *, stain_variation: float = 1.0) -> Donor:
    """Draw a donor; `stain_variation` scales how far the stain strays from the reference (0: not at all)."""

    def vector(reference: np.ndarray, strength: float) -> np.ndarray:
        moved = reference * np.exp(stain_variation * rng.normal(0, 0.06, 3))
        return moved / np.linalg.norm(moved) * strength * np.exp(stain_variation * rng.normal(0, 0.10))

    return Donor(
        haematoxylin=vector(_HAEMATOXYLIN, 1.15),
        eosin=vector(_EOSIN, 0.74),
        glass=244.0 + stain_variation * (rng.normal(0, 2.0) + rng.normal(0, 1.5, 3)),
        gland_share=float(rng.uniform(0.40, 0.60)),
        fat_share=float(rng.uniform(0.06, 0.16)),
        gland_um=float(rng.uniform(44, 60)),
        nests=float(rng.uniform(0.10, 0.35)),
        n_clusters=float(rng.uniform(0.8, 2.6)),
        nucleus=float(rng.uniform(0.95, 1.15)),
        stromal_cells=float(rng.uniform(650, 1000)),
        log_depth=float(rng.normal(0, 0.25)),
    )
