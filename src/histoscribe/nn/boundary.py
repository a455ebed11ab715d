"""Boundary guidance: encoders of edge and nuclei maps, and tokens that look at both. Source: bg-triplex-2024."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from histoscribe.nn.attention import CrossLayer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.nn.triplex import Size

__all__ = ["Guide", "SurroundMapEncoder", "TileMapEncoder"]


class TileMapEncoder(nn.Module):
    """``(b, 1, h, w)`` map of 0-255 -> ``(b, t, d)`` tokens, a 32nd of the side: 224 px give 7 x 7.

    Four times convolution 3 x 3 of stride 2 and ReLU, then max pooling of stride 2.

    Parameters
    ----------
    widths
        Channels after each convolution; published 64, 128, 256, 512.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.convolutions = _convolutions(widths)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Encode; the order of the tokens is row by row, and channels stay channels (released: a raw view)."""
        x = maps.float() / 255.0
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        return _pool(x).flatten(2).transpose(1, 2)


class SurroundMapEncoder(nn.Module):
    """``(b, 1, h, w)`` map of 0-255 of the surroundings -> ``(b, k * k, d)``: one token for each tile.

    Four times convolution 3 x 3 of stride 2, ReLU and max pooling of stride 2: 1120 px give 5 x 5 as published. For a
    coarser map the first stages pool less, so that k x k still come out, averaged where the sides do not divide.

    Parameters
    ----------
    widths
        Channels after each convolution.
    side
        Side of the map, px.
    k
        Tiles along a side.
    """

    def __init__(self, widths: Sequence[int], side: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.convolutions = _convolutions(widths)
        left = side
        for _ in widths:
            left = _half(left)
        self.n_pools = 0
        while self.n_pools < len(widths) and _half(left) >= k:
            left, self.n_pools = _half(left), self.n_pools + 1

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Encode."""
        x = maps.float() / 255.0
        for stage, convolution in enumerate(self.convolutions):
            x = functional.relu(convolution(x))
            # The last stages are those that pool: their maps are small either way.
            x = _pool(x) if stage >= len(self.convolutions) - self.n_pools else x
        return functional.adaptive_avg_pool2d(x, self.k).flatten(2).transpose(1, 2)  # (b, k * k, d)


class Guide(nn.Module):
    """Tokens look at the edge map's tokens and, with the same weights, at the nuclei map's.

    ``tokens' = norm(cross(tokens, edges) + cross(tokens, nuclei))``.
    """

    def __init__(self, width: int, size: Size) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            CrossLayer(width, size.heads, size.ratio, dropout=size.dropout) for _ in range(size.depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: torch.Tensor, edges: torch.Tensor, nuclei: torch.Tensor) -> torch.Tensor:
        """Guide ``(b, n, d)`` tokens by ``(b, m, d)`` tokens of each map, every observation by its own maps."""
        found = []
        for context in (edges, nuclei):
            x = tokens
            for layer in self.layers:
                x = layer(x, context)
            found.append(x)
        return self.norm(found[0] + found[1])


def _convolutions(widths: Sequence[int]) -> nn.ModuleList:
    pairs = zip((1, *widths), widths, strict=False)
    return nn.ModuleList(nn.Conv2d(n_in, n_out, 3, stride=2, padding=1) for n_in, n_out in pairs)


def _pool(x: torch.Tensor) -> torch.Tensor:
    return functional.max_pool2d(x, 3, stride=2, padding=1)


def _half(side: int) -> int:
    return (side + 1) // 2
