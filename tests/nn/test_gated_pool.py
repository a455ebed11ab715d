"""Gated pooling: equal to the formula, blind to padding and order, one softmax per head."""

from __future__ import annotations

import pytest
import torch

from histoscribe.nn.gated_pool import GatedPool, pre_attention


def make(heads: int = 2) -> GatedPool:
    torch.manual_seed(0)
    return GatedPool(5, 3, heads).eval()


def test_pooling_is_the_formula() -> None:
    pool, x = make(1), torch.randn(1, 4, 5)
    (head,) = pool.heads
    score = (torch.tanh(head.value(x)) * torch.sigmoid(head.gate(x))) @ head.score.weight[0]
    expected = (score.softmax(-1)[..., None] * x).sum(1)
    torch.testing.assert_close(pool(x)[0], expected)


def test_padding_changes_nothing_and_has_no_weight() -> None:
    pool, x = make(), torch.randn(2, 4, 5)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    pooled, weights = pool(x, mask)
    alone, _ = pool(x[1:, :2])
    torch.testing.assert_close(pooled[1:], alone)
    assert (weights[1, :, 2:] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2))


def test_order_of_tiles_does_not_matter_but_the_tiles_do() -> None:
    pool, x = make(), torch.randn(1, 6, 5)
    torch.testing.assert_close(pool(x.flip(1))[0], pool(x)[0])
    assert not torch.allclose(pool(torch.cat([x[:, :5], x[:, :1]], 1))[0], pool(x)[0])


def test_heads_may_have_features_of_their_own() -> None:
    pool, x = make(), torch.randn(3, 4, 5)
    torch.testing.assert_close(pool(torch.stack([x, x], 2))[0], pool(x)[0])
    assert pool(x)[0].shape == (3, 10)


def test_every_parameter_gets_a_gradient() -> None:
    pool = make()
    pool(torch.randn(2, 4, 5))[0].square().sum().backward()
    # A constant added to all scores leaves the softmax alone: only the last bias has none.
    lacking = [name for name, p in pool.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-9]
    assert all(name.endswith("score.bias") for name in lacking)


@pytest.mark.parametrize("widths", [(5, 8), (5, 8, 6)])
def test_layers_before_the_pool_go_from_width_to_width(widths: tuple[int, ...]) -> None:
    assert pre_attention(*widths)(torch.zeros(2, 3, 5)).shape == (2, 3, widths[-1])
