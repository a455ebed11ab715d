"""Intervals cover, flags are right, and nothing is promised that the number of donors forbids."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.methods import expression
from histoscribe.methods.calibration import calibrate, interval_half_width, stated_level
from histoscribe.methods.groups import grouping
from histoscribe.testing import make_feature_sections


@pytest.mark.parametrize(("n", "level"), [(1, None), (2, 0.6), (3, 0.7), (5, 0.8), (8, 0.8), (9, 0.8), (10, 0.9)])
def test_the_level_stays_below_what_n_units_can_promise(n, level):
    assert stated_level(n) == level
    assert level is None or level < n / (n + 1)


def test_alike_units_get_their_plain_quantile(rng):
    residuals = [np.abs(rng.normal(size=(4000, 2))) for _ in range(4)]
    # 80 % of a standard normal's absolute value lie below 1.2816.
    np.testing.assert_allclose(interval_half_width(residuals, 0.8), 1.2816, atol=0.08)


def test_one_unlike_unit_widens_the_interval(rng):
    alike = [np.abs(rng.normal(size=(500, 1))) for _ in range(4)]
    unlike = [*alike[:3], alike[3] * 4]
    assert interval_half_width(unlike, 0.7) > 1.2 * interval_half_width(alike, 0.7)


def test_a_large_unit_weighs_as_much_as_a_small_one(rng):
    small, large = np.full((10, 1), 1.0), np.full((1000, 1), 2.0)
    assert interval_half_width([small, small + 0.1, large], 0.6)[0] <= 2.0
    assert interval_half_width([large, large, small], 0.6)[0] == 2.0


def test_donors_are_the_unit_where_there_are_several_then_sections_then_strips():
    a, b, c = make_feature_sections(3, 50, seed=0)
    assert grouping([a, b])[0] == "donor"
    sisters = [s.replace(donor="one") for s in (a, b, c)]
    assert grouping(sisters)[0] == "section"
    unit, (labels,) = grouping(sisters[:1])
    assert unit == "block"
    assert min(np.unique(labels, return_counts=True)[1]) >= 5


def test_intervals_cover_new_donors_and_flags_are_right():
    donors = make_feature_sections(36, 60, seed=5, n_genes=8, n_null=8)
    train, new = donors[:6], donors[6:]
    genes = [g for g in train[0].table.var_names if not g.startswith("REST")]
    model = expression("ridge").fit(train, genes)
    calibration = calibrate(model, train)
    assert (calibration.unit, calibration.n_units, calibration.level) == ("donor", 6, 0.8)
    inside = [np.abs(model.target_(s, genes) - model.predict(s).X) <= calibration.half_width for s in new]
    per_donor = np.array([i.mean() for i in inside])
    error = per_donor.std(ddof=1) / np.sqrt(len(per_donor))
    # Six training donors are one draw: allow their own sampling error beside that of the thirty new ones.
    assert abs(per_donor.mean() - 0.8) < 3 * error + 0.06
    flagged = np.array(genes)[calibration.trusted]
    assert len(flagged) >= 4
    assert np.mean([g.startswith("FEATURE") for g in flagged]) >= 0.9


def test_one_unit_gives_no_level_and_no_flag():
    lone = make_feature_sections(1, 1, seed=0)
    calibration = calibrate(expression("mean").fit(lone, 3), lone)
    assert calibration.level is None
    assert np.isnan(calibration.half_width).all()
    assert not calibration.trusted.any()


def test_refits_never_see_the_held_out_unit(monkeypatch):
    sections = make_feature_sections(3, 20, seed=0)
    model = expression("mean").fit(sections, 3)
    seen = []
    fit = type(model).fit
    monkeypatch.setattr(
        type(model), "fit", lambda self, data, *a, **k: seen.append([s.donor for s in data]) or fit(self, data, *a, **k)
    )
    calibrate(model, sections)
    assert sorted(map(len, seen)) == [2, 2, 2]
    assert all(len({s.donor for s in sections} - set(donors)) == 1 for donors in seen)


def test_a_tile_unlike_training_is_novel_and_a_new_donor_is_not():
    donors = make_feature_sections(6, 80, seed=2)
    novelty = calibrate(expression("ridge").fit(donors[:5], 6), donors[:5]).novelty
    ordinary = novelty.percentile(donors[5].table.obsm["X_synthetic-features"])
    strange = novelty.percentile(donors[5].table.obsm["X_synthetic-features"] * 6)
    assert novelty.slide_share(ordinary) < novelty.warn_above
    assert novelty.slide_share(strange) > max(50, novelty.warn_above)
