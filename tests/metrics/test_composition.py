import numpy as np
import pytest

from histoscribe.metrics import COMPOSITION_METRICS


@pytest.fixture
def shares(rng):
    return rng.dirichlet([0.5, 1, 2], 30), rng.dirichlet([1, 1, 1], 30)


@pytest.mark.parametrize("name", COMPOSITION_METRICS)
def test_metric_knows_its_name_range_and_best_value(name, shares):
    metric = COMPOSITION_METRICS.get(name)
    truth, guess = shares
    assert metric.name == name
    assert metric(truth, truth).mean == pytest.approx(metric.best, abs=1e-9)
    values = metric(truth, guess).values
    assert ((values >= metric.low) & (values <= metric.high)).all()
    assert metric.better(metric(truth, truth).mean, metric(truth, guess).mean)


def test_values_worked_by_hand():
    truth, guess = np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([[0.0, 1.0], [0.5, 0.5]])
    assert COMPOSITION_METRICS.get("composition_rmse")(truth, guess).mean == pytest.approx(np.sqrt(0.5))
    np.testing.assert_allclose(COMPOSITION_METRICS.get("composition_jsd_spot")(truth, guess).values, [1, 0], atol=1e-12)


def test_equal_shares_correlate_0_and_count(shares):
    truth, _ = shares
    flat = np.full_like(truth, 1 / 3)
    for name in ("composition_pcc_type", "composition_pcc_spot"):
        assert COMPOSITION_METRICS.get(name)(truth, flat).mean == 0
