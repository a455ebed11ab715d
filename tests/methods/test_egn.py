"""EGN: exemplars carry the prediction, every part learns, and the target's scale comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from histoscribe.methods import expression
from histoscribe.methods._network import Part
from histoscribe.methods.expression.egn import EGN, _coarser
from histoscribe.testing import make_feature_sections


@pytest.fixture(scope="module")
def sections():
    return make_feature_sections(4, 40, seed=2, donor_effect=0.05)


@pytest.fixture(scope="module")
def fitted(sections):
    genes = [g for g in sections[0].table.var_names if g.startswith("FEATURE")]
    return expression("egn", preset="tiny", training={"epochs": 2, "batch": 32, "lr": 1e-2}).fit(sections[:3], genes)


def part_of(model, section, *, y=True):
    views = {name: torch.tensor(v) for name, v in model._standardised(model.views(section)).items()}
    n = section.n_obs
    views["exemplars"] = torch.arange(n)[:, None] % len(model.memory_["y"]) + torch.zeros(1, model.k, dtype=torch.int64)
    return Part(views, torch.arange(n), torch.tensor(model.target_(section, model.genes_)) if y else None)


def test_every_parameter_receives_gradient(fitted, sections):
    network = fitted.network_.train()
    network.zero_grad()
    fitted.loss(network, [part_of(fitted, sections[0])]).backward()
    network.eval()
    without = [n for n, p in network.named_parameters() if p.grad is None or not (p.grad != 0).any()]
    network.zero_grad()
    assert not without


def test_predictions_change_with_the_tile_and_with_the_exemplars(fitted, sections):
    part = part_of(fitted, sections[3], y=False)
    with torch.no_grad():
        before = fitted.forward(fitted.network_, part)
        other_tile = Part(part.views | {"tokens": part.views["tokens"] + 1.0}, part.rows)
        other_exemplars = Part(part.views | {"exemplars": part.views["exemplars"].flip(0)}, part.rows)
        assert not torch.allclose(before, fitted.forward(fitted.network_, other_tile))
        assert not torch.allclose(before, fitted.forward(fitted.network_, other_exemplars))


def test_training_exemplars_are_of_other_donors(sections, monkeypatch):
    model, seen = expression("egn", preset="tiny", training={"epochs": 1, "patience": 0, "batch": 64}), []
    relate = model.relate

    def spy(unit):
        found = relate(unit)
        seen.append((unit.origin, found["exemplars"]))
        return found

    monkeypatch.setattr(model, "relate", spy)
    model.fit(sections[:3], 4)
    for origin, index in seen:
        assert (model.memory_["origin"][index][..., 0] != origin[:, None, 0]).all()
    assert len(seen) == 3


@pytest.mark.parametrize("scale", ["none", "minmax", "sd"])
def test_an_untrained_network_predicts_about_the_training_mean_in_every_scale(sections, scale):
    options = {"epochs": 1, "batch": 0, "lr": 0.0, "patience": 0, "mixed": True}
    model = expression("egn", preset="tiny", scale=scale, training=options).fit(sections[:3], 6)
    model.network_.pool.head.weight.data.zero_()
    found = np.asarray(model.predict(sections[3]).X)
    np.testing.assert_allclose(found, np.broadcast_to(model.train_mean_, found.shape), rtol=1e-4, atol=1e-4)


def test_min_max_brings_the_training_range_to_0_and_1(sections):
    options = {"epochs": 1, "batch": 0, "patience": 0}
    model = expression("egn", preset="tiny", scale="minmax", training=options).fit(sections[:3], 6)
    scaled = model.network_.scale.into(torch.tensor(model.memory_["y"]))
    assert scaled.amin(0).tolist() == pytest.approx([0.0] * 6, abs=1e-5)
    assert scaled.amax(0).tolist() == pytest.approx([1.0] * 6, abs=1e-5)


def test_a_bridge_follows_every_second_layer():
    model = EGN(width=8, depth=5, heads=2)
    model.memory_ = {"key": np.zeros((3, 4), np.float32), "y": np.eye(3, dtype=np.float32)}
    model.memory_ |= {"low": np.zeros(3, np.float32), "span": np.ones(3, np.float32)}
    network = model.build({"tokens": (4, 4), "key": (4,)}, 3)
    assert list(network.bridges) == ["1", "3"]


def test_raw_squares_are_tokens_as_published():
    model = EGN(width=16, depth=2, heads=2, backbone="squares")
    model.memory_ = {"key": np.eye(4, dtype=np.float32), "y": np.eye(4, dtype=np.float32)}
    model.memory_ |= {"low": np.zeros(4, np.float32), "span": np.ones(4, np.float32)}
    network = model.build({"pixels": (3, 256, 256), "key": (4,)}, 4)
    assert network.place.shape == (64, 16)
    views = {"pixels": torch.zeros(2, 3, 256, 256, dtype=torch.uint8), "exemplars": torch.tensor([[0, 1], [2, -1]])}
    assert model.forward(network.eval(), Part(views, torch.arange(2))).shape == (2, 4)


def test_coarser_tokens_are_means_of_their_cells():
    tokens = np.arange(16, dtype=np.float32).reshape(1, 16, 1)
    np.testing.assert_allclose(_coarser(tokens, 2).ravel(), [2.5, 4.5, 10.5, 12.5])
