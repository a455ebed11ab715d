"""Metrics against numbers worked by hand and against scipy."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from histoscribe import metrics
from histoscribe.core.errors import DataError
from histoscribe.core.target import Target
from histoscribe.metrics import METRICS, Context


@pytest.fixture
def pair(rng):
    truth = rng.gamma(1.0, 1.0, (60, 8))
    return truth, truth + rng.normal(size=truth.shape) * np.linspace(0.1, 5, 8)


def test_pearson_by_hand_along_each_axis():
    truth = np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0]])
    prediction = np.array([[1.0, 3.0], [3.0, 1.0], [2.0, 2.0]])
    # Gene 1: (-1, 0, 1) . (-1, 1, 0) = 1 over norms sqrt(2)^2 -> 0.5. Gene 2: (-1, 1, 0) . (1, -1, 0) = -2 / 2 -> -1.
    np.testing.assert_allclose(metrics.pcc_gene(truth, prediction), [0.5, -1.0])
    # Spot 1 has a constant truth; spot 2: (2, 3) against (3, 1) -> -1; spot 3: constant prediction.
    np.testing.assert_allclose(metrics.pcc_spot(truth, prediction), [0.0, -1.0, 0.0])


def test_correlations_equal_scipy_gene_by_gene(pair):
    truth, prediction = pair
    truth = np.round(truth, 1)  # ties
    for mine, theirs in ((metrics.pcc_gene, stats.pearsonr), (metrics.spearman_gene, stats.spearmanr)):
        expected = [theirs(truth[:, g], prediction[:, g]).statistic for g in range(8)]
        np.testing.assert_allclose(mine(truth, prediction), expected, atol=1e-12)


def test_depth_partial_equals_correlation_of_least_squares_residuals(pair, rng):
    truth, prediction = pair
    depth = rng.integers(100, 10_000, 60).astype(float)
    z = np.log(depth)
    design = np.stack([np.ones(60), z, z**2], axis=1)
    residuals = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (truth, prediction)]
    expected = [stats.pearsonr(residuals[0][:, g], residuals[1][:, g]).statistic for g in range(8)]
    np.testing.assert_allclose(metrics.depth_partial_pcc_gene(truth, prediction, depth), expected, atol=1e-10)


def test_what_depth_alone_predicts_scores_0_once_depth_is_removed(rng):
    depth = rng.integers(100, 10_000, 200).astype(float)
    truth = np.log(depth)[:, None] * [1.0, -0.5] + rng.normal(size=(200, 2)) * 0.3
    oracle = (3.0 + 0.4 * np.log(depth)[:, None] * [1.0, -1.0]).astype(np.float32)
    assert (metrics.pcc_gene(truth, oracle) > 0.8).all()
    assert (metrics.depth_partial_pcc_gene(truth, oracle, depth) == 0).all()


@pytest.mark.parametrize("depth", [[500.0] * 30, [0.0] * 15 + [800.0] * 15])
def test_depth_of_one_or_two_values_removes_just_that(depth, rng):
    truth = rng.normal(size=(30, 3))
    depth = np.array(depth)
    left = metrics.remove_depth(truth, depth)
    for level in np.unique(depth):
        np.testing.assert_allclose(left[depth == level].mean(0), 0, atol=1e-12)
    assert metrics.depth_partial_pcc_gene(truth, truth, depth) == pytest.approx(1.0)


def test_three_observations_leave_nothing_beside_depth(rng):
    truth = rng.normal(size=(3, 2))
    score = METRICS.get("depth_partial_pcc_gene")(truth, truth, Context(depth=np.array([10.0, 100.0, 5000.0])))
    assert (score.values == 0).all()
    assert score.mean is None


def test_errors_by_hand():
    truth, prediction = np.array([[0.0], [2.0]]), np.array([[1.0], [4.0]])
    context = Context(train_mean=np.array([0.5]))
    # Errors 1 and 2: squares 1 and 4; the training mean's errors are 0.5 and 1.5, squares 0.25 and 2.25.
    assert METRICS.get("mse")(truth, prediction).mean == 2.5
    assert METRICS.get("mae")(truth, prediction).mean == 1.5
    assert METRICS.get("r2_train_mean")(truth, prediction, context).mean == 1 - 5 / 2.5
    # Variances 2.25 and 1.
    assert METRICS.get("variance_ratio")(truth, prediction).mean == 2.25


def test_the_training_mean_scores_exactly_0_of_r2(rng):
    truth, mean = rng.gamma(1.0, 1.0, (50, 5)), rng.gamma(1.0, 1.0, 5)
    predicted = np.tile(mean.astype(np.float32), (50, 1))
    score = METRICS.get("r2_train_mean")(truth, predicted, Context(train_mean=mean))
    assert (score.values == 0).all()
    assert score.constant.all()


def test_morans_i_by_hand():
    # Four points on a line, k = 3: everyone neighbours all others, so sum_j w_ij z_j = -z_i / 3 and I = -1/3.
    xy = np.array([[0.0, 0], [1, 0], [2, 0], [3, 0]])
    np.testing.assert_allclose(metrics.morans_i(np.array([[1.0], [5.0], [2.0], [0.0]]), xy), [-1 / 3])


def test_morans_i_equals_the_formula_with_a_dense_weight_matrix(rng):
    xy, values = rng.random((50, 2)), rng.normal(size=(50, 4))
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1)[:, :6]
    weights = np.zeros((50, 50))
    np.put_along_axis(weights, nearest, 1 / 6, axis=1)
    z = values - values.mean(0)
    expected = [50 / weights.sum() * (z[:, g] @ weights @ z[:, g]) / (z[:, g] @ z[:, g]) for g in range(4)]
    np.testing.assert_allclose(metrics.morans_i(values, xy), expected, atol=1e-12)


def test_morans_i_tells_a_smooth_map_from_noise_and_survives_points_at_one_place(rng):
    xy = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    smooth, noise = np.sin(xy[:, 0] / 3), rng.normal(size=144)
    values = metrics.morans_i(np.stack([smooth, noise, np.ones(144)], axis=1), xy)
    assert values[0] > 0.8
    assert abs(values[1]) < 0.2
    assert values[2] == 0
    assert np.isfinite(metrics.morans_i(rng.normal(size=(20, 2)), np.zeros((20, 2)))).all()
    with pytest.raises(DataError, match="at least 3 observations and got 2"):
        metrics.morans_i(np.ones((2, 1)), np.zeros((2, 2)))


def test_moran_agreement_ranks_genes_and_difference_measures_oversmoothing(rng):
    xy = np.stack(np.meshgrid(np.arange(15.0), np.arange(15.0)), axis=-1).reshape(-1, 2)
    smooth, noise = np.sin(xy[:, :1] / 3), rng.normal(size=(225, 5))
    truth = smooth * np.linspace(0, 1, 5) + 0.4 * noise
    context = Context(xy_um=xy)
    oversmooth = smooth * np.linspace(0.1, 1, 5)
    assert METRICS.get("moran_difference")(truth, oversmooth, context).mean > 0.2
    assert METRICS.get("moran_agreement")(truth, truth[:, ::-1], context).mean < -0.5
    assert METRICS.get("moran_agreement")(truth, np.ones_like(truth), context).mean == 0


def test_reliability_recovers_the_planted_share_of_signal(rng):
    """Counts Poisson(depth * rate): on the scale of the target, signal / (signal + noise) is known by simulation."""
    n, rates = 4000, np.array([2e-4, 2e-3, 1e-2])
    depth = np.full(n, 5000)
    rate = rates * np.exp(rng.normal(size=(n, 3)) * 0.5)
    counts = rng.poisson(depth[:, None] * rate)
    total = counts.sum(1) + rng.poisson(depth)
    noiseless = Target().transform(rate * depth[:, None], counts.sum(1) * 0 + 2 * depth)
    measured = Target().transform(counts, total)
    # The ceiling is the correlation of a perfect, noise-free predictor with what was measured.
    attainable = metrics.pcc_gene(measured, noiseless)
    found = np.sqrt(metrics.reliability(counts, total, seed=1))
    np.testing.assert_allclose(found, attainable, atol=0.06)
    assert (np.diff(found) > 0).all()


def test_reliability_is_0_without_signal_and_repeatable(rng):
    counts = rng.poisson(1.0, (800, 4))
    counts[:, 3] = 0
    depth = counts.sum(1) + 3000
    first = metrics.reliability(counts, depth, seed=5)
    assert first.max() < 0.15
    assert first[3] == 0
    np.testing.assert_array_equal(first, metrics.reliability(counts, depth, seed=5))
    assert not np.array_equal(first, metrics.reliability(counts, depth, seed=6))


def test_depth_partial_reliability_loses_what_only_depth_explains(rng):
    """A gene missing from half of the libraries' pool rises with depth; its rate given depth is noise."""
    depth = np.exp(rng.normal(8, 0.8, 1500)).astype(int)
    counts = rng.poisson(5e-7 * depth[:, None] ** 1.9)
    full = metrics.reliability(counts, depth + counts.sum(1), seed=0)
    partial = metrics.reliability(counts, depth + counts.sum(1), depth_partial=True, seed=0)
    assert full[0] > 0.5
    assert partial[0] < full[0] - 0.2


def test_reliability_refuses_what_is_not_counts(rng):
    counts = rng.poisson(1.0, (10, 2)).astype(float)
    with pytest.raises(DataError, match="library size below the panel's own counts"):
        metrics.reliability(counts + 1, np.zeros(10))
    counts[0, 0] = 0.5
    with pytest.raises(DataError, match="1 counts are negative or not integers"):
        metrics.reliability(counts, np.full(10, 100))


def test_ceiling_normalised_skips_unreliable_genes(pair):
    truth, prediction = pair
    r = np.array([0.0, 0.1, 0.25, 0.25, 0.25, 0.25, 0.25, 0.25])
    score = METRICS.get("ceiling_normalised_pcc_gene")(truth, prediction, Context(reliability=r))
    assert score.counted.tolist() == [False] * 2 + [True] * 6
    np.testing.assert_allclose(score.values[2:], metrics.pcc_gene(truth, prediction)[2:] / 0.5)


def test_interval_coverage_counts_its_ends_and_refuses_crossed_bounds():
    truth = np.array([[0.0], [1.0], [2.0], [3.0]])
    lower, upper = np.full((4, 1), 1.0), np.full((4, 1), 2.0)
    assert metrics.interval_coverage(truth, lower, upper) == pytest.approx([0.5])
    with pytest.raises(DataError, match="4 lower bounds lie above"):
        metrics.interval_coverage(truth, upper, lower)


def test_all_metrics_of_a_thousand_spots_and_250_genes_take_under_a_second(rng):
    truth = rng.gamma(1.0, 1.0, (1000, 250))
    context = Context(rng.integers(100, 9000, 1000), rng.random((1000, 2)), truth.mean(0), np.full(250, 0.5))
    start = time.perf_counter()
    for name in METRICS:
        METRICS.get(name)(truth, truth + 1, context)
    assert time.perf_counter() - start < 1.0
