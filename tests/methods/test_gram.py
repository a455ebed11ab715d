"""The ridge that is tuned from sums: against refits on the observations themselves."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.methods._gram import choose_strength, principal_axes, sums_of

GRID = (1e-1, 1e1, 1e2, 1e3, 1e5)


@pytest.fixture
def data(rng):
    """Three groups in mixed order; 12 standardised features, 5 noisy targets with a mean."""
    X = rng.normal(size=(240, 12)) * np.geomspace(3, 0.3, 12)
    groups = rng.permutation(np.repeat([4, 7, 9], 80))
    Y = X @ rng.normal(size=(12, 5)) * 0.3 + rng.normal(size=(240, 5)) * 4 + 10 + 0.5 * groups[:, None]
    return (X - X.mean(0)).astype(np.float32), Y, groups


def refit(X, Y, strength):
    centred = X - X.mean(0)
    W = np.linalg.solve(centred.T @ centred + strength * np.eye(X.shape[1]), centred.T @ (Y - Y.mean(0)))
    return W, Y.mean(0) - X.mean(0) @ W


def test_the_strength_is_that_of_refits_without_each_group(data):
    X, Y, groups = data
    errors = []
    for strength in GRID:
        residuals = []
        for group in np.unique(groups):
            out = groups == group
            W, b = refit(X[~out].astype(float), Y[~out], strength)
            own = Y[out] - X[out] @ W - b
            residuals.append(own - own.mean(0))
        errors.append((np.concatenate(residuals) ** 2 / Y.var(0)).sum())
    strength, coef, intercept = choose_strength(summed(X, Y, groups), GRID)
    assert strength == GRID[int(np.argmin(errors))]
    assert GRID[0] < strength < GRID[-1]
    W, b = refit(X.astype(float), Y, strength)
    assert np.allclose(coef, W, atol=1e-4)
    assert np.allclose(intercept, b, atol=1e-4)


def summed(X, Y, groups):
    """Sum one section, and project on all axes: the sums of one half become whole and float64."""
    found, centre = sums_of([X], [Y], [groups])
    assert np.allclose(centre, X.mean(0), atol=1e-5)
    return [g.along(np.eye(len(g.xx), dtype=np.float32)) for g in found]


def test_sections_add_up_to_what_they_are_together(data):
    X, Y, groups = data
    order = np.argsort(groups, kind="stable")
    X, Y, groups = X[order] + 5, Y[order], groups[order]
    parts = [slice(0, 80), slice(80, 160), slice(160, 240)]
    apart, centre = sums_of([X[p] for p in parts], [Y[p] for p in parts], [groups[p] for p in parts])
    together, same = sums_of([X], [Y], [groups])
    assert np.allclose(centre, same, atol=1e-5)
    for one, other, part in zip(apart, together, parts, strict=True):
        own = X[part] - centre
        assert one.n == other.n == 80
        assert np.allclose(np.triu(one.xx), np.triu(own.T @ own), atol=2e-2)
        assert np.allclose(one.xy, own.T @ Y[part], atol=2e-2)
        assert np.allclose(one.xy, other.xy, atol=2e-2)


def test_a_section_that_was_changed_in_place_is_summed_again(data):
    X, Y, _ = data
    before = summed(X, Y, np.zeros(len(X)))[0].xx
    assert np.array_equal(summed(X, Y, np.zeros(len(X)))[0].xx, before)
    X *= 2
    assert np.allclose(summed(X, Y, np.zeros(len(X)))[0].xx, 4 * before, rtol=1e-4, atol=1e-2)


def test_one_group_takes_the_strongest(data):
    X, Y, _ = data
    assert choose_strength(summed(X, Y, np.zeros(len(X))), GRID)[0] == GRID[-1]


def test_a_constant_gene_is_predicted_as_its_mean(data):
    X, Y, groups = data
    Y = np.column_stack([Y, np.full(len(Y), 3.0)])
    _, coef, intercept = choose_strength(summed(X, Y, groups), GRID)
    assert np.allclose(coef[:, -1], 0, atol=1e-8)
    assert intercept[-1] == pytest.approx(3.0)


def test_many_groups_are_dealt_to_five_of_like_size(rng):
    X = rng.normal(size=(200, 3)).astype(np.float32)
    groups = np.repeat(np.arange(20), 10)
    dealt, centre = sums_of([X], [rng.normal(size=(200, 2))], [groups])
    assert [g.n for g in dealt] == [40] * 5
    own = X - centre
    assert np.allclose(np.triu(sum(g.xx for g in dealt)), np.triu(own.T @ own), atol=1e-3)


@pytest.mark.parametrize("k", [4, 40])
def test_axes_span_what_the_largest_eigenvectors_span(rng, k):
    spread = np.geomspace(100, 0.1, 60)
    turn = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    xx = ((turn * spread) @ turn.T).astype(np.float32)
    axes = principal_axes(np.triu(xx), k, seed=0)
    assert np.allclose(axes.T @ axes, np.eye(k), atol=1e-4)
    assert np.trace(axes.T @ xx @ axes) == pytest.approx(spread[:k].sum(), rel=1e-3)
