"""Compare networks with their published code under copied weights; only where its licence (MIT) allows running it.

The code is not part of this project. Give clones of github.com/Dootmaan/M2OST and github.com/maxpmx/HisToGene; einops,
which both import, must be importable::

    python benchmarks/peer_modules.py --m2ost M2OST/model/M2OST.py --histogene HisToGene/transformer.py

Measured 2026-11-25 (seed 0, float32, one CPU thread; M2OST at 60fd90a, HisToGene at 44ff75b)::

    M2OST, whole network at 224 px: the released code fails (834 tokens, 589 positions)
    M2OST, 4 layers of 3 x 192 (released=True)   largest difference 2.1e-06 of values up to 3.8
    M2OST, cells of 16, 8 and 4 px               largest difference 2.7e-06 of values up to 4.4
    HisToGene, 4 layers of 1024, raw pixels      largest difference 3.0e-07 of values up to 1.2
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import nn

from histoscribe.methods import expression
from histoscribe.methods._batches import Part
from histoscribe.methods._m2ost_network import M2OSTNetwork, PixelScales


def main() -> None:
    """Compare what was given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--m2ost", type=Path, help="M2OST's model/M2OST.py")
    parser.add_argument("--histogene", type=Path, help="HisToGene's transformer.py")
    given = parser.parse_args()
    torch.manual_seed(0)
    with torch.no_grad():
        if given.m2ost:
            peer = load(given.m2ost)
            m2ost_whole(peer)
            m2ost_layers(peer)
            m2ost_cells(peer)
        if given.histogene:
            histogene(load(given.histogene))


def load(path: Path) -> ModuleType:
    """Import a file by its path."""
    spec = importlib.util.spec_from_file_location(f"peer_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def m2ost_whole(peer: ModuleType) -> None:
    """Run the released network as its example makes it."""
    network = peer.M2OST(num_classes=5, depth=1, dim=576, mlp_dim=384, heads=9, dim_head=64)
    try:
        network(*[torch.rand(1, 3, 224, 224)] * 3)
    except RuntimeError as err:
        print(f"M2OST, whole network at 224 px: {err}")
    else:
        print("M2OST, whole network at 224 px: runs")


def m2ost_layers(peer: ModuleType) -> None:
    """Compare four layers."""
    width = 192
    theirs = peer.Transformer(3 * width, 4, 9, 64, 2 * width).eval()
    size = {"heads": 3, "cross_heads": 3, "head_width": 64, "ratio": 2 / 3, "dropout": 0.0, "released": True}
    shapes = {f"tokens{i}": (9, width) for i in range(3)}
    ours = M2OSTNetwork(shapes, 5, width=width, depth=4, cell_px=16, token_dropout=0.0, size=size).eval()
    for (within, shared, across, gate), layer in zip(theirs.layers, ours.layers, strict=True):
        for i in range(3):
            attention, qkv = layer.within.attention[i], getattr(within, f"to_qkv{i + 1}").weight
            attention.query.weight.copy_(qkv[:width])
            attention.key_value.weight.copy_(qkv[width:])
            attention.output.load_state_dict(getattr(within, f"to_out{i + 1}")[0].state_dict())
            layer.across.query[i].load_state_dict(getattr(across, f"to_q{i}").state_dict())
            pair = torch.cat([getattr(across, f"to_{name}{i}").weight for name in "kv"])
            layer.across.key_value[i].weight.copy_(pair)
            layer.across.output[i][0].load_state_dict(getattr(across, f"to_out{i}")[0].state_dict())
        layer.shared.load_state_dict(shared.split_mlp.state_dict())
        layer.across.norm.load_state_dict(across.norm.state_dict())
        layer.gate.mlp.load_state_dict(gate.net.state_dict())
    ours.norm.load_state_dict(theirs.norm.state_dict())
    scales = [torch.randn(2, n, width) for n in (10, 12, 14)]
    expected = theirs(*[x.clone() for x in scales])
    for layer in ours.layers:
        scales = layer(scales)
    report("M2OST, 4 layers of 3 x 192 (released=True)", [ours.norm(x) for x in scales], expected)


def m2ost_cells(peer: ModuleType) -> None:
    """Compare the tokens of raw pixels, the third scale's middle cut where it is meant to be."""
    theirs = peer.M2OST(num_classes=5, depth=1, dim=576, mlp_dim=384, heads=9, dim_head=64).eval()
    coarse, fine, finest = (getattr(theirs, f"to_patch_embedding{i}") for i in (1, 2, 3))
    ours = PixelScales(3, 192, cell_px=16)
    for embed, other, cell in zip(ours.embed, (coarse, fine, finest), (16, 8, 4), strict=True):
        # Theirs flattens a cell as (row, column, channel), ours as (channel, row, column).
        order = torch.arange(3 * cell * cell).view(cell, cell, 3).permute(2, 0, 1).flatten()
        embed[0].weight.copy_(other[1].weight[order])
        embed[0].bias.copy_(other[1].bias[order])
        embed[1].weight.copy_(other[2].weight[:, order])
        embed[1].bias.copy_(other[2].bias)
        embed[3].load_state_dict(other[4].state_dict())
        embed[4].load_state_dict(other[5].state_dict())
    tiles = [torch.randint(0, 256, (1, 3, 224, 224)).float() for _ in range(3)]
    one, two, three = (tile / 255 for tile in tiles)
    half, quarter = slice(56, 168), slice(84, 140)
    expected = [
        coarse(one),
        torch.cat([fine(two[..., half, half]), coarse(two)], dim=1),
        torch.cat([finest(three[..., quarter, quarter]), fine(three[..., half, half]), coarse(three)], dim=1),
    ]
    report("M2OST, cells of 16, 8 and 4 px", ours(tiles), expected)


def histogene(peer: ModuleType) -> None:
    """Compare the whole network; the peer's wrapper needs Lightning, so its few lines are put together here."""
    width, px, n = 1024, 16, 40
    embed, norm, head = nn.Linear(3 * px * px, width), nn.LayerNorm(width), nn.Linear(width, 7)
    row, column = nn.Embedding(64, width), nn.Embedding(64, width)
    vit = peer.ViT(dim=width, depth=4, heads=16, mlp_dim=2 * width, dropout=0.1, emb_dropout=0.1).eval()
    method = expression("histogene", preset="published", depth=4, tile_px=px)
    method.memory_ = {"seen": np.array([[0, 0], [63, 63]])}
    ours = method.build({"pixels": (3, px, px), "places": (2,)}, 7).eval()
    pairs = [(ours.tile, embed), (ours.place.row, row), (ours.place.column, column), (ours.norm, norm)]
    for (attend, feed), layer in zip(vit.transformer.layers, ours.layers, strict=True):
        qkv = attend.fn.to_qkv.weight
        layer.attention.query.weight.copy_(qkv[:width])
        layer.attention.key_value.weight.copy_(qkv[width:])
        pairs += [(layer.attention.output, attend.fn.to_out[0]), (layer.norm, attend.norm)]
        pairs += [(layer.norm_out, feed.norm), (layer.feed_forward, feed.fn.net)]
    for mine, other in [*pairs, (ours.head, head)]:
        mine.load_state_dict(other.state_dict())
    tiles, places = torch.randint(0, 256, (n, 3, px, px), dtype=torch.uint8), torch.randint(0, 64, (n, 2))
    tokens = embed(tiles.flatten(1).float()) + row(places[:, 0]) + column(places[:, 1])
    found = method.forward(ours, Part({"pixels": tiles, "places": places}, torch.arange(n)))
    report("HisToGene, 4 layers of 1024, raw pixels", [found], [head(norm(vit(tokens[None])[0]))])


def report(what: str, found: list[torch.Tensor], expected: list[torch.Tensor]) -> None:
    """Print the largest difference and the largest value."""
    off = max(float((a - b).abs().max()) for a, b in zip(found, expected, strict=True))
    print(f"{what:45s}largest difference {off:.1e} of values up to {max(float(b.abs().max()) for b in expected):.1f}")


if __name__ == "__main__":
    main()
