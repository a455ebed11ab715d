"""Ridge agrees with scikit-learn, ignores constant columns, and its choices can be fixed."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge as Reference

from histoscribe.core.features import Features
from histoscribe.methods import expression
from histoscribe.testing import make_feature_sections


@pytest.fixture(scope="module")
def sections():
    return make_feature_sections(3, 40, seed=1)


@pytest.mark.parametrize("n_spots", [4, 40], ids=["fewer spots than features", "more spots than features"])
def test_it_equals_scikit_learns_ridge_on_standardised_features(n_spots):
    train, test = make_feature_sections(2, n_spots, seed=1), make_feature_sections(3, 9, seed=1)[2]
    genes = list(train[0].table.var_names[:5])
    model = expression("ridge", strength=10.0, centre=False).fit(train, genes)
    X = np.concatenate([Features.of(s.table).matrix for s in train]).astype(float)
    mean, sd = X.mean(0), X.std(0)
    reference = Reference(alpha=10.0).fit((X - mean) / sd, np.concatenate([model.target_(s, genes) for s in train]))
    expected = reference.predict((Features.of(test.table).matrix - mean) / sd)
    np.testing.assert_allclose(model.predict(test).X, expected, atol=1e-4)


def test_an_offset_of_all_features_changes_nothing_where_sections_are_centred(sections):
    model = expression("ridge", centre=True).fit(sections[:2], 10)
    shifted = sections[2].blind()
    before = model.predict(shifted).X
    shifted.table.obsm["X_synthetic-features"] = shifted.table.obsm["X_synthetic-features"] + 5
    np.testing.assert_allclose(model.predict(shifted).X, before, atol=1e-4)


def test_centring_is_chosen_when_features_are_shifted_between_donors():
    shifted = make_feature_sections(4, 60, seed=3, feature_shift=5.0)
    genes = [g for g in shifted[0].table.var_names if g.startswith("FEATURE")]
    assert expression("ridge").fit(shifted, genes).centred_


def test_a_constant_column_carries_nothing(sections):
    train = [s.replace(table=s.table.copy()) for s in sections]
    for s in train:
        s.table.obsm["X_synthetic-features"][:, 0] = 7.0
    model = expression("ridge").fit(train[:2], 6)
    assert (model.coef_[0] == 0).all()
    assert np.isfinite(model.predict(train[2]).X).all()


def test_each_block_has_its_strength_and_a_fixed_one_is_kept(sections):
    assert expression("ridge").fit(sections, 6).strengths_.shape == (2,)
    assert (expression("ridge", strength=3.0).fit(sections, 6).strengths_ == 3.0).all()


def test_all_principal_components_equal_no_reduction(sections):
    options = {"strength": 5.0, "centre": False}
    full = expression("ridge", **options).fit(sections[:2], 6).predict(sections[2]).X
    rotated = expression("ridge", pca=11, **options).fit(sections[:2], 6).predict(sections[2]).X
    reduced = expression("ridge", pca=2, **options).fit(sections[:2], 6).predict(sections[2]).X
    assert np.abs(full - rotated).max() < np.abs(full - reduced).max()


def test_one_group_only_is_shrunk_to_the_mean_rather_than_overfitted():
    lone = make_feature_sections(1, 1, seed=1)
    model = expression("ridge", centre=False).fit(lone, 3)
    np.testing.assert_allclose(model.predict(lone[0]).X, model.train_mean_[None], atol=1e-6)
