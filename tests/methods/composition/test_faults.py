"""The released forms' faults: no end of the fit, and layers that trade with cell types."""

import json

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from histoscribe.methods import Reference, composition
from histoscribe.methods._composition import Composed, Deconvolver
from histoscribe.methods._nb_mixture import fit_mixture, nb_loglik
from histoscribe.testing import make_spots


def rmse(p, truth):
    return float(np.sqrt(((p - truth) ** 2).mean()))


@pytest.fixture(scope="module")
def planted():
    spots = make_spots(seed=0)
    return spots, Reference.from_cells(spots.cells, "cell_type")


@pytest.fixture(scope="module")
def fitted(planted):
    spots, reference = planted
    return composition("polaris").fit(spots.spots, reference, layers="layer")


def test_polaris_recovers_composition_and_layer_contrasts_on_its_own_simulation(planted, fitted):
    spots, _ = planted
    uniform = rmse(np.full_like(spots.truth, 1 / 6), spots.truth)
    assert rmse(fitted.obsm["composition"], spots.truth) < 0.7 * uniform
    contrast = pd.Series(fitted.varm["layer_factors"] @ [-1, 1], index=fitted.var_names)  # disease comes first
    assert (
        np.corrcoef(contrast.loc[spots.spots.var_names], spots.layer_factors[0] - spots.layer_factors[1])[0, 1] > 0.97
    )


def test_more_steps_do_not_change_the_answer(planted):
    spots, reference = planted
    order = np.argsort(reference.genes)
    x, layers = spots.spots.X[:, order], (spots.spots.obs["layer"] == "disease").to_numpy().astype(int)
    reference = reference.subset(np.argsort(reference.genes))
    options = {"layers": layers, "layer_sd": 0.2}
    ends = [fit_mixture(x, reference.profiles, reference.dispersion, tolerance=t, **options) for t in (2e-3, 2e-4)]
    assert ends[1].steps > ends[0].steps
    first, second = (rmse(end.proportions, spots.truth) for end in ends)
    assert second < 1.05 * first


def test_the_end_is_within_5_percent_of_the_best_stopping_time(planted):
    spots, reference = planted
    reference = reference.subset(np.argsort(reference.genes))
    x = spots.spots[:, reference.genes].X
    layers = (spots.spots.obs["layer"] == "disease").to_numpy().astype(int)
    errors = []
    fit_mixture(
        x,
        reference.profiles,
        reference.dispersion,
        layers=layers,
        layer_sd=0.2,
        watch=lambda stage, p: errors.append(rmse(p, spots.truth)),
    )
    assert errors[-1] < 1.05 * min(errors)


def test_layers_do_not_absorb_a_type_that_one_layer_lacks():
    spots = make_spots(unaffected=1.0, alone=True, seed=0)
    reference = Reference.from_cells(spots.cells, "cell_type")
    found = composition("polaris", held_out=0).fit(spots.spots, reference, layers="layer")
    plain = composition("polaris", held_out=0).fit(spots.spots, reference)
    # Free factors, the released scale, read the missing type as expression.
    free = composition("polaris", held_out=0, layer_sd=1.0).fit(spots.spots, reference, layers="layer")
    errors = [rmse(t.obsm["composition"], spots.truth) for t in (found, plain, free)]
    assert errors[0] < 1.02 * errors[1]
    assert errors[0] < 0.8 * errors[2]


def test_factors_of_a_gene_sum_to_0_and_one_layer_is_none(planted, fitted):
    spots, reference = planted
    np.testing.assert_allclose(fitted.varm["layer_factors"].sum(1), 0, atol=1e-9)
    one = composition("polaris", held_out=0).fit(spots.spots, reference, layers=["same"] * spots.spots.n_obs)
    none = composition("polaris", held_out=0).fit(spots.spots, reference)
    np.testing.assert_array_equal(one.obsm["composition"], none.obsm["composition"])


def test_polaris_reports_the_fit_without_layers_on_the_same_held_out_counts(fitted):
    fit = json.loads(fitted.uns["histoscribe"]["fit"])
    assert fit["stopped"] == fit["without_layers"]["stopped"] == "converged"
    assert fit["heldout_loglik"] > fit["without_layers"]["heldout_loglik"]
    assert {"profiles_normal", "profiles_disease"} <= set(fitted.varm)


def test_intervals_hold_the_truth_about_as_often_as_they_say(planted, fitted):
    truth = planted[0].truth
    inside = (fitted.obsm["composition_lower"] <= truth) & (truth <= fitted.obsm["composition_upper"])
    assert 0.75 < inside.mean() < 0.97


def test_intervals_hold_shares_of_0(rng):
    profiles = rng.dirichlet(np.full(60, 0.5), 5)
    truth = rng.dirichlet(np.full(5, 0.6), 80)
    truth = np.where(truth < 0.15, 0, truth)
    truth /= truth.sum(1, keepdims=True)
    counts = rng.negative_binomial(np.maximum(300 * truth @ profiles, 1e-9), 0.5).astype(float)
    genes, types = [f"g{i:02}" for i in range(60)], list("abcde")
    reference = Reference(types, genes, profiles, np.full(60, 2.0), None, np.zeros(5, dtype=int))
    spots = AnnData(counts, var=pd.DataFrame(index=genes))
    found = composition("polaris", held_out=0, gene_factors=False).fit(spots, reference)
    lower, upper = found.obsm["composition_lower"], found.obsm["composition_upper"]
    inside = (lower <= truth) & (truth <= upper)
    assert inside[truth == 0].mean() > 0.85
    assert inside[truth > 0].mean() > 0.8
    assert (upper - lower).mean() < 0.25


def test_likelihood_agrees_with_scipy(rng):
    from scipy.stats import nbinom

    mean, dispersion = rng.gamma(2, 3, (5, 4)), np.array([1.1, 1.5, 2.0, 6.0])
    x = rng.poisson(mean).astype(float)
    expected = nbinom.logpmf(x, mean / (dispersion - 1), 1 / dispersion).sum()
    assert nb_loglik(x, mean, dispersion) == pytest.approx(expected)


def test_shares_by_cell_are_shares_by_transcript_divided_by_cell_size(planted):
    spots, reference = planted
    by_count, by_cell = (
        composition("nnls").fit(spots.spots, reference, cell_size=s).obsm["composition"] for s in ("equal", "reference")
    )
    expected = by_count / reference.cell_totals
    np.testing.assert_allclose(by_cell, expected / expected.sum(1, keepdims=True), atol=1e-6)


def test_an_interval_by_cell_is_that_by_transcript_in_the_other_unit():
    class Told(Deconvolver):
        card = composition("nnls").card

        def _deconvolve(self, mixture, *, rng):
            n = len(mixture.counts)
            return Composed(np.tile([0.3, 0.7], (n, 1)), np.full((n, 2), 1e-3))

    spots = make_spots(n_spots=3, n_types=2, n_genes=30, cells_per_type=(40, 60))
    reference = Reference.from_cells(spots.cells, "cell_type")
    found = Told().fit(spots.spots, reference, cell_size="reference")
    by_cell = [a / (a + b) for a, b in (np.array([p, 1 - p]) / reference.cell_totals for p in (0.299, 0.301))]
    half = (found.obsm["composition_upper"] - found.obsm["composition_lower"])[0] / 2
    np.testing.assert_allclose(half, 1.6449 * (by_cell[1] - by_cell[0]) / 2, rtol=1e-3)


def test_a_noise_profile_is_kept_where_halves_of_the_genes_agree_the_better_for_it():
    spots = make_spots(n_spots=40, n_types=3, n_genes=40, seed=4)
    reference = Reference.from_cells(spots.cells, "cell_type")
    fit = json.loads(composition("stereoscope", held_out=0).fit(spots.spots, reference).uns["histoscribe"]["fit"])
    assert fit["inflation"] < fit["inflation_otherwise"]
    other = composition("stereoscope", held_out=0, noise=not fit["noise_profile"]).fit(spots.spots, reference)
    assert json.loads(other.uns["histoscribe"]["fit"])["inflation"] == fit["inflation_otherwise"]
