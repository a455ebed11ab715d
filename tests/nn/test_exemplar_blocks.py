"""Blocks of exemplar-guided networks equal their equations on small tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from histoscribe.nn.exemplars import Bridge, ClassAttention, Exemplars, mse_and_correlation
from histoscribe.nn.squares import Squares


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_class_attention_is_the_mean_plus_a_weighted_softmax_of_its_own_scores():
    pool = ClassAttention(2, 1, weight=0.5, sharpness=2.0)
    with torch.no_grad():
        pool.head.weight.copy_(torch.tensor([[1.0, -1.0]]))
        pool.head.bias.fill_(10.0)
        found = pool(torch.tensor([[[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]]))
    scores = np.array([1.0, -2.0, 3.0])
    share = np.exp(2.0 * scores) / np.exp(2.0 * scores).sum()
    assert found.item() == pytest.approx(10.0 + scores.mean() + 0.5 * (share * scores).sum(), abs=1e-5)


def test_class_attention_ignores_tokens_that_do_not_exist():
    pool, x = ClassAttention(4, 3), torch.randn(2, 5, 4)
    mask = torch.tensor([[True] * 3 + [False] * 2] * 2)
    torch.testing.assert_close(pool(x, mask), pool(x[:, :3]))
    torch.testing.assert_close(pool(x, torch.ones(2, 5, dtype=torch.bool)), pool(x))


def test_the_loss_adds_one_minus_the_mean_correlation_of_genes():
    rng = np.random.default_rng(1)
    guess, y = rng.normal(size=(9, 3)), rng.normal(size=(9, 3))
    correlation = np.mean([np.corrcoef(guess[:, g], y[:, g])[0, 1] for g in range(3)])
    expected = ((guess - y) ** 2).mean() + 0.5 * (1 - correlation)
    found = mse_and_correlation(torch.tensor(guess), torch.tensor(y), weight=0.5)
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_a_constant_gene_correlates_nothing_and_its_gradient_is_finite():
    guess = torch.zeros(4, 1, requires_grad=True)
    found = mse_and_correlation(guess, torch.ones(4, 1), weight=0.5)
    found.backward()
    assert found.item() == pytest.approx(1.5)
    assert torch.isfinite(guess.grad).all()


def test_exemplar_tokens_add_image_and_profile_and_mark_those_that_lack():
    key, profile = torch.randn(5, 3), torch.rand(5, 4)
    block = Exemplars(key, profile, 6)
    tokens, mask = block(torch.tensor([[2, -1]]))
    sd = profile.std(0, unbiased=False)
    expected = block.image(key[2]) + block.project((profile[2] - profile.mean(0)) / sd)
    torch.testing.assert_close(tokens[0, 0], expected)
    assert mask.tolist() == [[True, False]]


def test_a_bridge_ignores_exemplars_that_do_not_exist():
    bridge = Bridge(8, heads=2, head_width=4, ratio=2)
    x, e = torch.randn(3, 4, 8), torch.randn(3, 5, 8)
    mask = torch.tensor([[True, True, False, False, False]] * 3)
    found, _ = bridge(x, e, mask)
    other = e.clone()
    other[:, 2:] = 100.0
    torch.testing.assert_close(found, bridge(x, other, mask)[0])
    assert not torch.allclose(found, bridge(x, e + 1.0 * torch.randn_like(e), mask)[0])


def test_a_bridge_does_not_mind_the_order_of_exemplars():
    bridge = Bridge(8, heads=2, head_width=4, ratio=2)
    x, e, mask = torch.randn(3, 4, 8), torch.randn(3, 5, 8), torch.ones(3, 5, dtype=torch.bool)
    order = torch.tensor([4, 2, 0, 1, 3])
    straight, turned = bridge(x, e, mask), bridge(x, e[:, order], mask)
    torch.testing.assert_close(straight[0], turned[0])
    torch.testing.assert_close(straight[1][:, order], turned[1])


def test_squares_embed_32_pixels_each():
    layer = Squares()
    pixels = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8)
    maps = layer.maps(pixels)
    assert maps.shape == (1, 1024, 2, 3)
    corner = (pixels[0, :, 32:, 64:].float() / 127.5 - 1.0).flatten()
    expected = layer.embed.weight.flatten(1) @ corner + layer.embed.bias
    torch.testing.assert_close(maps[0, :, 1, 2], expected, rtol=1e-3, atol=1e-3)
