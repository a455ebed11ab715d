import numpy as np
import pytest

from histoscribe.metrics import SLIDE_METRICS


@pytest.fixture
def profiles(rng):
    truth = rng.normal(size=(20, 5)) + 10 * np.arange(5)
    return truth, truth + rng.normal(size=(20, 5))


@pytest.mark.parametrize("name", SLIDE_METRICS)
def test_metric_knows_its_name_range_and_best_value(name, profiles):
    metric, (truth, guess) = SLIDE_METRICS.get(name), profiles
    assert metric.name == name
    assert metric.summary.endswith(".")
    assert metric(truth, truth).mean == pytest.approx(metric.best, abs=1e-9)
    values = metric(truth, guess).values
    assert ((values >= metric.low) & (values <= metric.high)).all()
    assert metric.better(metric(truth, truth).mean, metric(truth, -truth).mean)


def test_training_mean_scores_0_across_slides_and_high_across_genes(profiles):
    truth, _ = profiles
    mean = np.tile(truth.mean(0), (len(truth), 1))
    assert SLIDE_METRICS.get("pcc_sample")(truth, mean).mean == 0
    assert SLIDE_METRICS.get("pcc_sample_share_04")(truth, mean).mean == 0
    assert SLIDE_METRICS.get("pcc_profile")(truth, mean).mean > 0.9


def test_share_counts_genes_from_0_4_and_skips_constant_truth():
    truth = np.array([[0.0, 0.0, 1.0], [1.0, 1.0, 1.0], [2.0, 2.0, 1.0]])
    guess = np.array([[0.0, 2.0, 0.0], [1.0, 1.0, 1.0], [2.0, 0.0, 2.0]])
    score = SLIDE_METRICS.get("pcc_sample_share_04")(truth, guess)
    np.testing.assert_array_equal(score.values[:2], [1, 0])
    assert score.mean == 0.5
