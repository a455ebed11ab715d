"""Every registered metric keeps what it declares."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoscribe import metrics
from histoscribe.core.errors import DataError
from histoscribe.metrics import METRICS, Context

N, G = 40, 6


def planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray, Context]:
    """Truth, a prediction that is right in part, and everything a metric may need."""
    rng = np.random.default_rng(seed)
    truth = rng.gamma(2.0, 1.0, (N, G)) * np.arange(1, G + 1)
    prediction = 0.5 * truth + rng.normal(size=truth.shape)
    context = Context(
        depth=rng.integers(200, 9000, N).astype(float),
        xy_um=rng.random((N, 2)) * 5000,
        train_mean=truth.mean(0) * 0.8,
        reliability=np.linspace(0.05, 0.9, G),
    )
    return truth, prediction, context


def with_reliability(context: Context, value: float) -> Context:
    return Context(context.depth, context.xy_um, context.train_mean, np.full(G, value))


@pytest.mark.parametrize("name", METRICS)
def test_metric_is_registered_under_its_own_name_and_serialises(name):
    metric = METRICS.get(name)
    assert metric.name == name
    assert metric.low <= metric.best <= metric.high
    assert metric.summary.endswith(".")
    assert metric.source
    json.dumps(metric.to_dict(), allow_nan=False)


@pytest.mark.parametrize("name", METRICS)
def test_metric_knows_its_best_value(name):
    truth, _, context = planted()
    score = METRICS.get(name)(truth, truth, with_reliability(context, 1.0))
    assert score.mean == pytest.approx(METRICS.get(name).best, abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_metric_stays_in_its_range_and_a_worse_prediction_is_not_better(name, seed):
    truth, prediction, context = planted(seed)
    metric = METRICS.get(name)
    values = metric(truth, prediction, context).values
    assert np.isfinite(values).all()
    assert (values >= metric.low).all()
    assert (values <= metric.high).all()
    noise = np.random.default_rng(seed + 1).normal(size=truth.shape) * 30
    context = with_reliability(context, 1.0)
    perfect, bad = metric(truth, truth, context).mean, metric(truth, noise, context).mean
    assert metric.better(perfect, bad)
    assert not metric.better(bad, perfect)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=15, deadline=None)
@given(shift=st.floats(-1e3, 1e3), log_scale=st.floats(-2, 2), seed=st.integers(0, 100))
def test_metric_ignores_exactly_what_it_declares(name, shift, log_scale, seed):
    truth, prediction, context = planted(seed)
    metric = METRICS.get(name)
    score = metric(truth, prediction, context).values
    changes = {"shift": prediction + shift, "scale": prediction * 10**log_scale, "monotone": np.exp(prediction / 10)}
    for invariance, changed in changes.items():
        if invariance in metric.invariances:
            np.testing.assert_allclose(metric(truth, changed, context).values, score, atol=1e-7)
    if "shift" not in metric.invariances:
        assert not np.allclose(metric(truth, prediction + 5.0, context).values, score, atol=1e-3) or name == "pcc_spot"
    if "scale" not in metric.invariances:
        per_gene = prediction * np.linspace(0.1, 3.0, G)
        assert not np.allclose(metric(truth, per_gene, context).values, score, atol=1e-3)


@pytest.mark.parametrize("name", METRICS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_metric_does_not_depend_on_the_order_of_observations(name, seed):
    truth, prediction, context = planted()
    order = np.random.default_rng(seed).permutation(N)
    shuffled = Context(context.depth[order], context.xy_um[order], context.train_mean, context.reliability)
    a = METRICS.get(name)(truth, prediction, context)
    b = METRICS.get(name)(truth[order], prediction[order], shuffled)
    assert b.mean == pytest.approx(a.mean, abs=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_metric_gives_genes_the_same_values_in_any_order(name):
    truth, prediction, context = planted()
    order = np.random.default_rng(3).permutation(G)
    swapped = Context(context.depth, context.xy_um, context.train_mean[order], context.reliability[order])
    a = METRICS.get(name)(truth, prediction, context)
    b = METRICS.get(name)(truth[:, order], prediction[:, order], swapped)
    assert b.mean == pytest.approx(a.mean, abs=1e-12)
    if METRICS.get(name).axis == "gene":
        np.testing.assert_allclose(b.values, a.values[order], atol=1e-12)


CORRELATIONS = [n for n in METRICS if "pcc" in n or "spearman" in n]


@pytest.mark.parametrize("name", CORRELATIONS)
def test_a_correlation_changes_sign_with_the_prediction(name):
    truth, prediction, context = planted()
    metric = METRICS.get(name)
    forward, backward = (metric(truth, s * prediction, context).values for s in (1, -1))
    np.testing.assert_allclose(backward, -forward, atol=1e-12)
    assert np.abs(forward).max() > 0.1


@pytest.mark.parametrize("name", [n for n in CORRELATIONS if n != "pcc_spot"])
@pytest.mark.parametrize("level", [0.0, 0.1, -7.3, 1234.567])
def test_a_constant_prediction_scores_exactly_0_and_is_counted(name, level):
    truth, _, context = planted()
    flat = np.full(truth.shape, level, dtype=np.float32)
    score = METRICS.get(name)(truth, flat, context)
    assert (score.values == 0).all()
    assert score.constant.all()
    assert score.mean == 0.0


@pytest.mark.parametrize("name", METRICS)
def test_a_gene_constant_in_the_truth_never_makes_nan(name):
    truth, prediction, context = planted()
    truth[:, 2] = 0.7
    score = METRICS.get(name)(truth, prediction, context)
    assert np.isfinite(score.values).all()
    if name in {"pcc_gene", "spearman_gene", "depth_partial_pcc_gene", "r2_train_mean", "variance_ratio"}:
        assert score.counted.tolist() == [True, True, False, True, True, True]
        assert score.mean == pytest.approx(np.delete(score.values, 2).mean())


@pytest.mark.parametrize("name", METRICS)
def test_nothing_to_count_gives_no_mean_instead_of_nan(name):
    _, prediction, context = planted()
    score = METRICS.get(name)(np.ones((N, G)), prediction, context)
    assert score.mean is None or np.isfinite(score.mean)


@pytest.mark.parametrize("name", [n for n in METRICS if METRICS.get(n).needs])
def test_metric_says_what_its_context_lacks(name):
    truth, prediction, _ = planted()
    metric = METRICS.get(name)
    assert metric.missing(Context()) == list(metric.needs)
    with pytest.raises(DataError, match=f"metric '{name}' needs {metric.needs[0]}"):
        metric(truth, prediction)


def test_nan_and_unlike_shapes_are_refused_with_their_number():
    truth, prediction, _ = planted()
    prediction[3, 1] = np.nan
    with pytest.raises(DataError, match="the prediction holds 1 NaN or infinite values of 240"):
        metrics.pcc_gene(truth, prediction)
    with pytest.raises(DataError, match=r"truth has shape \(40, 6\) and prediction \(40, 5\)"):
        metrics.pcc_gene(truth, truth[:, :5])
