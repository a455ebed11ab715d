"""Cell composition from H&E alone goes the way of expression, and never sees the truth."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from histoscribe.core import keys
from histoscribe.core.composition import CompositionTarget, on_simplex
from histoscribe.core.errors import CoordinateError, DataError, RegistryError
from histoscribe.methods import EXPRESSION, HISTOLOGY, predictor, with_composition
from histoscribe.methods import train as fitting
from histoscribe.methods.apply import predict
from histoscribe.methods.bundle import Bundle, provenance
from histoscribe.methods.calibration import calibrate
from histoscribe.testing import make_feature_sections
from histoscribe.testing._promises import check_card
from histoscribe.testing._truth import Truth

TYPES = ["alpha", "beta", "gamma", "blind"]


def composed(section, *, seed):
    """Give a section shares that follow three genes of its features, and one type that follows nothing."""
    truth = Truth.of(section)
    genes = [g for g, c in zip(truth.genes, truth.classes, strict=True) if c == "feature"][:3]
    signal = Truth.of(section, genes).measured
    noise = np.random.default_rng(seed).normal(0, 0.6, (section.n_obs, 1))
    weight = np.exp(np.hstack([1.2 * (signal - signal.mean(0)), noise]))
    return with_composition(section, pd.DataFrame(weight, index=section.table.obs_names, columns=TYPES))


@pytest.fixture(scope="module")
def sections():
    return [composed(s, seed=i) for i, s in enumerate(make_feature_sections(5, 81, seed=5, donor_effect=0.05))]


@pytest.fixture(scope="module")
def bundle(sections):
    model = predictor("histology-composition").fit(sections[:-1], seed=1)
    return Bundle(model, calibrate(model, sections[:-1], seed=1), provenance(sections[:-1]))


def test_shares_sum_to_1_and_follow_the_planted_ones(sections, bundle):
    new = sections[-1]
    found = bundle.predictor.predict(new)
    shares, truth = found.obsm[keys.COMPOSITION], new.table.obsm[keys.COMPOSITION]
    assert list(found.uns[keys.UNS]["cell_types"]) == TYPES
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-12)
    assert (shares >= 0).all()
    mean = bundle.predictor.train_mean_
    assert ((shares - truth) ** 2).mean() < 0.7 * ((mean - truth) ** 2).mean()


def test_only_types_that_the_features_show_are_trusted(bundle):
    assert bundle.calibration.unit == "donor"
    assert bundle.calibration.trusted.tolist() == [True, True, True, False]


def test_sections_of_one_donor_vouch_for_no_type(sections):
    alone = [s.replace(donor="one") for s in sections[:3]]
    found = calibrate(predictor("histology-composition").fit(alone, seed=1), alone, seed=1)
    assert found.unit == "section"
    assert found.trust_mean[0] > 0.3
    assert not found.trusted.any()


def test_what_was_measured_never_reaches_predict(sections, bundle):
    new = sections[-1]
    before = np.asarray(bundle.predictor.predict(new).X)
    table = new.table.copy()
    table.obsm[keys.COMPOSITION] = np.full_like(table.obsm[keys.COMPOSITION], np.nan)
    table.layers[keys.COUNTS] = table.layers[keys.COUNTS] * 0
    table.obs[keys.DEPTH] = np.nan
    np.testing.assert_array_equal(before, bundle.predictor.predict(new.replace(table=table)).X)
    seen = []

    class Watching(HISTOLOGY.get("histology-composition")):
        def _predict(self, section):
            seen.append(section)
            return super()._predict(section)

    watching = Watching().fit(sections[:2], seed=1)
    watching.predict(new)
    assert keys.COMPOSITION not in seen[0].table.obsm
    assert not seen[0].measured


@pytest.mark.parametrize("name", HISTOLOGY)
def test_a_bundle_gives_back_the_method_to_the_bit(name, sections, tmp_path):
    check_card(HISTOLOGY.get(name).card, name=name)
    model = predictor(name).fit(sections[:2], seed=3)
    saved = Bundle(model, calibrate(model, sections[:2], seed=3), provenance(sections[:2])).save(tmp_path / "a.bundle")
    again = Bundle.load(saved)
    assert again.genes == TYPES
    assert again.predictor.target_ == CompositionTarget()
    np.testing.assert_array_equal(model.predict(sections[-1]).X, again.predictor.predict(sections[-1]).X)


@pytest.mark.parametrize("name", ["mean", "knn", "ridge"])
def test_a_predictor_of_expression_learns_composition(name, sections):
    model = predictor(name).fit(sections[:2], target=CompositionTarget(), seed=1)
    np.testing.assert_allclose(model.predict(sections[-1]).obsm[keys.COMPOSITION].sum(1), 1)


def test_a_likelihood_of_counts_is_refused_composition_and_the_other_way_round(sections):
    with pytest.raises(RegistryError, match="learns log1p-rate, not composition"):
        predictor("scribe").fit(sections[:2], target=CompositionTarget())
    with pytest.raises(DataError, match="has no cell composition"):
        predictor("histology-composition").fit(make_feature_sections(2, 20))
    assert "histology-composition" not in EXPRESSION


def test_the_source_of_the_composition_is_in_the_bundle(sections, bundle):
    assert {t["composition"]["method"] for t in bundle.provenance["training"]} == {"table"}


def test_deconvolved_sections_are_joined_by_name_and_place(sections):
    section = sections[0]
    found = anndata.AnnData(obs=section.table.obs[[]].iloc[::-1].copy())
    found.obsm[keys.COMPOSITION] = np.tile([0.25, 0.75], (section.n_obs, 1))
    found.obsm[keys.SPATIAL] = section.xy[::-1]
    found.obs[keys.INFORMED] = np.arange(section.n_obs) > 0
    found.uns[keys.UNS] = {"cell_types": ["a", "b"], "method": "nnls"}
    joined = with_composition(section, found)
    assert joined.n_obs == section.n_obs - 1
    assert json.loads(joined.table.uns[keys.UNS]["composition_source"]) == {"method": "nnls"}
    found.obsm[keys.SPATIAL] = section.xy
    with pytest.raises(CoordinateError, match="composition of another section"):
        with_composition(section, found)


def test_other_observations_and_values_that_are_no_shares_are_refused(sections):
    section = sections[0]
    names = section.table.obs_names
    with pytest.raises(DataError, match="no observation of section"):
        with_composition(section, pd.DataFrame({"a": [1.0]}, index=["elsewhere"]))
    with pytest.raises(DataError, match="negative or missing values"):
        with_composition(section, pd.DataFrame({"a": -1.0, "b": 2.0}, index=names))
    with pytest.raises(DataError, match="names 'a' twice"):
        with_composition(section, pd.DataFrame(np.ones((len(names), 2)), index=names, columns=["a", "a"]))
    other = with_composition(sections[1], pd.DataFrame(1.0, index=names, columns=["a", "b"]))
    with pytest.raises(DataError, match="Deconvolve all sections with one reference"):
        predictor("histology-composition").fit([section, other])


def test_the_nearest_composition_is_nearest():
    rng = np.random.default_rng(0)
    values = rng.normal(0.25, 0.5, (50, 4))
    found = on_simplex(values)
    np.testing.assert_allclose(found.sum(1), 1)
    others = rng.dirichlet(np.ones(4), 2000)
    nearest = ((values[:, None] - others) ** 2).sum(2).min(1)
    assert (((values - found) ** 2).sum(1) <= nearest + 1e-12).all()
    np.testing.assert_allclose(on_simplex(others), others, atol=1e-12)


def test_fit_and_predict_go_from_slide_to_intervals(tmp_path):
    from histoscribe.testing import make_section

    made = [make_section(d, seed=2, genes={"nuclear-density": 2, "stroma": 2, "rest": 20}) for d in range(2)]
    share = [np.clip(0.5 + 0.15 * (s.depth - s.depth.mean()) / s.depth.std(), 0.05, 0.95) for s in made]
    known = [
        with_composition(s, pd.DataFrame({"a": x, "b": 1 - x}, index=s.table.obs_names))
        for s, x in zip(made, share, strict=True)
    ]
    fitted = fitting.fit(known, "histology-composition", encoder="colour", cache=tmp_path, show=False)
    found = predict(made[0].blind(), fitted.save(tmp_path / "c.bundle"), cache=tmp_path, show=False)
    low, p, high = (found.obsm[k] for k in (keys.COMPOSITION_LOWER, keys.COMPOSITION, keys.COMPOSITION_UPPER))
    assert (low <= p + 1e-6).all()
    assert (p <= high + 1e-6).all()
    assert low.min() >= 0
    assert high.max() <= 1
    assert {keys.TRUSTED, keys.TRUST_TYPE_MEAN, keys.TRUST_TYPE_LOWER} <= set(found.var)
