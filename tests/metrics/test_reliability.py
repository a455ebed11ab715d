"""The noise ceiling follows the whole protocol that it bounds."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.core.target import Target
from histoscribe.metrics import reliability

PLACES = np.argwhere(np.ones((20, 20)))


@pytest.fixture
def counts(rng):
    """A 20 x 20 array with two genes that follow a smooth wave and one that follows nothing."""
    wave = np.exp(0.5 * np.sin(PLACES / 4).sum(1))
    return rng.poisson(np.stack([3 * wave, 2 / wave, np.full(400, 4.0)], axis=1))


def test_averaging_neighbours_raises_the_ceiling_of_a_smooth_gene(counts):
    depth = counts.sum(1) + 100.0
    plain = reliability(counts, depth, target=Target())
    smooth = reliability(counts, depth, target=Target(smooth="array-3x3"), array=PLACES)
    assert (smooth[:2] > plain[:2] + 0.2).all()
    assert smooth[2] < 0.4


def test_each_half_is_normalised_within_its_own_panel(rng):
    """A gene alone in its panel has the same value everywhere, however well it is measured."""
    one = rng.poisson(20 * np.exp(np.sin(PLACES[:, :1]))) + 40
    assert reliability(one, np.full(400, 1000.0), target=Target())[0] > 0.3
    assert reliability(one, np.full(400, 1000.0), target=Target(library="panel"))[0] == 0


def test_the_base_of_the_logarithm_does_not_matter(counts):
    depth = counts.sum(1) + 100.0
    first, second = (reliability(counts, depth, target=Target(base=base)) for base in ("e", "10"))
    assert first == pytest.approx(second, abs=1e-4)


def test_only_the_rows_asked_for_are_correlated(counts):
    depth = counts.sum(1) + 100.0
    rows = np.arange(200)
    noise = counts.copy()
    rng = np.random.default_rng(1)
    noise[200:, 0] = rng.poisson(3, 200)
    whole, part = (reliability(noise, depth, rows=r)[0] for r in (None, rows))
    assert part > whole
