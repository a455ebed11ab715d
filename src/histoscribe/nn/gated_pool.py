"""Gated-attention pooling of a bag: one vector of many tiles, with the weight that each tile has in it."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

__all__ = ["GatedPool", "pre_attention"]


class GatedPool(nn.Module):
    """Weighted mean of tiles; ``a_i = softmax_i(w . (tanh(V h_i) * sigmoid(U h_i)))``.

    Source: Ilse, Tomczak and Welling 2018, equation 9 (biases as in their code).

    Parameters
    ----------
    dim
        Size of a tile's feature.
    hidden
        Size of the two branches.
    heads
        Number of pools, each with its own V, U and w.
    dropout
        Of both branches.
    """

    def __init__(self, dim: int, hidden: int, heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_Gate(dim, hidden, dropout) for _ in range(heads))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Pool tiles.

        Parameters
        ----------
        x
            ``(b, n, dim)`` tiles, or ``(b, n, heads, dim)`` where every head has features of its own.
        mask
            ``(b, n)`` bool, True where there is a tile and not padding; each bag has at least one.

        Returns
        -------
        ``(b, heads * dim)`` pooled features, head by head, and ``(b, heads, n)`` weights: each row sums to 1 and
        padding has 0.
        """
        parts = [x] * len(self.heads) if x.ndim == 3 else x.unbind(2)
        scores = torch.stack([head(part) for head, part in zip(self.heads, parts, strict=True)], 1)  # (b, heads, n)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], -torch.inf)
        weights = scores.softmax(-1)
        pooled = [weights[:, i, None] @ part for i, part in enumerate(parts)]  # heads x (b, 1, dim)
        return torch.cat(pooled, -1).squeeze(1), weights


class _Gate(nn.Module):
    """``(b, n, dim)`` -> ``(b, n)`` scores."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.value, self.gate, self.score = nn.Linear(dim, hidden), nn.Linear(dim, hidden), nn.Linear(hidden, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        value, gate = torch.tanh(self.value(x)), torch.sigmoid(self.gate(x))
        return self.score(self.dropout(value) * self.dropout(gate)).squeeze(-1)


def pre_attention(*widths: int, dropout: float = 0.1) -> nn.Sequential:
    """Make the layers before the pool: linear, layer norm, GELU and dropout from each width to the next."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.LayerNorm(n_out), nn.GELU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers)
