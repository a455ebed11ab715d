import numpy as np
import pytest

from histoscribe.core.errors import DataError
from histoscribe.core.features import Features
from histoscribe.testing import FEATURES, Truth, make_feature_sections, make_section, plant_on_features


def test_planted_genes_are_linear_in_the_features_and_null_genes_are_constant():
    sections = make_feature_sections(2, 200, n_genes=4, n_null=3)
    for section in sections:
        truth = Truth.of(section)
        X = np.column_stack([np.ones(200), Features.of(section.table, FEATURES).matrix])
        linear = truth.where("feature")
        fit = X @ np.linalg.lstsq(X, truth.expected[:, linear], rcond=None)[0]
        assert np.abs(fit - truth.expected[:, linear]).max() < 1e-3
        assert np.ptp(truth.expected[:, truth.where("null")], axis=0).max() < 1e-9


def test_relation_is_the_same_in_every_donor():
    sections = make_feature_sections(2, 300, n_genes=3, feature_shift=0.0, donor_effect=0.0)
    slopes = []
    for section in sections:
        truth = Truth.of(section)
        X = np.column_stack([np.ones(300), Features.of(section.table).matrix])
        slopes.append(np.linalg.lstsq(X, truth.expected[:, truth.where("feature")], rcond=None)[0])
    assert np.allclose(*slopes, atol=1e-3)


def test_depth_genes_follow_depth_and_nothing_else():
    section = make_feature_sections(1, 400, n_depth=4)[0]
    truth = Truth.of(section)
    expected = truth.expected[:, truth.where("depth")]
    log = np.log(section.depth)
    assert (np.abs(np.corrcoef(log, expected.T)[0, 1:]) > 0.95).all()


def test_features_of_donors_are_shifted_as_asked():
    near, far = (
        np.array([Features.of(s.table).matrix.mean(0) for s in make_feature_sections(30, 50, feature_shift=shift)])
        for shift in (0.0, 1.0)
    )
    assert far.std(0).mean() > 2 * near.std(0).mean()


def test_200_donors_are_all_different():
    sections = make_feature_sections(200, 30)
    assert len({s.donor for s in sections}) == 200
    assert len({Features.of(s.table).matrix.tobytes() for s in sections}) == 200


def _with_features(section, seed):
    spec = Features.of(make_feature_sections(1, 30)[0].table).spec
    matrix = np.random.default_rng(seed).normal(size=(section.n_obs, spec.dim)).astype(np.float32)
    table = section.table.copy()
    Features(matrix, spec).attach(table)
    return section.replace(table=table)


def test_planting_on_features_keeps_other_genes_and_libraries():
    sections = [_with_features(make_section(d), d) for d in range(2)]
    planted = plant_on_features(sections, n_genes=5)
    for old, new in zip(sections, planted, strict=True):
        truth, before = Truth.of(new), Truth.of(old)
        X = np.column_stack([np.ones(new.n_obs), Features.of(new.table).matrix])
        linear = truth.expected[:, truth.where("feature")]
        assert linear.shape[1] == 5
        assert np.abs(X @ np.linalg.lstsq(X, linear, rcond=None)[0] - linear).max() < 1e-3
        assert np.allclose(truth.expected[:, truth.where("gland")], before.expected[:, before.where("gland")])
        assert np.allclose(new.table.layers["expected_share"].sum(1), 1.0)
        assert np.allclose(np.asarray(new.table.layers["counts"].sum(1)).ravel(), new.depth)
        assert new.slide is old.slide


def test_genes_that_would_fill_the_library_are_refused_with_the_way_out():
    with pytest.raises(DataError, match=r"would fill \d+% of a library\. Plant fewer"):
        make_feature_sections(20, 30, n_genes=40, donor_effect=3.0)
