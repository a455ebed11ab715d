"""Networks and losses of slide pre-training: tiles to a vector, a profile to a vector, and their contrast."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from histoscribe.nn.gated_pool import GatedPool, pre_attention

__all__ = ["ProfileEncoder", "SlideEncoder", "found_first", "info_nce", "smooth_rank"]


class SlideEncoder(nn.Module):
    """Layers on each tile, gated attention, one vector a slide.

    One head: two layers of the features' own width, one pool; the vector has that width, too. Several heads: three
    layers to `hidden` per head, a pool for each head over features of its own, and a linear layer to `hidden`.
    Source: TANGLE (tangle-2024); dropouts are the released ones.

    Parameters
    ----------
    dim
        Size of a tile's feature.
    hidden
        Width of the attention's branches; with several heads also that of each head and of the slide's vector.
    heads
        Number of pools.

    Attributes
    ----------
    width
        Size of a slide's vector.
    """

    def __init__(self, dim: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.n_heads = heads
        self.width = dim if heads == 1 else hidden
        self.before = pre_attention(dim, dim, dim) if heads == 1 else pre_attention(dim, hidden, hidden, hidden * heads)
        self.pool = GatedPool(self.width, hidden, heads, dropout=0.25)
        self.after = nn.Identity() if heads == 1 else nn.Linear(hidden * heads, hidden)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Encode ``(b, n, dim)`` tiles, of which `mask` ``(b, n)`` says which are real, as ``(b, width)``."""
        return self.attend(x, mask)[0]

    def attend(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the ``(b, width)`` vectors and the ``(b, heads, n)`` weights of the tiles."""
        x = self.before(x)  # (b, n, heads * width)
        if self.n_heads > 1:
            x = x.unflatten(-1, (self.n_heads, self.width))  # each head a stretch of its own: (b, n, heads, width)
        pooled, weights = self.pool(x, mask)
        return self.after(pooled), weights


class ProfileEncoder(nn.Sequential):
    """Expression to a vector: twice linear, layer norm, ReLU and dropout 0.2, then linear."""

    def __init__(self, n_genes: int, hidden: int, width: int) -> None:
        layers: list[nn.Module] = []
        for n_in in (n_genes, hidden):
            layers += [nn.Linear(n_in, hidden), nn.LayerNorm(hidden), nn.ReLU(), nn.Dropout(0.2)]
        super().__init__(*layers, nn.Linear(hidden, width))


def info_nce(a: torch.Tensor, b: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the symmetric contrast of ``(n, d)`` pairs: mean cross-entropy of finding b from a, and a from b."""
    logits = functional.normalize(a, dim=1) @ functional.normalize(b, dim=1).T / temperature  # (n, n)
    own = torch.arange(len(a), device=a.device)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def found_first(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return how well pairs of ``(n, d)`` vectors find each other: share of others that are less alike, both ways.

    0.5 for chance, 1 where each finds its own first. It ignores how sure the cosines are, of which `info_nce` is full.
    """
    cosine = functional.normalize(a, dim=1) @ functional.normalize(b, dim=1).T
    own = cosine.diagonal()
    less = (cosine < own[:, None]).float().sum() + (cosine < own[None]).float().sum()
    return float(less) / (2 * len(a) * (len(a) - 1))


def smooth_rank(z: torch.Tensor) -> float:
    """Return the effective rank of ``(n, d)`` embeddings: exp of the entropy of their normalised singular values.

    Source: Garrido et al. 2023 (RankMe), equation 1.
    """
    share = torch.linalg.svdvals(z.float())
    share = share / share.sum().clamp_min(1e-12)
    return float(torch.exp(-(share * torch.log(share.clamp_min(1e-12))).sum()))
