"""Make synthetic sections without pixels: random features, linear genes, donors; many of them in seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.features import Features, FeatureSpec
from histoscribe.core.files import digest
from histoscribe.core.section import Origin, Section
from histoscribe.testing._genes import draw_counts, plan_genes
from histoscribe.testing._sections import SPECIES, measured_table

__all__ = ["FEATURES", "make_feature_sections"]

#: Name of the encoder that these features pretend to come from.
FEATURES = "synthetic-features"
_MEDIAN_DEPTH = 6000.0


def make_feature_sections(
    n_donors: int,
    n_spots: int = 100,
    *,
    seed: int = 0,
    dim: int = 16,
    n_genes: int = 6,
    n_null: int = 6,
    n_depth: int = 0,
    donor_effect: float = 0.15,
    feature_shift: float = 0.3,
    depth_coupling: float = 0.25,
    dispersion: float = 0.05,
) -> list[Section]:
    """Make one section per donor with features attached and genes that are linear in them.

    Features are normal with a falling spectrum and smooth over space; each donor shifts them (stain) and the genes
    (biology). Depth follows the first feature in part, so that genes of class ``depth`` can be predicted from the
    features through depth alone.

    Parameters
    ----------
    n_donors, n_spots
        Sections, and spots of each.
    seed
        Seed of the study.
    dim
        Number of features, in two blocks: the last quarter is the second.
    n_genes, n_null, n_depth
        Genes of class ``feature`` (linear in the features), ``null`` and ``depth``.
    donor_effect, dispersion
        As for `make_section`.
    feature_shift
        Sd over donors of each feature's offset, in units of its own sd.
    depth_coupling
        Change of ln depth per sd of the first feature.

    Returns
    -------
    Sections without slides; ``obsm["X_synthetic-features"]`` is ``(n, dim)`` float32. `Truth.of` gives their truth.
    """
    plan = plan_genes({"feature": n_genes, "null": n_null, "depth": n_depth, "rest": 20}, seed=seed)
    study = np.random.default_rng([seed, 41])
    spread = 1.0 / np.sqrt(1.0 + np.arange(dim) / 4.0)
    mixing = np.linalg.qr(study.standard_normal((dim, dim)))[0] * spread[:, None]
    weights = study.standard_normal((dim, n_genes))
    weights /= np.sqrt(((spread[:, None] * weights) ** 2).sum(0))
    edge = dim - max(1, dim // 4)
    blocks = {"part-a@112um": (0, edge), "part-b@112um": (edge, dim)}
    geometry = {"sides_um": [112.0], "tile_px": 224, "read_mpp": 1.0}
    spec = FeatureSpec(FEATURES, digest("synthetic-features", str(seed), str(dim)), blocks, geometry)
    side = int(np.ceil(np.sqrt(n_spots)))
    sections = []
    for donor in range(n_donors):
        rng = np.random.default_rng([seed, 43, donor])
        latent = _smooth(rng, side, dim)[:n_spots]
        offset = rng.normal(0.0, donor_effect, len(plan.names))
        noise = rng.normal(0, 0.30, n_spots)
        log_depth = depth_coupling * latent[:, 0] + noise
        signals = {"feature": (latent * spread) @ weights, "depth": log_depth / np.hypot(depth_coupling, 0.30)}
        share = plan.shares(signals, offset)
        depth = _MEDIAN_DEPTH * np.exp(log_depth + rng.normal(0, 0.25))
        row, column = np.divmod(np.arange(n_spots), side)
        obs = pd.DataFrame({keys.ARRAY_ROW: row, keys.ARRAY_COL: column})
        obs.index = pd.Index([f"SPOT{r:03d}x{c:03d}" for r, c in zip(row, column, strict=True)])
        table = measured_table(draw_counts(rng, share, depth, dispersion=dispersion), share, plan, obs, depth=depth)
        table.obsm[keys.SPATIAL] = np.stack([column, row], axis=1) * 100.0 + 50.0
        shift = rng.normal(0, feature_shift, dim) * spread
        Features((latent @ mixing + shift).astype(np.float32), spec).attach(table)
        name = f"synthetic-{donor + 1}"
        sections.append(
            Section(
                table,
                None,
                1.0,
                name,
                donor=f"synthetic-donor-{donor + 1}",
                platform="synthetic",
                species=SPECIES,
                spot_um=55.0,
                pitch_um=100.0,
                origin=Origin("synthetic", name, {"seed": seed, "donor": donor}),
            )
        )
    return sections


def _smooth(rng: np.random.Generator, side: int, dim: int) -> np.ndarray:
    """Return ``(side * side, dim)`` unit-variance fields: half smooth over space, half white."""
    from scipy.ndimage import gaussian_filter

    white = rng.standard_normal((dim, side, side))
    smooth = gaussian_filter(rng.standard_normal((dim, side, side)), (0, 1.5, 1.5), mode="wrap")
    # The filter's output has sd 1 / (2 sqrt(pi) sigma) on average; dividing by that keeps donors comparable.
    smooth *= 2.0 * np.sqrt(np.pi) * 1.5
    return ((smooth + white) / np.sqrt(2.0)).reshape(dim, -1).T
