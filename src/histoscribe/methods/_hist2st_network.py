"""Hist2ST's network: convolution in a tile, attention over the section, a graph of near tiles, and its likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from histoscribe.nn.attention import SelfLayer
from histoscribe.nn.places import PlaceEmbedding
from histoscribe.nn.sage import SageMean, nearest_places

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = ["ConvMixer", "Hist2STNetwork", "PixelTokens", "blend", "zinb_nll"]

#: Bounds of the count mean and the dispersion, as released.
_MEAN, _DISPERSION = (1e-5, 1e6), (1e-4, 1e4)


class ConvMixer(nn.Module):
    """Depthwise convolutions with a shortcut (twice, as Hist2ST has it), then a pointwise one; maps keep their size."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()

        def depthwise() -> list[nn.Module]:
            conv = nn.Conv2d(channels, channels, kernel, groups=channels, padding="same")
            return [conv, nn.BatchNorm2d(channels), nn.GELU()]

        self.space = nn.Sequential(*depthwise(), *depthwise())
        self.channel = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.GELU(), nn.BatchNorm2d(channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Mix ``(n, c, h, w)`` maps over space, then over channels."""
        return self.channel(maps + self.space(maps))


class PixelTokens(nn.Module):
    """One token per raw tile: cells of `cell_px` pixels, ConvMixer blocks, an eighth of the channels, flattened."""

    def __init__(self, tile_px: int, *, cell_px: int, channels: int, kernel: int, mixers: int, dropout: float) -> None:
        super().__init__()
        self.width = (tile_px // cell_px) ** 2 * (channels // 8)
        self.cells = nn.Conv2d(3, channels, cell_px, cell_px)
        self.dropout = nn.Dropout(dropout)
        self.mixers = nn.Sequential(*(ConvMixer(channels, kernel) for _ in range(mixers)))
        self.down = nn.Conv2d(channels, channels // 8, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Turn ``(n, 3, h, w)`` pixels of 0-255 into ``(n, width)`` tokens."""
        maps = self.cells(pixels.float() / 255.0)  # (n, 32, 16, 16) as published
        return self.down(self.mixers(self.dropout(maps))).flatten(1)  # (n, 4, 16, 16) -> (n, 1024)


class _FeatureTokens(nn.Module):
    """One token per observation from its frozen features."""

    def __init__(self, dim: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(dim, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Turn ``(n, d)`` standardised features into ``(n, width)`` tokens."""
        return self.dropout(self.project(features))


class Hist2STNetwork(nn.Module):
    """Token, transformer over the section, SAGE layers read by an LSTM, and heads.

    Parameters
    ----------
    shapes
        Of the views: ``"pixels"`` (3, h, w) or ``"features"`` (d,).
    n_genes
        Size of the panel.
    size
        The method's arguments.
    seen
        Rows and columns seen in training; see `PlaceEmbedding`.
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], n_genes: int, size: Mapping[str, Any], seen: np.ndarray
    ) -> None:
        super().__init__()
        dropout = size["dropout"]
        self.near = {"k": size["neighbours"], "reach": size["reach"]}
        if "pixels" in shapes:
            names = ("cell_px", "channels", "kernel", "mixers", "dropout")
            self.view, self.tile = "pixels", PixelTokens(shapes["pixels"][-1], **{n: size[n] for n in names})
        else:
            self.view, self.tile = "features", _FeatureTokens(shapes["features"][-1], size["width"], dropout=dropout)
        width = self.tile.width
        self.place = PlaceEmbedding(width, seen)
        self.layers = nn.ModuleList(
            SelfLayer(width, size["heads"], size["ratio"], dropout=dropout, head_width=size["head_width"])
            for _ in range(size["depth"])
        )
        self.graph = nn.ModuleList(SageMean(width, width, own=size["own"]) for _ in range(size["graph_depth"]))
        self.jump = nn.LSTM(width, width, 2)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_genes)
        if size["zinb"] > 0:
            self.counts = nn.Linear(width, 3 * n_genes)  # ln mean, dispersion, logit of an excess zero
        if size["distil"] > 0 and size["n_views"] > 1:  # one view needs no weight
            self.weigh = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def neighbours(self, views: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the ``(n, k)`` graph, which all views of a section share."""
        return nearest_places(views["places"], **self.near)

    def tokens(self, views: Mapping[str, torch.Tensor], neighbours: torch.Tensor) -> torch.Tensor:
        """Return the ``(n, d)`` tokens that every head reads."""
        x = (self.tile(views[self.view]) + self.place(views["places"]))[None]  # (1, n, d)
        for layer in self.layers:
            x = layer(x)
        h, steps = x[0], []
        for layer in self.graph:
            h = layer(h, neighbours)
            steps.append(h)
        # Jumping knowledge: the outputs of the graph layers are a sequence of their own.
        return self.jump(torch.stack(steps))[0].mean(0)

    def expression(self, tokens: torch.Tensor) -> torch.Tensor:
        """Predict ``(n, g)``."""
        return self.head(self.norm(tokens))

    def count_nll(self, tokens: torch.Tensor, counts: torch.Tensor, size_factor: torch.Tensor) -> torch.Tensor:
        """Return the ``(n, g)`` negative log likelihood of raw counts; `size_factor` ``(n,)`` scales the mean."""
        log_mean, dispersion, logit = self.counts(tokens).float().chunk(3, dim=1)
        mean = log_mean.clamp(max=14.0).exp().clamp(*_MEAN) * size_factor[:, None]
        return zinb_nll(counts, mean, functional.softplus(dispersion).clamp(*_DISPERSION), logit)


def zinb_nll(
    counts: torch.Tensor, mean: torch.Tensor, dispersion: torch.Tensor, excess_zero: torch.Tensor
) -> torch.Tensor:
    """Compute the negative log likelihood of a zero-inflated negative binomial, element by element.

    ``p(x) = s [x = 0] + (1 - s) NB(x; mean, dispersion)``, variance ``mean + mean^2 / dispersion``, in logarithms.
    Source: Zeng et al. 2022 (hist2st-2022).

    Parameters
    ----------
    counts
        Raw counts, >= 0.
    mean, dispersion
        > 0.
    excess_zero
        Logit of s.
    """
    log_total = torch.log(dispersion + mean)
    at_zero = dispersion * (torch.log(dispersion) - log_total)
    nb = (
        torch.lgamma(counts + dispersion)
        - torch.lgamma(dispersion)
        - torch.lgamma(counts + 1.0)
        + at_zero
        + counts * (torch.log(mean) - log_total)
    )
    inflated, plain = functional.logsigmoid(excess_zero), functional.logsigmoid(-excess_zero)
    return -torch.where(counts < 0.5, torch.logaddexp(inflated, plain + at_zero), plain + nb)


def blend(predictions: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Average ``(v, n, g)`` predictions of v views by the softmax over views of ``(v, n, 1)`` weights."""
    return (predictions * torch.softmax(weights, dim=0)).sum(0)
