"""Attention, the lattice convolution and ResNet18, against what they are defined to be."""

from __future__ import annotations

import pytest
import torch

from histoscribe.nn.attention import Attention, CrossLayer, GridBias, SelfLayer
from histoscribe.nn.lattice import LatticeConv, lattice_neighbours
from histoscribe.nn.resnet import ResNet18


def test_attention_is_softmax_of_scaled_products():
    torch.manual_seed(0)
    block, x, context = Attention(6, 2).eval(), torch.randn(1, 3, 6), torch.randn(1, 4, 6)
    q = block.query(x).view(3, 2, 3)
    k, v = block.key_value(context).view(4, 2, 2, 3).unbind(1)
    heads = [torch.softmax(q[:, h] @ k[:, h].T / 3**0.5, -1) @ v[:, h] for h in range(2)]
    assert torch.allclose(block(x, context)[0], block.output(torch.cat(heads, 1)), atol=1e-6)


def test_a_masked_token_is_not_looked_at():
    torch.manual_seed(0)
    block, x = Attention(4, 2).eval(), torch.randn(1, 3, 4)
    mask = torch.tensor([[True, True, False]])
    changed = x.clone()
    changed[0, 2] += 5
    assert torch.allclose(block(x[:, :1], x, mask=mask), block(x[:, :1], changed, mask=mask))
    assert not torch.allclose(block(x[:, :1], x), block(x[:, :1], changed))


def test_a_row_without_any_token_is_finite():
    block, x = Attention(4, 2).eval(), torch.randn(1, 3, 4)
    assert torch.isfinite(block(x, x, mask=torch.zeros(1, 3, dtype=torch.bool))).all()


def test_the_grid_bias_depends_on_distance_alone_and_starts_at_zero():
    bias = GridBias(3, 2)
    assert not bias().any()
    with torch.no_grad():
        bias.table.copy_(torch.arange(18.0).view(2, 9))
    table = bias()
    assert table.shape == (2, 9, 9)
    assert torch.equal(table, table.transpose(1, 2))
    assert table[0, 0, 4] == table[0, 4, 8] == table[0, 2, 4]  # one row and one column apart
    assert table[0, 0, 1] != table[0, 0, 3]  # a column apart is not a row apart


@pytest.mark.parametrize("layer", [SelfLayer(8, 2, 2.0, dropout=0.5), CrossLayer(8, 2, 2.0, dropout=0.5)])
def test_dropout_is_off_in_evaluation(layer):
    x = torch.randn(1, 5, 8)
    inputs = (x,) if isinstance(layer, SelfLayer) else (x, x)
    layer.eval()
    assert torch.equal(layer(*inputs), layer(*inputs))
    layer.train()
    assert not torch.equal(layer(*inputs), layer(*inputs))


def test_neighbours_are_found_in_any_order_and_do_not_wrap():
    lattice = torch.tensor([[0, 2], [1, 0], [0, 0], [5, 5], [0, 1]])
    offsets = torch.tensor([[0, 0], [0, 1], [0, -1], [1, 0]])
    found = lattice_neighbours(lattice, offsets)
    assert found.tolist() == [[0, -1, 4, -1], [1, -1, -1, -1], [2, 4, -1, 1], [3, -1, -1, -1], [4, 0, 2, -1]]


def test_the_lattice_convolution_is_conv2d_on_the_dense_grid():
    torch.manual_seed(0)
    block = LatticeConv(3)
    with torch.no_grad():
        block.bias.normal_()
    lattice = torch.tensor([[0, 0], [0, 1], [2, 2], [1, 1], [2, 0]])
    x = torch.randn(5, 3)
    dense = torch.zeros(1, 3, 3, 3)
    dense[0, :, lattice[:, 0], lattice[:, 1]] = x.T
    kernel = block.weight.T.view(3, 1, 3, 3)
    conv = torch.nn.functional.conv2d(dense, kernel, block.bias, padding=1, groups=3) + dense
    assert torch.allclose(block(x, lattice), conv[0, :, lattice[:, 0], lattice[:, 1]].T, atol=1e-6)
    order = torch.tensor([3, 1, 4, 0, 2])
    assert torch.allclose(block(x[order], lattice[order]), block(x, lattice)[order], atol=1e-6)


def test_a_token_of_zeros_keeps_its_place():
    block, lattice = LatticeConv(2), torch.tensor([[0, 0], [0, 1]])
    assert block(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), lattice).shape == (2, 2)


def test_resnet18_has_the_published_size_and_names():
    network = ResNet18()
    assert sum(p.numel() for p in network.parameters()) == 11_176_512  # torchvision's 11,689,512 less its classifier
    assert network.maps(torch.zeros(1, 3, 64, 64)).shape == (1, 512, 2, 2)
    names = set(network.state_dict())
    assert {"conv1.weight", "layer2.0.downsample.0.weight", "layer4.1.bn2.running_var"} <= names
