"""Blocks of exemplar-guided networks: exemplar tokens, bridging, pooling by class attention, and their loss."""

from __future__ import annotations

import torch
from torch import nn

from histoscribe.nn.attention import Attention, FeedForward

__all__ = ["Bridge", "ClassAttention", "Exemplars", "mse_and_correlation"]


class Exemplars(nn.Module):
    """Tokens of remembered observations: their image feature, and their profile through a two-layer projector.

    Parameters
    ----------
    key
        ``(m, d)`` image features of the remembered observations.
    profile
        ``(m, g)`` their expression.
    width
        Size of a token.
    """

    def __init__(self, key: torch.Tensor, profile: torch.Tensor, width: int) -> None:
        super().__init__()
        # Saved as memory, not as weights: not persistent.
        self.register_buffer("key", key, persistent=False)
        sd = profile.std(0, unbiased=False).clamp_min(1e-6)
        self.register_buffer("profile", (profile - profile.mean(0)) / sd, persistent=False)
        self.image = nn.Linear(key.shape[1], width)
        self.project = nn.Sequential(nn.Linear(profile.shape[1], width), nn.GELU(), nn.Linear(width, width))

    def forward(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``(b, k, width)`` tokens of ``(b, k)`` indices, and ``(b, k)`` bool, False where an index is -1."""
        at = index.clamp(min=0)
        return self.image(self.key[at]) + self.project(self.profile[at]), index >= 0


class Bridge(nn.Module):
    """Lets exemplars and a tile revise each other.

    ``e <- e + attention(norm e; x)``, then ``x <- x + attention(norm x; e)`` and ``x <- x + feed-forward(norm x)``: an
    exemplar says what matters to this tile, and the tile takes it up. Source: the role and size of EGN's exemplar
    bridging block (egn-2023); its inner equations are ours.
    """

    def __init__(self, width: int, *, heads: int, head_width: int, ratio: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm_tile, self.norm_exemplar = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_exemplar = Attention(width, heads, dropout=dropout, head_width=head_width)
        self.norm_revised = nn.LayerNorm(width)
        self.to_tile = Attention(width, heads, dropout=dropout, head_width=head_width)
        self.norm_out = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, ratio, dropout=dropout)

    def forward(self, x: torch.Tensor, e: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Revise ``(b, t, d)`` tile tokens and ``(b, k, d)`` exemplar tokens; `mask` says which exemplars exist."""
        tile = self.norm_tile(x)
        e = e + self.to_exemplar(self.norm_exemplar(e), tile)
        x = x + self.to_tile(tile, self.norm_revised(e), mask=mask)
        return x + self.feed_forward(self.norm_out(x)), e


class ClassAttention(nn.Module):
    """Class-specific residual attention: each gene pools the tokens by its own scores.

    With ``l_tg = w_g . x_t``: ``y_g = b_g + mean_t l_tg + weight * sum_t softmax_t(sharpness * l_tg) l_tg``.
    Source: Zhu and Wu 2021, equations 2 to 5 (its T multiplies the scores), as used by EGN (egn-2023).

    Parameters
    ----------
    width, n_genes
        Sizes of a token and of the output.
    weight, sharpness
        Lambda and T.
    """

    def __init__(self, width: int, n_genes: int, *, weight: float = 0.5, sharpness: float = 0.1) -> None:
        super().__init__()
        self.weight, self.sharpness = weight, sharpness
        self.head = nn.Linear(width, n_genes)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Pool ``(b, t, d)`` tokens into ``(b, g)``; `mask` ``(b, t)`` is False for tokens that do not exist."""
        scores = x @ self.head.weight.T  # (b, t, g)
        if mask is None:
            share, focus = 1.0 / scores.shape[1], self.sharpness * scores
        else:
            share = mask[..., None] / mask.sum(1)[:, None, None]
            focus = (self.sharpness * scores).masked_fill(~mask[..., None], -torch.inf)
        pooled = (share * scores).sum(1) + self.weight * (torch.softmax(focus, dim=1) * scores).sum(1)
        return self.head.bias + pooled


def mse_and_correlation(guess: torch.Tensor, y: torch.Tensor, *, weight: float) -> torch.Tensor:
    """Return ``MSE + weight * (1 - mean over genes of the correlation over the batch)``.

    A gene that is constant in the batch correlates 0. Source: EGN's loss (egn-2023), weight 0.5.
    """
    a, b = guess - guess.mean(0), y - y.mean(0)
    # The constant keeps the square root's gradient finite at 0.
    scale = ((a**2).sum(0) * (b**2).sum(0) + 1e-12).sqrt()
    correlation = ((a * b).sum(0) / scale).mean()
    return ((guess - y) ** 2).mean() + weight * (1.0 - correlation)
