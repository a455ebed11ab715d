"""EGGN: links are the near and the alike, layers equal their equations, and neighbours carry signal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError
from histoscribe.methods import _views, expression
from histoscribe.methods._network import Part
from histoscribe.methods.expression.eggn import HeteroSage, neighbours_within
from histoscribe.testing import make_feature_sections


@pytest.fixture(scope="module")
def sections():
    return make_feature_sections(4, 49, seed=2, donor_effect=0.05)


@pytest.fixture(scope="module")
def fitted(sections):
    genes = [g for g in sections[0].table.var_names if g.startswith("FEATURE")]
    return expression("eggn", preset="tiny", training={"epochs": 3, "lr": 1e-2}).fit(sections[:3], genes)


def part_of(model, section):
    views = model._standardised(model.views(section))
    n = section.n_obs
    index = np.arange(n)[:, None] % len(model.memory_["y"]) + np.zeros((1, model.k), dtype=int)
    views |= {"neighbours": neighbours_within(views["places"], model.radius), "exemplars": index}
    y = torch.tensor(model.target_(section, model.genes_))
    return Part({name: torch.tensor(v) for name, v in views.items()}, torch.arange(n), y)


def with_array(section, row, column, xy):
    table = section.subset(np.arange(len(row))).table.copy()
    table.obs = pd.DataFrame({keys.ARRAY_ROW: row, keys.ARRAY_COL: column}, index=table.obs_names)
    table.obsm[keys.SPATIAL] = np.asarray(xy, dtype=np.float64)
    return section.replace(table=table)


def test_a_square_array_links_the_3x3_square():
    row, column = np.divmod(np.arange(25), 5)
    found = neighbours_within(np.stack([column, row], axis=1).astype(float), 2**0.5)
    assert sorted(found[12]) == [6, 7, 8, 11, 13, 16, 17, 18]
    assert sorted(found[0][found[0] >= 0]) == [1, 5, 6]


def test_a_hexagonal_array_links_its_six_nearest(sections):
    row, half = np.divmod(np.arange(35), 7)
    column = 2 * half + row % 2
    xy = np.stack([50.0 * column, 100.0 * 3**0.5 / 2 * row], axis=1) / sections[0].mpp
    hexagonal = with_array(sections[0], row, column, xy).replace(pitch_um=100.0, spot_um=55.0)
    found = neighbours_within(_views.positions(hexagonal), 2**0.5)
    middle = 2 * 7 + 3
    assert sorted(found[middle]) == sorted([middle - 1, middle + 1, 9, 10, 23, 24])


def test_places_on_a_turned_array_do_not_follow_the_jitter_of_spots(sections, rng):
    row, column = np.divmod(np.arange(49), 7)
    angle = 0.4
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    xy = 100.0 * np.stack([column, row], axis=1) @ turn + rng.normal(0, 8.0, (49, 2))
    section = with_array(sections[0], row, column, xy / sections[0].mpp).replace(pitch_um=100.0)
    found = neighbours_within(_views.positions(section), 2**0.5)
    rows, columns = (1 + (along > 0) + (along < 6) for along in (row, column))
    assert ((found >= 0).sum(1) == rows * columns - 1).all()


def test_lone_observations_have_no_neighbours():
    assert neighbours_within(np.zeros((1, 2)), 1.5).tolist() == [[-1]]
    assert neighbours_within(np.array([[0.0, 0.0], [9.0, 9.0]]), 1.5).tolist() == [[-1], [-1]]


def test_a_place_taken_twice_is_refused(fitted, sections):
    table = sections[3].table.copy()
    table.obs[keys.ARRAY_ROW] = 0
    with pytest.raises(CoordinateError, match="places that are taken"):
        fitted.predict(sections[3].replace(table=table))


def test_a_layer_is_the_sum_of_means_over_both_kinds_of_links():
    torch.manual_seed(0)
    layer = HeteroSage(4).eval()
    x, e = torch.randn(3, 4), torch.randn(3, 2, 4)
    neighbours = torch.tensor([[1, 2], [0, -1], [-1, -1]])
    mask = torch.tensor([[True, True], [True, False], [True, True]])
    found, revised = layer(x, e, neighbours, mask)
    around = torch.stack([(x[1] + x[2]) / 2, x[0], torch.zeros(4)])
    alike = torch.stack([(e[0, 0] + e[0, 1]) / 2, e[1, 0], (e[2, 0] + e[2, 1]) / 2])
    total = x @ layer.own.weight.T + layer.own.bias + around @ layer.around.weight.T + alike @ layer.alike.weight.T
    torch.testing.assert_close(found, layer.norm(torch.relu(total)))
    own = e[2, 1] @ layer.exemplar.weight.T + layer.exemplar.bias + x[2] @ layer.of_tile.weight.T
    torch.testing.assert_close(revised[2, 1], layer.norm_exemplar(torch.relu(own)))


def test_every_parameter_receives_gradient(fitted, sections):
    network = fitted.network_.train()
    network.zero_grad()
    fitted.loss(network, [part_of(fitted, sections[0])]).backward()
    network.eval()
    without = [n for n, p in network.named_parameters() if p.grad is None or not (p.grad != 0).any()]
    network.zero_grad()
    assert not without


def test_predictions_change_with_a_neighbour_and_with_the_exemplars(fitted, sections):
    part = part_of(fitted, sections[3])
    with torch.no_grad():
        before = fitted.forward(fitted.network_, part)
        features = part.views["features"].clone()
        features[24] += 2.0
        after = fitted.forward(fitted.network_, Part(part.views | {"features": features}, part.rows))
        moved = ~torch.isclose(before, after, atol=1e-6).all(1)
        flipped = Part(part.views | {"exemplars": part.views["exemplars"].flip(0)}, part.rows)
        assert not torch.allclose(before, fitted.forward(fitted.network_, flipped))
    # Two layers: two steps of the 3 x 3 square around the changed tile, and no further.
    row, column = np.divmod(np.arange(49), 7)
    assert moved.numpy().tolist() == (np.maximum(abs(row - 3), abs(column - 3)) <= 2).tolist()


def test_it_learns_what_the_neighbours_show_and_the_tile_does_not(sections):
    rng = np.random.default_rng(5)
    made = make_feature_sections(3, 100, seed=3, n_genes=2, n_null=2, donor_effect=0.0)
    genes = ["FEATURE01", "FEATURE02"]
    training, truth = [], {}
    for section in made:
        table = section.table.copy()
        features = rng.normal(size=(100, 16)).astype(np.float32)
        links = neighbours_within(_views.positions(section), 2**0.5)
        signal = np.array([features[row[row >= 0], 0].mean() for row in links]) * 8**0.5
        table.obsm["X_synthetic-features"] = features
        counts = table.layers[keys.COUNTS].toarray()
        counts[:, table.var_names.get_indexer(genes)] = np.rint(300 * np.exp(0.6 * signal))[:, None]
        table.layers[keys.COUNTS] = type(table.layers[keys.COUNTS])(counts)
        training.append(section.replace(table=table))
        truth[section.name] = signal
    options = {"epochs": 30, "patience": 0, "lr": 1e-2}
    model = expression("eggn", preset="tiny", training=options).fit(training[:2], genes)
    found = np.asarray(model.predict(training[2]).X)[:, 0]
    assert np.corrcoef(found, truth[training[2].name])[0, 1] > 0.5
    alone = np.asarray(training[2].table.obsm["X_synthetic-features"])[:, 0]
    assert abs(np.corrcoef(alone, truth[training[2].name])[0, 1]) < 0.3
