"""Metrics as published, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.core.errors import DataError
from histoscribe.metrics import METRICS, PUBLISHED
from histoscribe.metrics.published import top_genes

UP, DOWN, FLAT = np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, 0.0]), np.zeros(3)
#: Correlates .5 with UP: sum of (-1, 0, 1) * (0, -1, 1) is 1, both have norm sqrt 2.
HALF = np.array([1.0, 0.0, 2.0])


def section(*genes, truth=UP):
    """One section of three spots: `truth` for every gene, and the predictions given."""
    prediction = np.stack(genes, axis=1)
    return np.stack([truth] * len(genes), axis=1), prediction


def test_pcc_a_averages_sections_then_genes_then_folds():
    # Fold 1: gene 1 has (1 + .5) / 2 = .75, gene 2 has (-1 + .5) / 2 = -.25: mean .25. Fold 2: (1 + 1) / 2 = 1.
    folds = [[section(UP, DOWN), section(HALF, HALF)], [section(UP, UP)]]
    score = PUBLISHED.get("published_pcc_a")(folds)
    assert score.folds == pytest.approx((0.25, 1.0))
    assert (score.mean, score.sd) == pytest.approx((0.625, 0.375))


def test_pcc_a_skips_what_is_constant_where_the_clean_metric_counts_0():
    # Gene 1: 1 and undefined: 1. Gene 2: undefined everywhere, so only gene 1 counts.
    folds = [[section(UP, FLAT), section(FLAT, FLAT)]]
    assert PUBLISHED.get("published_pcc_a")(folds).mean == pytest.approx(1.0)
    assert METRICS.get("pcc_gene")(*section(UP, FLAT)).mean == pytest.approx(0.5)


def test_a_constant_prediction_has_no_published_correlation():
    score = PUBLISHED.get("published_pcc_a")([[section(FLAT, FLAT)]])
    assert (score.mean, score.sd, score.folds) == (None, None, (None,))


def test_top_genes_are_those_of_best_mean_rank_over_folds():
    # Ranks: fold 1: 1, 2, 3; fold 2: 2, 3, 1. Means: 1.5, 2.5, 2.
    folds = [[section(UP, HALF, DOWN)], [section(HALF, DOWN, UP)]]
    assert top_genes(folds, 2).tolist() == [0, 2]
    # A gene that is undefined in a fold is its last one there.
    assert top_genes([[section(UP, FLAT, DOWN)]], 3).tolist() == [0, 2, 1]


def test_pcc_h_keeps_fifty_genes_that_the_test_chose(rng):
    truth = rng.normal(size=(30, 60))
    prediction = truth.copy()
    prediction[:, :10] = rng.normal(size=(30, 10))
    folds = [[(truth, prediction)]]
    assert PUBLISHED.get("published_pcc_h")(folds).mean == pytest.approx(1.0)
    assert PUBLISHED.get("published_pcc_a")(folds).mean < 0.9


def test_noise_scores_above_0_once_the_test_has_chosen_its_genes(rng):
    folds = [[(rng.normal(size=(30, 250)), rng.normal(size=(30, 250)))] for _ in range(2)]
    assert abs(PUBLISHED.get("published_pcc_a")(folds).mean) < 0.03
    assert PUBLISHED.get("published_pcc_h")(folds).mean > 0.1


def test_panels_of_different_length_have_no_mean_rank():
    with pytest.raises(DataError, match=r"panels of \[1, 2\] genes"):
        PUBLISHED.get("published_pcc_h")([[section(UP)], [section(UP, UP)]])


def test_errors_weight_sections_equally_whatever_their_number_of_spots():
    # Section errors: 1 (three spots off by 1) and 9 (one spot off by 3): mean 5; fold 2 is perfect.
    large = (np.zeros((3, 1)), np.ones((3, 1)))
    small = (np.zeros((1, 1)), np.full((1, 1), 3.0))
    folds = [[large, small], [(np.zeros((2, 1)), np.zeros((2, 1)))]]
    assert PUBLISHED.get("published_mse")(folds).folds == (5.0, 0.0)
    assert PUBLISHED.get("published_mae")(folds).folds == (2.0, 0.0)
    assert PUBLISHED.get("published_mse")(folds).mean == 2.5


def test_the_correlation_per_spot_weights_spots_equally():
    # Three spots across three genes: 1, .5 and undefined (skipped); one spot of another section: -1.
    first = (np.stack([UP, UP, UP]), np.stack([UP, HALF, FLAT]))
    second = (UP[None], DOWN[None])
    assert PUBLISHED.get("published_pcc_spot")([[first, second]]).mean == pytest.approx(0.5 / 3)


def test_no_published_metric_shares_a_name_with_a_clean_one():
    assert all(name.startswith("published_") for name in PUBLISHED)
    assert not set(PUBLISHED) & set(METRICS)
    assert all(PUBLISHED.get(name).name == name for name in PUBLISHED)


def test_a_fold_without_sections_is_refused():
    with pytest.raises(DataError, match="fold 2 has no test section"):
        PUBLISHED.get("published_mse")([[section(UP)], []])
