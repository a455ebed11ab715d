"""What TRIPLEX and its descendants share: the encoders of section and surroundings, their fusion, and the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from histoscribe.nn.attention import CrossLayer, GridBias, SelfLayer
from histoscribe.nn.lattice import LatticeConv

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Fusion", "GlobalEncoder", "Size", "SurroundEncoder", "match_width", "taught_loss"]


class Size(NamedTuple):
    """Depth, heads, feed-forward ratio and dropout of one encoder."""

    depth: int
    heads: int
    ratio: float
    dropout: float


class GlobalEncoder(nn.Module):
    """Self-attention over all observations of a section; the lattice enters after the first layer.

    Source: TRIPLEX's global branch (triplex-2024).
    """

    def __init__(self, width: int, size: Size) -> None:
        super().__init__()
        self.first = SelfLayer(width, size.heads, size.ratio, dropout=size.dropout)
        self.position = LatticeConv(width)
        self.rest = nn.ModuleList(
            SelfLayer(width, size.heads, size.ratio, dropout=size.dropout) for _ in range(size.depth - 1)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, lattice: torch.Tensor) -> torch.Tensor:
        """Encode ``(n, d)`` tokens of observations at ``(n, 2)`` places of the array."""
        x = self.position(self.first(x[None])[0], lattice)[None]  # (1, n, d)
        for layer in self.rest:
            x = layer(x)
        return self.norm(x[0])


class SurroundEncoder(nn.Module):
    """Self-attention over the k x k tiles around an observation, with a learned bias per distance in each layer.

    Source: TRIPLEX's neighbour branch (triplex-2024).
    """

    def __init__(self, width: int, k: int, size: Size) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            SelfLayer(width, size.heads, size.ratio, dropout=size.dropout) for _ in range(size.depth)
        )
        self.biases = nn.ModuleList(GridBias(k, size.heads) for _ in range(size.depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        """Encode ``(b, k * k, d)`` tokens; those where ``(b, k * k)`` `inside` is False are not looked at."""
        for layer, bias in zip(self.layers, self.biases, strict=True):
            x = layer(x, bias=bias(), mask=inside)
        return self.norm(x)


class Fusion(nn.Module):
    """The section's token of an observation asks its tile, and (with the same weights) its surroundings.

    Source: TRIPLEX's fusion (triplex-2024): ``norm(cross(g, tile) + cross(g, surroundings))``.
    """

    def __init__(self, width: int, size: Size) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            CrossLayer(width, size.heads, size.ratio, dropout=size.dropout) for _ in range(size.depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self, query: torch.Tensor, tile: torch.Tensor, around: torch.Tensor, inside: torch.Tensor
    ) -> torch.Tensor:
        """Fuse ``(b, d)`` queries with ``(b, t, d)`` tile tokens and ``(b, k * k, d)`` surroundings."""
        found = []
        for context, mask in ((tile, None), (around, inside)):
            q = query[:, None]
            for layer in self.layers:
                q = layer(q, context, mask=mask)
            found.append(q[:, 0])
        return self.norm(found[0] + found[1])


def match_width(dim: int, width: int) -> nn.Module:
    """Bring features to the tokens' size; nothing where they have it, as published (both 512)."""
    return nn.Identity() if dim == width else nn.Linear(dim, width)


def taught_loss(
    fused: torch.Tensor, branches: Sequence[torch.Tensor], y: torch.Tensor, *, alpha: float, detach: bool = False
) -> torch.Tensor:
    """Return ``MSE(f, y) + sum_j (1 - alpha) MSE(j, y) + alpha MSE(j, f)``; `detach` stops the teacher's gradient.

    Source: triplex-2024, equations 14-16.
    """
    teacher = fused.detach() if detach else fused
    total = functional.mse_loss(fused, y)
    for branch in branches:
        total = total + (1 - alpha) * functional.mse_loss(branch, y) + alpha * functional.mse_loss(branch, teacher)
    return total
