"""Scribe finds planted signal that ridge misses, is exact where it says so, and ignores what it claims to ignore."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.features import Features, FeatureSpec
from histoscribe.core.section import Section
from histoscribe.methods import expression
from histoscribe.methods._scribe_around import neighbour_mean
from histoscribe.methods._scribe_kernel import (
    MULTIPLIERS,
    choose_multipliers,
    choose_strengths,
    within_group_error,
)
from histoscribe.methods._strength import leave_group_out_residuals
from histoscribe.metrics import pcc_gene
from histoscribe.testing import make_feature_sections

ENCODER = "planted"
N, OWN, CONTEXT, GENES = 90, 5, 5, 12


def planted(n_sections, *, context=1.0, own=0.0, seed=0, spread=0.3, depth=3000.0):
    """Sections whose genes share one programme: rate = exp(load * f(x)), f bent in the context's first features."""
    study = np.random.default_rng([seed, 1])
    load = study.uniform(0.5, 1.0, GENES)
    sections, rates = [], []
    for i in range(n_sections):
        rng = np.random.default_rng([seed, 2, i])
        X = rng.normal(size=(N, OWN + CONTEXT))
        programme = own * X[:, 0] + context * (np.abs(X[:, OWN]) - 0.8 + 0.7 * X[:, OWN + 1])
        rate = 2e-3 * np.exp(load * programme[:, None])
        library = depth * np.exp(rng.normal(0, spread, N))
        rest = np.maximum(1.0 - rate.sum(1), 0.1)
        counts = rng.poisson(library[:, None] * np.c_[rate, rest])
        obs = pd.DataFrame({"total_counts": counts.sum(1)}, index=[f"s{k}" for k in range(N)])
        names = [*(f"G{g:02d}" for g in range(GENES)), "REST"]
        table = AnnData(X=sp.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=names))
        table.layers[keys.COUNTS] = sp.csr_matrix(counts)
        table.obsm[keys.SPATIAL] = rng.uniform(0, 1e4, (N, 2))
        blocks = {"own@112um": (0, OWN), "context@448um": (OWN, OWN + CONTEXT)}
        Features(X.astype(np.float32), FeatureSpec(ENCODER, "planted", blocks, {})).attach(table)
        sections.append(Section(table, None, 1.0, f"planted-{i}", donor=f"donor-{i}"))
        rates.append(np.log(rate))
    return sections, rates


PANEL = [f"G{g:02d}" for g in range(GENES)]
#: As many observations in the search as keep these tests quick, and no blocks but those planted.
QUICK = {"max_search": 150, "around_um": 0.0}


@pytest.fixture(scope="module")
def data():
    return planted(4)


def score(model, sections, rates):
    return pcc_gene(rates[-1], model.predict(sections[-1]).X).mean()


def test_it_learns_a_planted_rate_and_beats_ridge_where_context_bends(data):
    sections, rates = data
    scribe = score(expression("scribe", **QUICK).fit(sections[:3], PANEL), sections, rates)
    ridge = score(expression("ridge").fit(sections[:3], PANEL), sections, rates)
    assert scribe > 0.7
    assert scribe > ridge + 0.1


def test_a_context_block_without_signal_is_turned_down():
    sections, _ = planted(3, context=0.0, own=0.8)
    own, context = expression("scribe", **QUICK).fit(sections, PANEL).strengths_
    assert context > own


def test_weighing_by_depth_helps_where_depth_differs_widely():
    sections, rates = planted(4, spread=2.0, depth=800.0, seed=3)
    plain = expression("scribe", depth_noise=0.0, **QUICK).fit(sections[:3], PANEL)
    aware = expression("scribe", **QUICK).fit(sections[:3], PANEL)
    assert score(aware, sections, rates) > score(plain, sections, rates)


def test_an_offset_and_a_scale_of_all_features_change_nothing_where_sections_are_centred(data):
    sections, _ = data
    before = expression("scribe", centre=True, **QUICK).fit(sections[:3], PANEL).predict(sections[3]).X
    moved = []
    for i, section in enumerate(sections):
        table = section.table.copy()
        table.obsm[keys.features(ENCODER)] = table.obsm[keys.features(ENCODER)] * 4 + i
        moved.append(section.replace(table=table))
    after = expression("scribe", centre=True, **QUICK).fit(moved[:3], PANEL).predict(moved[3]).X
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_linear_kernels_without_components_equal_ridge():
    train = make_feature_sections(2, 40, seed=1)
    test = make_feature_sections(3, 40, seed=1)[2]
    genes = list(train[0].table.var_names[:6])
    options = {"kernel": "linear", "components": 0, "depth_noise": 0.0, "around_um": 0.0}
    options |= {"per_block": 0.0, "centre": True}
    model = expression("scribe", **options).fit(train, genes)
    # k = 2 x x' / length2 per block: give ridge features whose blocks have those lengths, and the common strength.
    edge = model.widths_[0]
    scale = np.repeat(np.sqrt(2 / model.lengths_), model.widths_)
    X, y = [], []
    for section in train:
        x = Features.of(section.table).matrix.astype(float)
        t = model.target_(section, genes).astype(float)
        X.append(x - x.mean(0))
        y.append(t - t.mean(0))
    level = np.concatenate([model.target_(s, genes) for s in train]).mean(0)
    X, y = np.concatenate(X), np.concatenate(y)
    sd = X.std(0)
    Z = X / sd * scale
    weights = np.linalg.solve(Z.T @ Z + model.strengths_[0] * np.eye(Z.shape[1]), Z.T @ y)
    x = Features.of(test.table).matrix.astype(float)
    assert 0 < edge < len(sd)
    np.testing.assert_allclose(model.predict(test).X, (x - x.mean(0)) / sd * scale @ weights + level, atol=1e-4)


def test_a_neighbour_mean_is_worked_by_hand_and_a_lone_observation_keeps_its_own():
    xy = np.array([[0.0, 0.0], [100.0, 0.0], [5000.0, 0.0]])
    values = np.array([[1.0], [3.0], [7.0]])
    near = np.exp(-0.5)
    expected = [(1 + 3 * near) / (1 + near), (3 + near) / (1 + near), 7.0]
    np.testing.assert_allclose(neighbour_mean(xy, values, 100.0)[:, 0], expected)


def test_surroundings_help_where_a_gene_follows_a_smooth_field_seen_through_noise():
    rng = np.random.default_rng(4)
    sections, truth = [], []
    for section in planted(4, seed=5)[0]:
        place = np.stack(np.divmod(np.arange(N), 10), axis=1) * 100.0
        field = neighbour_mean(place, rng.normal(size=(N, 1)), 150.0)
        field /= field.std()
        rate = 2e-3 * np.exp(0.8 * field * np.ones(GENES))
        counts = sp.csr_matrix(rng.poisson(3000 * np.c_[rate, 1.0 - rate.sum(1)]))
        table = section.table.copy()
        table.layers[keys.COUNTS], table.obs["total_counts"] = counts, np.asarray(counts.sum(1)).ravel()
        table.obsm[keys.SPATIAL] = place
        table.obsm[keys.features(ENCODER)][:, OWN] = field[:, 0] + rng.normal(0, 1.5, N)
        sections.append(section.replace(table=table))
        truth.append(np.log(rate))
    with_them = expression("scribe", **(QUICK | {"around_um": 150.0})).fit(sections[:3], PANEL)
    without = expression("scribe", **QUICK).fit(sections[:3], PANEL)
    assert score(with_them, sections, truth) > score(without, sections, truth) + 0.05


def test_landmarks_approach_the_exact_solution(data):
    sections, _ = data
    exact, many, few = (
        expression("scribe", landmarks=m, **QUICK).fit(sections[:3], PANEL).predict(sections[3]).X
        for m in (270, 200, 20)
    )
    assert np.abs(many - exact).mean() < 0.5 * np.abs(few - exact).mean()


def test_strengths_go_half_way_from_the_common_one_to_their_own(rng):
    signal, noise = rng.normal(size=(60, 3)), rng.normal(size=(60, 30))
    y = signal @ rng.normal(size=(3, 2)) * 3 + rng.normal(size=(60, 2))
    kernels, groups, ones = [signal @ signal.T, noise @ noise.T], np.repeat([0, 1, 2], 20), np.ones(60)

    def error(kernel):
        return float(within_group_error(leave_group_out_residuals(kernel, y, groups, ones), groups, ones).mean())

    common, half, own = (choose_strengths(kernels, error, per_block=share) for share in (0.0, 0.5, 1.0))
    assert common[0] == common[1]
    assert own[0] < own[1]
    np.testing.assert_allclose(half**2, common * own)


def test_left_out_residuals_equal_refitting_under_unequal_noise(rng):
    X, noise = rng.normal(size=(40, 6)), rng.uniform(0.5, 3.0, 40)
    y = X @ rng.normal(size=(6, 3)) + rng.normal(size=(40, 3)) + 2
    groups = np.repeat([0, 1, 2], [8, 12, 20])
    kernel = X @ X.T / 5.0
    found = leave_group_out_residuals(kernel, y, groups, noise)
    for group in range(3):
        inside, outside = groups == group, groups != group
        inverse = np.linalg.inv(kernel[np.ix_(outside, outside)] + np.diag(noise[outside]))
        mean = inverse.sum(0) @ y[outside] / inverse.sum()
        expected = mean + kernel[np.ix_(inside, outside)] @ inverse @ (y[outside] - mean)
        np.testing.assert_allclose(found[inside], y[inside] - expected, atol=1e-8)


def test_the_error_forgives_a_group_its_offset(rng):
    residuals, groups, noise = rng.normal(size=(12, 2)), np.repeat([0, 1], 6), np.ones(12)
    shifted = residuals + groups[:, None] * 9.0
    np.testing.assert_allclose(
        within_group_error(shifted, groups, noise), within_group_error(residuals, groups, noise), atol=1e-9
    )


def test_a_component_that_nothing_predicts_is_shrunk_and_a_clear_one_is_not(rng):
    X = rng.normal(size=(120, 4))
    y = np.c_[X[:, 0] * 3 + 0.1 * rng.normal(size=120), rng.normal(size=120)]
    clear, noise = choose_multipliers(X @ X.T / 100.0, y, np.repeat([0, 1, 2], 40), np.ones(120))
    assert clear < 1
    assert noise > 8 * clear
    assert noise in MULTIPLIERS


def test_one_observation_and_one_group_are_predicted_as_the_mean():
    lone = make_feature_sections(1, 1, seed=1)
    model = expression("scribe").fit(lone, 3)
    np.testing.assert_allclose(model.predict(lone[0]).X, model.train_mean_[None], atol=1e-5)


def test_an_empty_section_gives_an_empty_prediction(data):
    sections, _ = data
    model = expression("scribe", centre=True, **QUICK).fit(sections[:3], PANEL)
    assert model.predict(sections[3].subset(np.array([], dtype=int))).shape == (0, GENES)
