"""M2OST's network: tokens of several scales that attend within and across scales, and gate each other's channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from histoscribe.nn.attention import Attention

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ChannelGate", "CrossScale", "M2OSTNetwork", "PixelScales", "Within"]

Scales = list[torch.Tensor]  # one (b, n_i, width) per scale, smallest field first


class Within(nn.Module):
    """Attention among the tokens of each scale, with weights of its own for each, and a shortcut."""

    def __init__(
        self, n_scales: int, width: int, *, heads: int, head_width: int, dropout: float, released: bool
    ) -> None:
        super().__init__()
        self.norm = nn.ModuleList(nn.Identity() if released else nn.LayerNorm(width) for _ in range(n_scales))
        self.attention = nn.ModuleList(
            Attention(width, heads, dropout=dropout, head_width=head_width) for _ in range(n_scales)
        )

    def forward(self, scales: Scales) -> Scales:
        """Transform each scale by itself."""
        normed = [norm(x) for norm, x in zip(self.norm, scales, strict=True)]
        return [x + attend(n, n) for x, n, attend in zip(scales, normed, self.attention, strict=True)]


class CrossScale(nn.Module):
    """Each scale's tokens look at those of every other scale, one at a time; what they find is joined by channel.

    The released layer has no shortcut, so that a token keeps nothing of its own.
    """

    def __init__(
        self, n_scales: int, width: int, *, heads: int, head_width: int, dropout: float, released: bool
    ) -> None:
        super().__init__()
        self.heads, self.shortcut = heads, not released
        inner = heads * head_width
        self.norm = nn.LayerNorm(width)
        self.query = nn.ModuleList(nn.Linear(width, inner, bias=False) for _ in range(n_scales))
        self.key_value = nn.ModuleList(nn.Linear(width, 2 * inner, bias=False) for _ in range(n_scales))
        self.output = nn.ModuleList(
            nn.Sequential(nn.Linear((n_scales - 1) * inner, width), nn.Dropout(dropout)) for _ in range(n_scales)
        )

    def forward(self, scales: Scales) -> Scales:
        """Transform every scale by the others."""
        normed = [self.norm(x) for x in scales]
        queries = [self._split(project(x)) for project, x in zip(self.query, normed, strict=True)]
        pairs = [project(x).chunk(2, dim=-1) for project, x in zip(self.key_value, normed, strict=True)]
        keys, values = ([self._split(pair[i]) for pair in pairs] for i in (0, 1))
        out = []
        for i, query in enumerate(queries):
            others = [j for j in range(len(scales)) if j != i]
            found = [functional.scaled_dot_product_attention(query, keys[j], values[j]) for j in others]
            joined = torch.cat([f.transpose(1, 2).flatten(2) for f in found], dim=-1)  # (b, n_i, others * inner)
            mixed = self.output[i](joined)
            out.append(scales[i] + mixed if self.shortcut else mixed)
        return out

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (b, n, inner) -> (b, heads, n, head width)


class ChannelGate(nn.Module):
    """Weigh the channels of each scale by the mean tokens of all: ``x + x * sigmoid(mlp(means))``."""

    def __init__(self, n_scales: int, width: int, hidden: int, *, dropout: float) -> None:
        super().__init__()
        every = n_scales * width
        self.mlp = nn.Sequential(
            nn.LayerNorm(every),
            nn.Linear(every, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, every),
            nn.Dropout(dropout),
            nn.Sigmoid(),
        )

    def forward(self, scales: Scales) -> Scales:
        """Gate every scale."""
        gates = self.mlp(torch.cat([x.mean(1) for x in scales], dim=-1)).chunk(len(scales), dim=-1)
        return [x + x * gate[:, None] for x, gate in zip(scales, gates, strict=True)]


class _Layer(nn.Module):
    """Within each scale, one feed-forward for all, across scales, and the gate."""

    def __init__(
        self,
        n_scales: int,
        width: int,
        *,
        heads: int,
        cross_heads: int,
        head_width: int,
        ratio: float,
        dropout: float,
        released: bool,
    ) -> None:
        super().__init__()
        hidden = round(ratio * width)
        shape = {"head_width": head_width, "dropout": dropout, "released": released}
        self.within = Within(n_scales, width, heads=heads, **shape)
        # A GELU after the second layer too, as released.
        self.shared = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, width),
            nn.GELU(),
        )
        # A lone scale has none to look at.
        self.across = CrossScale(n_scales, width, heads=cross_heads, **shape) if n_scales > 1 else nn.Identity()
        self.gate = ChannelGate(n_scales, width, n_scales * hidden, dropout=dropout)

    def forward(self, scales: Scales) -> Scales:
        scales = [x + self.shared(x) for x in self.within(scales)]
        return self.gate(self.across(scales))


class PixelScales(nn.Module):
    """Tokens of tiles of the same px and growing field: the whole in coarse cells, the middle in finer ones.

    Scale i is cut into cells of `cell_px`; the half of its side in the middle (if i > 0) also into cells of half that,
    the quarter (if i > 1) into cells of a quarter, and so on: the finest cells show the field of scale 0 at its own
    resolution. Finer tokens come first.
    """

    def __init__(self, n_scales: int, width: int, *, cell_px: int) -> None:
        super().__init__()
        self.cells = [cell_px // 2**i for i in range(n_scales)]
        every = n_scales * width
        self.embed = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(3 * cell * cell),
                nn.Linear(3 * cell * cell, every // (1, 2, 4)[min(i, 2)]),
                nn.GELU(),
                nn.Linear(every // (1, 2, 4)[min(i, 2)], width),
                nn.LayerNorm(width),
            )
            for i, cell in enumerate(self.cells)
        )

    def forward(self, pixels: Sequence[torch.Tensor]) -> Scales:
        """Turn ``(b, 3, px, px)`` of 0-255 per scale into ``(b, n, width)`` tokens per scale."""
        return [
            torch.cat([self.embed[j](self._cut(tile, j)) for j in range(i, -1, -1)], dim=1)
            for i, tile in enumerate(pixels)
        ]

    def _cut(self, tile: torch.Tensor, level: int) -> torch.Tensor:
        side, cell = tile.shape[-1] // 2**level, self.cells[level]
        start = (tile.shape[-1] - side) // 2
        middle = tile[..., start : start + side, start : start + side].float() / 255.0
        return functional.unfold(middle, cell, stride=cell).transpose(1, 2)  # (b, 3 * cell^2, n) -> (b, n, 3 * cell^2)


class _FeatureScales(nn.Module):
    """Tokens of frozen features: one linear layer for every scale, as the coarse cells share theirs."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, width)

    def forward(self, tokens: Sequence[torch.Tensor]) -> Scales:
        return [self.project(x) for x in tokens]


class M2OSTNetwork(nn.Module):
    """Tokens of each scale behind a class token, layers over all scales, and a head on the class tokens together.

    Parameters
    ----------
    shapes
        Of the views, smallest field first: ``"pixels0"`` (3, px, px) ... or ``"tokens0"`` (t, d) ...
    n_genes
        Size of the panel.
    width, depth
        Of a token; layers.
    cell_px, token_dropout
        Coarse cells of pixels; dropout of the tokens that go in.
    size
        Arguments of a layer.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        n_genes: int,
        *,
        width: int,
        depth: int,
        cell_px: int,
        token_dropout: float,
        size: Mapping[str, float],
    ) -> None:
        super().__init__()
        self.views = sorted(shapes)
        n = len(self.views)
        if "pixels0" in shapes:
            self.embed = PixelScales(n, width, cell_px=cell_px)
            lengths = [(i + 1) * (shapes["pixels0"][-1] // cell_px) ** 2 for i in range(n)]
        else:
            self.embed = _FeatureScales(shapes["tokens0"][-1], width)
            lengths = [shapes[view][0] for view in self.views]
        self.first = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.ParameterList(nn.Parameter(torch.randn(1, length + 1, width)) for length in lengths)
        self.dropout = nn.Dropout(token_dropout)
        self.layers = nn.ModuleList(_Layer(n, width, **size) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(n * width, n_genes)

    def forward(self, views: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Predict ``(b, g)``."""
        scales = []
        for tokens, position in zip(self.embed([views[v] for v in self.views]), self.position, strict=True):
            first = self.first.expand(len(tokens), -1, -1)
            scales.append(self.dropout(torch.cat([first, tokens], dim=1) + position))
        for layer in self.layers:
            scales = layer(scales)
        return self.head(torch.cat([self.norm(x[:, 0]) for x in scales], dim=-1))
