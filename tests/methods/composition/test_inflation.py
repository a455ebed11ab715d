"""Two halves of the genes say how far counts can be believed."""

import numpy as np
import pytest

from histoscribe.methods import Reference
from histoscribe.methods._nb_inflation import fit_inflated, inflation_of
from histoscribe.methods._nb_mixture import fit_mixture
from histoscribe.testing import make_spots


def poisson_like(rng, *, n=80, k=4, g=120):
    """Spots whose counts are just what the model says they are: negative binomial of variance 1.5 times the mean."""
    profiles = rng.dirichlet(np.full(g, 0.5), k)
    mean = 2000 * rng.dirichlet(np.full(k, 2.0), n) @ profiles
    return rng.negative_binomial(np.maximum(mean, 1e-9) / 0.5, 1 / 1.5).astype(float), profiles, np.full(g, 1.5)


def with_layers(seed):
    planted = make_spots(seed=seed, n_spots=80, n_genes=80)
    reference = Reference.from_cells(planted.cells, "cell_type")
    x = planted.spots[:, reference.genes].X
    layers = (planted.spots.obs["layer"] == "disease").to_numpy().astype(int)
    return (x, reference.profiles, reference.dispersion), layers, planted.truth


def rmse(p, truth):
    return float(np.sqrt(((p - truth) ** 2).mean()))


def test_counts_that_follow_the_model_are_believed(rng):
    assert inflation_of(*poisson_like(rng), gene_factors=False) < 1.3


def test_genes_that_layers_change_are_noticed_and_cost_less(rng):
    arguments, layers, truth = with_layers(20)
    blind = fit_inflated(*arguments)
    assert blind.inflation > 2
    assert rmse(blind.proportions, truth) < rmse(fit_mixture(*arguments).proportions, truth)
    # With the layers known there is less to disagree on.
    assert inflation_of(*arguments, layers=layers, layer_sd=0.3) < blind.inflation


def test_wider_noise_means_wider_intervals_and_the_likelihood_is_that_of_the_counts():
    arguments, _, _ = with_layers(21)
    plain, wide = (fit_mixture(*arguments, inflation=f) for f in (1.0, 4.0))
    assert wide.sd.mean() > plain.sd.mean()
    assert wide.inflation == 4
    assert wide.loglik == pytest.approx(plain.loglik, rel=0.2)


def test_one_type_and_few_genes_have_nothing_to_disagree_on(rng):
    counts, profiles, dispersion = poisson_like(rng, k=4, g=8)
    assert inflation_of(counts, profiles, dispersion) == 1
    assert inflation_of(counts, np.full((1, 8), 1 / 8), dispersion) == 1
