"""Slide-level regressors: exact tuning, maps that add up, batches with padding, what a file holds, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from histoscribe.core.bag import Bag
from histoscribe.core.errors import BundleError, DataError, GeneError
from histoscribe.methods import slide_level
from histoscribe.methods._slide_level import load_slide_regressor
from histoscribe.methods._slide_network import hold_out_donors, padded
from histoscribe.methods._slide_ridge import fit_ridge, left_out_error, profile_axes
from histoscribe.methods.bundle import Bundle
from histoscribe.metrics import pcc_gene
from histoscribe.testing import make_bulk


@pytest.fixture(scope="module")
def planted():
    return make_bulk("regional", n_slides=90, n_sites=3, n_tiles=(30, 50), n_genes=8, dim=14, seed=2)


@pytest.fixture(scope="module")
def abmil(planted):
    options = {"epochs": 3, "patience": 0, "refit": False}
    return slide_level("direct-abmil", training=options).fit(planted.bags[:20], planted.expression)


def test_left_out_error_is_that_of_refits_without_the_donor(rng):
    x, y, groups = rng.normal(size=(9, 3)), rng.normal(size=(9, 2)), np.array([0, 0, 1, 2, 3, 4, 4, 4, 5])
    expected = 0.0
    for group in np.unique(groups):
        kept, out = groups != group, groups == group
        a = x[kept] - x[kept].mean(0)
        w = np.linalg.solve(a.T @ a + np.eye(3), a.T @ (y[kept] - y[kept].mean(0)))
        expected += ((y[out] - y[kept].mean(0) - (x[out] - x[kept].mean(0)) @ w) ** 2).sum()
    assert left_out_error(x @ x.T, y, groups) == pytest.approx(expected)


def test_a_block_of_noise_is_left_out_and_a_block_of_signal_is_not(rng):
    signal, noise = rng.normal(size=(60, 3)), rng.normal(size=(60, 30))
    found = fit_ridge([signal, noise], signal @ rng.normal(size=(3, 4)), np.arange(60))
    assert found.strengths[0] < 0.1
    assert found.strengths[1] > 100
    np.testing.assert_allclose(found.weights[1], 0, atol=1e-3)


def test_axes_hold_profiles_exactly_or_their_largest_part(rng):
    y = rng.normal(size=(6, 40)).astype(np.float32)
    scores, axes = profile_axes(y)
    np.testing.assert_allclose(scores @ axes, y, atol=1e-4)
    few, kept = profile_axes(y, most=2)
    values = np.linalg.svd(y, compute_uv=False)
    assert ((y - few @ kept) ** 2).sum() == pytest.approx((values[2:] ** 2).sum(), rel=1e-4)


def test_clusters_see_a_region_that_the_mean_tile_does_not(planted):
    train, test = planted.bags[:60], planted.bags[60:]
    truth = planted.expression[[b.name for b in test]].X
    scores = {}
    for name in ("cluster-ridge", "tile-mean-ridge"):
        predicted = slide_level(name).fit(train, planted.expression).predict(test)
        scores[name] = float(pcc_gene(truth, predicted.X).mean())
    assert scores["cluster-ridge"] > 0.5
    assert scores["tile-mean-ridge"] < 0.3


def test_tile_predictions_weighted_by_attention_add_up_to_the_slide(planted, abmil):
    bag = planted.bags[30]
    weights = abmil.attention(bag)[0]
    np.testing.assert_allclose(weights @ abmil.predict_tiles(bag).X, abmil.predict([bag]).X[0], atol=1e-3)


@pytest.mark.parametrize("name", ["contrastive", "direct-abmil", "direct-tile", "he2rna-topk"])
def test_padding_and_batch_mates_change_nothing(name, rng):
    torch.manual_seed(0)
    network = slide_level(name).build(5, 4).eval()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    bags = [rng.normal(size=(n, 5)).astype(np.float32) for n in (3, 7, 1)]
    with torch.no_grad():
        together = network(*padded(bags))
        alone = torch.cat([network(*padded([bag])) for bag in bags])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def test_donors_that_stop_training_are_whole_and_a_fifth(rng):
    groups = np.repeat(np.arange(10), 3)
    held = hold_out_donors(groups, rng=rng)
    assert held.sum() == 6
    assert set(groups[held]).isdisjoint(groups[~held])
    assert not hold_out_donors(np.arange(4), rng=rng).any()


def test_file_names_genes_unit_encoder_licence_and_training_slides(planted, tmp_path):
    path = slide_level("tile-mean-ridge").fit(planted.bags[:20], planted.expression).save(tmp_path / "a.bundle")
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["histoscribe"])
    assert header["genes"] == list(planted.expression.var_names)
    assert (header["unit"], header["encoder"], header["licence"]) == ("log2(x+1)", "planted", "BSD-3-Clause")
    assert header["gated"] is False
    first = header["training"]["slides"][0]
    assert (first["name"], first["donor"], first["site"]) == ("slide0", "donor0", "site0")
    assert len(first["features"]) == len(first["profile"]) == 16
    with pytest.raises(BundleError, match="of kind 'slide-level', not 'expression'"):
        Bundle.load(path)
    with pytest.raises(BundleError, match="histoscribe slide-level fit"):
        load_slide_regressor(tmp_path / "no.bundle")


def test_what_cannot_be_learned_from_is_refused(planted):
    model, bags = slide_level("mean"), list(planted.bags[:3])
    frame = planted.expression.to_df()
    with pytest.raises(DataError, match="does not say its unit"):
        model.fit(bags, frame)
    with pytest.raises(DataError, match="1 of 3 slides have no profile, the first slide2"):
        model.fit(bags, frame.drop(index="slide2"), unit="u")
    with pytest.raises(GeneError, match="names 1 genes more than once, the first gene0"):
        model.fit(bags, pd.concat([frame, frame[["gene0"]]], axis=1), unit="u")
    broken = frame.copy()
    broken.iloc[0, 3] = np.nan
    with pytest.raises(DataError, match="1 genes have values that are not finite, the first gene3"):
        model.fit(bags, broken, unit="u")
    with pytest.raises(DataError, match="given more than once, the first slide0"):
        model.fit([bags[0], bags[0]], frame, unit="u")
    other = Bag("slide1", bags[1].features, encoder="uni")
    with pytest.raises(DataError, match="slide0 14 of planted and slide1 14 of uni"):
        model.fit([bags[0], other], frame, unit="u")
