"""What every pretrainer of slide vectors promises."""

import dataclasses

import numpy as np
import pytest

from histoscribe.core.errors import BundleError, DataError
from histoscribe.methods import PRETRAINING, SlidePretrainer, pretraining
from histoscribe.methods._pretrain import load_slide_pretrainer
from histoscribe.testing import make_bulk

PLANTED = make_bulk("diffuse", n_slides=16, n_sites=2, n_tiles=(6, 12), n_genes=5, dim=24, seed=4)


def make(name):
    if "tiny" not in PRETRAINING.get(name).presets:
        return pretraining(name)
    return pretraining(name, preset="tiny", training={"epochs": 2, "patience": 2})


@pytest.fixture(scope="module", params=list(PRETRAINING))
def fitted(request) -> SlidePretrainer:
    return make(request.param).fit(PLANTED.bags, PLANTED.expression, seed=1)


def test_the_card_names_the_registry_entry(fitted):
    assert PRETRAINING.get(fitted.card.name) is type(fitted)


def test_a_slide_has_one_finite_vector_of_its_own_tiles_alone(fitted):
    z = fitted.embed(PLANTED.bags)
    assert z.shape[0] == 16
    assert z.dtype == np.float32
    assert np.isfinite(z).all()
    np.testing.assert_allclose(fitted.embed(PLANTED.bags[3:4]), z[3:4], rtol=1e-5, atol=1e-6)


def test_the_order_of_tiles_does_not_matter(fitted):
    bag = PLANTED.bags[0]
    turned = dataclasses.replace(bag, features=bag.features[::-1].copy(), xy_um=None)
    np.testing.assert_allclose(fitted.embed([turned]), fitted.embed([bag]), rtol=1e-4, atol=1e-5)


def test_embedding_twice_gives_the_same(fitted):
    np.testing.assert_array_equal(fitted.embed(PLANTED.bags), fitted.embed(PLANTED.bags))


def test_the_same_seed_gives_the_same_vectors(fitted):
    again = make(fitted.card.name).fit(PLANTED.bags, PLANTED.expression, seed=1)
    np.testing.assert_array_equal(again.embed(PLANTED.bags), fitted.embed(PLANTED.bags))


def test_a_saved_model_gives_the_same_vectors_and_knows_genes_unit_and_slides(fitted, tmp_path):
    loaded = load_slide_pretrainer(fitted.save(tmp_path / "model.bundle"))
    np.testing.assert_array_equal(loaded.embed(PLANTED.bags), fitted.embed(PLANTED.bags))
    assert type(loaded) is type(fitted)
    assert loaded.params() == fitted.params()
    used = fitted.uses_expression
    assert loaded.genes_ == (list(PLANTED.expression.var_names) if used else [])
    assert loaded.unit_ == ("log2(x+1)" if used else "")
    assert [s["name"] for s in loaded.training_["slides"]] == [b.name for b in PLANTED.bags]


def test_other_features_are_refused(fitted):
    bag = PLANTED.bags[0]
    with pytest.raises(BundleError, match="Encode the slide as the training slides were"):
        fitted.embed([dataclasses.replace(bag, features=bag.features[:, :7])])
    with pytest.raises(BundleError, match="of uni"):
        fitted.embed([dataclasses.replace(bag, encoder="uni")])


def test_one_donor_is_refused(fitted):
    bags = [dataclasses.replace(b, donor="d") for b in PLANTED.bags]
    with pytest.raises(DataError, match="of one donor, d"):
        make(fitted.card.name).fit(bags, PLANTED.expression)


def test_slides_without_a_profile_are_refused_where_one_is_needed(fitted):
    if not fitted.uses_expression:
        assert make(fitted.card.name).fit(PLANTED.bags).embed(PLANTED.bags[:1]).shape[0] == 1
        return
    with pytest.raises(DataError, match="Give a table with a row for each slide"):
        make(fitted.card.name).fit(PLANTED.bags)
    with pytest.raises(DataError, match="1 of 16 slides have no profile"):
        make(fitted.card.name).fit(PLANTED.bags, PLANTED.expression[1:])
