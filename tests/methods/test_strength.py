"""The shortcut for leave-group-out error is exact, and the search finds what a grid would."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from histoscribe.methods._strength import GRID, choose_strengths, leave_group_out_error


@pytest.fixture
def problem(rng):
    X = rng.normal(size=(60, 10))
    y = X @ rng.normal(size=(10, 5)) + rng.normal(size=(60, 5)) + 3
    return X, y, np.repeat([0, 1, 2], [10, 20, 30])


def refitted_error(X, y, groups, strength):
    """The slow way: fit on the other groups with an unpenalised intercept, predict, remove the group's offset."""
    total = 0.0
    for g in np.unique(groups):
        inside = groups == g
        a, b = X[~inside] - X[~inside].mean(0), y[~inside] - y[~inside].mean(0)
        W = np.linalg.solve(a.T @ a + strength * np.eye(X.shape[1]), a.T @ b)
        residual = y[inside] - (X[inside] - X[~inside].mean(0)) @ W
        total += ((residual - residual.mean(0)) ** 2).sum()
    return total / y.size


@pytest.mark.parametrize("strength", [0.01, 7.0, 1e4])
def test_leave_group_out_error_equals_refitting(problem, strength):
    X, y, groups = problem
    assert leave_group_out_error(X @ X.T / strength, y, groups) == pytest.approx(refitted_error(X, y, groups, strength))


def test_two_blocks_reach_the_best_pair_of_the_grid_within_a_percent(problem, rng):
    X, y, groups = problem
    noise = rng.normal(size=(60, 40)) * 3
    grid = GRID[::2]
    strengths, error = choose_strengths([X, noise], y, groups, per_block=True, grid=grid)
    every = [
        leave_group_out_error(X @ X.T / a + noise @ noise.T / b, y, groups)
        for a, b in itertools.product(grid, repeat=2)
    ]
    assert error <= min(every) * 1.01
    assert strengths[1] > 100 * strengths[0], "the block of noise must be shrunk away"


def test_pure_noise_is_shrunk_as_hard_as_the_grid_allows(rng):
    X, y = rng.normal(size=(60, 5)), rng.normal(size=(60, 200))
    strengths, _ = choose_strengths([X], y, np.repeat([0, 1, 2], 20), per_block=True)
    assert strengths[0] >= 1e4
