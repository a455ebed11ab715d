import numpy as np
import pytest
import torch

from histoscribe.core.errors import CoordinateError
from histoscribe.core.features import Features
from histoscribe.methods import expression
from histoscribe.methods._batches import Part
from histoscribe.testing import make_feature_sections

FAST = {"epochs": 2, "patience": 0}


@pytest.fixture(scope="module")
def sections():
    return make_feature_sections(3, 36, seed=2, n_genes=4, n_null=2)


@pytest.fixture(scope="module")
def fitted(sections):
    return expression("histogene", preset="tiny", training=FAST).fit(sections[:2], 6)


def part_of(model, section):
    views = {n: torch.from_numpy(np.ascontiguousarray(v)) for n, v in model._standardised(model.views(section)).items()}
    return Part(views, torch.arange(section.n_obs))


def test_every_parameter_receives_gradient(fitted, sections):
    network = fitted.network_.train()
    network.zero_grad()
    fitted.forward(network, part_of(fitted, sections[0])).square().sum().backward()
    fitted.network_.eval()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_another_observation_s_tile_changes_the_prediction(fitted, sections):
    part = part_of(fitted, sections[2])
    other = {**part.views, "features": part.views["features"].clone()}
    other["features"][7] += 1.0
    with torch.no_grad():
        change = (fitted.forward(fitted.network_, Part(other, part.rows)) - fitted.forward(fitted.network_, part)).abs()
    assert (change.sum(1) > 0).all()


def test_the_place_on_the_array_changes_the_prediction(fitted, sections):
    part = part_of(fitted, sections[2])
    other = {**part.views, "places": part.views["places"].flip(1)}
    with torch.no_grad():
        change = fitted.forward(fitted.network_, Part(other, part.rows)) - fitted.forward(fitted.network_, part)
    assert change.abs().max() > 0


def test_an_array_larger_than_those_of_training_can_be_predicted(fitted):
    wide = make_feature_sections(1, 100, seed=2, n_genes=4, n_null=2)[0]
    assert np.isfinite(np.asarray(fitted.predict(wide).X)).all()


def test_two_observations_at_one_place_are_refused(fitted, sections):
    table = sections[2].table.copy()
    table.obs["array_row"] = 0
    with pytest.raises(CoordinateError, match="places that are taken"):
        fitted.predict(sections[2].replace(table=table))


def test_a_signal_of_array_rows_is_learned_that_no_tile_shows(sections):
    def banded(section):
        table = section.table.copy()
        held = Features.of(table)
        Features(np.random.default_rng(0).normal(size=held.matrix.shape).astype(np.float32), held.spec).attach(table)
        counts = np.full(table.shape, 5)
        counts[:, 0] = 4 + 40 * (table.obs["array_row"].to_numpy() % 2)
        table.layers["counts"] = type(section.table.layers["counts"])(counts)
        table.obs["total_counts"] = counts.sum(1)
        return section.replace(table=table)

    found = [banded(s) for s in sections]
    gene = [str(sections[0].table.var_names[0])]
    model = expression("histogene", preset="tiny", training={"lr": 1e-2, "epochs": 30, "patience": 0})
    model.fit(found[:2], gene)
    guess, y = np.asarray(model.predict(found[2]).X)[:, 0], model.target_(found[2], gene)[:, 0]
    assert np.corrcoef(guess, y)[0, 1] > 0.8


def test_pixels_mode_reads_the_raw_tile():
    model = expression("histogene", preset="published", width=16, depth=1, heads=2, head_width=8)
    model.memory_ = {"seen": np.array([[0, 0], [1, 1]])}
    network = model.build({"pixels": (3, 112, 112), "places": (2,)}, 5)
    assert network.tile.in_features == 37_632
    tiles = torch.randint(0, 256, (2, 3, 112, 112), dtype=torch.uint8)
    views = {"pixels": tiles, "places": torch.tensor([[0, 0], [1, 1]])}
    network.eval()
    before = model.forward(network, Part(views, torch.arange(2)))
    after = model.forward(network, Part({**views, "pixels": 255 - tiles}, torch.arange(2)))
    assert before.shape == (2, 5)
    assert not torch.allclose(before, after)


def test_the_published_network_has_the_published_size():
    model = expression("histogene", preset="published")
    model.memory_ = {"seen": np.array([[0, 0], [63, 63]])}
    with torch.device("meta"):
        network = model.build({"pixels": (3, 112, 112), "places": (2,)}, 785)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6) == 107
