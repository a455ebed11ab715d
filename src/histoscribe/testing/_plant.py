"""Plant genes on an encoder's own features, so that a linear method on them can reach the ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.features import Features
from histoscribe.testing._genes import CLASSES, SCALE, GenePlan, draw_counts
from histoscribe.testing._sections import EXPECTED_DEPTH, measured_table
from histoscribe.testing._truth import EXPECTED, PLANTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section

__all__ = ["plant_on_features"]

#: Most of a library that genes planted on features may take in any observation.
_MOST = 0.3


def plant_on_features(
    sections: Sequence[Section],
    encoder: str | None = None,
    *,
    n_genes: int = 20,
    n_components: int | None = 32,
    seed: int = 0,
    donor_effect: float = 0.15,
    dispersion: float = 0.05,
) -> list[Section]:
    """Add genes of class ``feature`` to encoded synthetic sections.

    Each gene's expected ln(1 + CP10k) is a weighted sum of all features, standardised over all sections together. The
    weights are normal, projected on the leading principal components of the features: so many directions a few
    thousand observations can tell apart. Without the projection half the signal lies in directions of hardly any
    variance, and what is measured is the number of observations. The genes of class ``rest`` make room, and all
    counts are drawn anew.

    Parameters
    ----------
    sections
        Encoded sections of `make_section` or `make_donors`: training and test sections in one call, since the weights
        refer to the common standardisation.
    encoder
        Which features; default the only ones.
    n_genes
        Genes to plant.
    n_components
        Principal components that the weights lie in; None leaves them as drawn.
    seed, donor_effect, dispersion
        As for `make_section`.

    Returns
    -------
    New sections in the same order, sharing slides and features.
    """
    matrices = [Features.of(s.table, encoder, name=s.name).matrix.astype(np.float64) for s in sections]
    stacked = np.concatenate(matrices)
    mean, sd = stacked.mean(0), stacked.std(0)
    rng = np.random.default_rng([seed, 53])
    weights = _weights(rng, (stacked - mean) / np.where(sd > 0, sd, 1.0), n_genes, n_components)
    weights /= np.where(sd > 0, sd, 1.0)[:, None]
    weights /= ((stacked - mean) @ weights).std(0)
    slope = rng.uniform(0.25, 0.55, n_genes)
    donors = {d: rng.normal(0, donor_effect, n_genes) for d in sorted({s.donor for s in sections})}
    change = [donors[s.donor] + slope * ((m - mean) @ weights) for s, m in zip(sections, matrices, strict=True)]
    # Tiles of glass or fat lie far out: even there all planted genes together must leave room for the others.
    most = np.log1p(SCALE * _MOST / n_genes) - np.max([c.max(0) for c in change], axis=0)
    level = np.minimum(np.log1p(SCALE * 0.004 * np.exp(rng.normal(0, 0.5, n_genes))), most)
    planted = []
    for i, (section, moved) in enumerate(zip(sections, change, strict=True)):
        added = np.expm1(np.maximum(level + moved, 0.02)) / SCALE
        planted.append(_with_genes(section, added, slope, np.random.default_rng([seed, 59, i]), dispersion=dispersion))
    return planted


def _weights(rng: np.random.Generator, standard: np.ndarray, n_genes: int, n_components: int | None) -> np.ndarray:
    """Draw ``(d, n_genes)`` weights of standardised features."""
    weights = rng.standard_normal((standard.shape[1], n_genes))
    if n_components is None or n_components >= standard.shape[1]:
        return weights
    axes = np.linalg.eigh(standard.T @ standard)[1][:, -n_components:]
    return axes @ (axes.T @ weights)


def _with_genes(
    section: Section, added: np.ndarray, slope: np.ndarray, rng: np.random.Generator, *, dispersion: float
) -> Section:
    """Insert genes of expected shares `added` before the ``rest`` genes, which make room, and draw all counts."""
    table = section.table
    classes = table.var[PLANTED].astype(str).to_numpy()
    old = np.asarray(table.layers[EXPECTED])
    rest = classes == "rest"
    room = old[:, rest].sum(1, keepdims=True)
    left = room - added.sum(1, keepdims=True)
    if left.min() < 0.02:
        msg = f"section {section.name!r} has no room for {added.shape[1]} more genes. Make it with fewer genes."
        raise DataError(msg)
    share = np.concatenate([old[:, ~rest], added, old[:, rest] * (left / room)], axis=1)
    n_before = int((classes == "feature").sum())
    names = [f"{CLASSES['feature']}{n_before + i + 1:02d}" for i in range(added.shape[1])]
    plan = GenePlan(
        (*table.var_names[~rest], *names, *table.var_names[rest]),
        (*classes[~rest], *["feature"] * len(names), *classes[rest]),
        np.zeros(share.shape[1]),
        np.concatenate([table.var["slope"].to_numpy()[~rest], slope, np.zeros(int(rest.sum()))]),
    )
    depth = table.obs[EXPECTED_DEPTH].to_numpy(dtype=np.float64)
    made = measured_table(
        draw_counts(rng, share, depth, dispersion=dispersion), share, plan, table.obs.copy(), depth=depth
    )
    for slot, value in table.obsm.items():
        made.obsm[slot] = value
    made.uns[keys.UNS] = dict(table.uns[keys.UNS])
    return section.replace(table=made)
