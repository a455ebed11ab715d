"""BLEEP draws tiles to their profiles, retrieves from references alone, and holds validation profiles back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from histoscribe.methods import expression
from histoscribe.methods._network import Part
from histoscribe.methods.expression.bleep import contrastive_loss
from histoscribe.testing import make_feature_sections


@pytest.fixture(scope="module")
def sections():
    return make_feature_sections(4, 60, seed=2, donor_effect=0.05)


@pytest.fixture(scope="module")
def genes(sections):
    return [g for g in sections[0].table.var_names if g.startswith("FEATURE")]


@pytest.fixture(scope="module")
def fitted(sections, genes):
    return expression("bleep", preset="tiny").fit(sections[:3], genes)


def test_the_loss_is_the_symmetric_cross_entropy_to_soft_targets():
    images, profiles = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    t = 2.0
    # By hand: P I^T = [[1, 2], [0, 2]]; (I I^T + P P^T) / 2 = [[1.5, .5], [.5, 2.5]].
    logits = np.array([[1.0, 2.0], [0.0, 2.0]]) / t
    target = np.exp(np.array([[1.5, 0.5], [0.5, 2.5]]) * t)
    target /= target.sum(1, keepdims=True)
    by_row = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    by_column = logits - np.log(np.exp(logits).sum(0, keepdims=True))
    expected = -(target * by_row).sum() / 4 - (target * by_column).sum() / 4
    assert float(contrastive_loss(images, profiles, temperature=t)) == pytest.approx(expected, abs=1e-6)


def test_matching_pairs_cost_less_than_shuffled_ones():
    x = torch.eye(6) * 3
    paired = contrastive_loss(x, x, temperature=1.0)
    assert paired < contrastive_loss(x, x.roll(1, 0), temperature=1.0) - 1


def test_a_prediction_is_the_mean_of_the_k_references_nearest_by_cosine(fitted, sections):
    network = fitted.network_
    tokens = torch.tensor(fitted._standardised(fitted.views(sections[3]))["tokens"][:5])
    with torch.no_grad():
        images = network.image(tokens.mean(1)).numpy()
        references = network.embed(network.y).numpy()
    cosine = (images / np.linalg.norm(images, axis=1, keepdims=True)) @ (
        references / np.linalg.norm(references, axis=1, keepdims=True)
    ).T
    nearest = np.argsort(-cosine, axis=1)[:, : fitted.k]
    expected = fitted.memory_["y"][nearest].mean(1)
    np.testing.assert_allclose(fitted.predict(sections[3]).X[:5], expected, atol=1e-5)


def test_weights_fall_with_the_squared_distance_of_unit_vectors(fitted, sections):
    network = fitted.network_
    weighted = expression("bleep", preset="tiny", average="weighted", k=2)
    part = Part(
        {"tokens": torch.tensor(fitted._standardised(fitted.views(sections[3]))["tokens"][:3])}, torch.arange(3)
    )
    with torch.no_grad():
        found = weighted.forward(network, part).numpy()
        unit = torch.nn.functional.normalize(network.image(part.views["tokens"].mean(1)), dim=1)
        squared = torch.cdist(unit, network.references()).numpy().astype(np.float64) ** 2
    for row in range(3):
        near = np.argsort(squared[row])[:2]
        weight = np.exp(-squared[row][near])
        expected = (weight[:, None] * network.y.numpy()[near]).sum(0) / weight.sum()
        np.testing.assert_allclose(found[row], expected, atol=1e-4)


def test_every_parameter_receives_gradient(fitted, sections):
    network = fitted.network_.train()
    tokens = torch.tensor(fitted._standardised(fitted.views(sections[0]))["tokens"])
    y = torch.tensor(fitted.target_(sections[0], fitted.genes_))
    network.zero_grad()
    fitted.loss(network, [Part({"tokens": tokens}, torch.arange(len(y)), y)]).backward()
    network.eval()
    without = [n for n, p in network.named_parameters() if p.grad is None or not (p.grad != 0).any()]
    network.zero_grad()
    assert not without


def test_profiles_that_validate_are_not_among_the_references_meanwhile(sections, genes, monkeypatch):
    model = expression("bleep", preset="tiny", training={"epochs": 2, "patience": 1, "refit": True, "batch": 64})
    sizes, memorise = [], model.memorise

    def spy(units, allowed):
        found = memorise(units, allowed)
        sizes.append((len(found["y"]), [bool(a.all()) for a in allowed]))
        return found

    monkeypatch.setattr(model, "memorise", spy)
    model.fit(sections[:3], genes)
    (first, kept), (second, all_kept) = sizes
    assert (first, sorted(kept)) == (120, [False, True, True])
    assert (second, all_kept) == (180, [True, True, True])


def test_references_are_embedded_again_when_weights_change(fitted, sections):
    before = fitted.network_.references()
    assert fitted.network_.references() is before
    state = {name: value.clone() for name, value in fitted.network_.state_dict().items()}
    fitted.network_.load_state_dict({n: torch.ones_like(v) for n, v in state.items()})
    after = fitted.network_.references()
    fitted.network_.load_state_dict(state)
    assert not torch.equal(before, after)
    assert torch.equal(fitted.network_.references(), before)


def test_more_neighbours_than_references_are_all_of_them(sections, genes):
    lone = sections[0].subset(np.arange(10))
    model = expression("bleep", preset="tiny", k=50, training={"epochs": 1, "patience": 0}).fit([lone], genes)
    everyone = np.asarray(model.predict(sections[3]).X)
    np.testing.assert_allclose(everyone, np.broadcast_to(model.train_mean_, everyone.shape), atol=1e-4)


def test_the_tile_can_be_trained_from_pixels():
    from histoscribe.methods.expression.bleep import Bleep

    model = Bleep(width=8, backbone="resnet18", training={"device": "cpu"})
    model.memory_ = {"y": np.random.default_rng(0).random((12, 4)).astype(np.float32)}
    network = model.build({"pixels": (3, 32, 32)}, 4)
    part = Part({"pixels": torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)}, torch.arange(3), torch.rand(3, 4))
    model.loss(network, [part]).backward()
    assert (network.tile.backbone.conv1.weight.grad != 0).any()
    assert model.forward(network.eval(), part).shape == (3, 4)
