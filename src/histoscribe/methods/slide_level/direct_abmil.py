"""Direct - ABMIL: gated attention over tiles, then one linear layer to all genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn

from histoscribe.core.card import Card
from histoscribe.methods._slide_network import SlideNetwork, padded
from histoscribe.nn.gated_pool import GatedPool

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DirectAbmil"]


class DirectAbmil(SlideNetwork):
    """The weighted mean of tiles, weights by gated attention, mapped linearly to the profile.

    A tile's prediction is the linear layer applied to it alone: weighted by attention, they add up to the slide's.

    Parameters
    ----------
    hidden
        Size of the attention's branches.
    heads
        Pools of their own, concatenated; 1 as published.
    dropout
        Of the attention's branches.
    rank, tiles, training
        As `SlideNetwork`.
    """

    card: ClassVar[Card] = Card(
        name="direct-abmil",
        summary="Gated attention pools the tiles, one linear layer gives all genes at once.",
        paper="evaluating-deep-regression-models-for-wsi-based-2024",
        deviations=(
            "No code was released: optimiser, sizes and stopping are ours, on donors out of the training set.",
            "Genes are standardised, so that they count alike, and the layer gives their leading principal scores.",
        ),
    )
    has_attention: ClassVar[bool] = True

    def __init__(
        self,
        *,
        hidden: int = 128,
        heads: int = 1,
        dropout: float = 0.25,
        rank: int = 256,
        tiles: int = 512,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(rank=rank, tiles=tiles, training=training)
        self.hidden = hidden
        self.heads = heads
        self.dropout = dropout

    def build(self, dim: int, n_scores: int) -> nn.Module:
        """Make the pool and the layer."""
        return _Network(dim, n_scores, hidden=self.hidden, heads=self.heads, dropout=self.dropout)

    def _attention(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.network_.pool(*padded([x]))[1].numpy()[0]


class _Network(nn.Module):
    def __init__(self, dim: int, n_scores: int, *, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.pool = GatedPool(dim, hidden, heads, dropout)
        self.head = nn.Linear(dim * heads, n_scores)
        # The first prediction is the training mean.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(x, mask)[0])
