"""Direct - Patch-Level: the same layer on every tile, the slide's prediction is their mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from torch import nn

from histoscribe.core.card import Card
from histoscribe.methods._slide_network import SlideNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

__all__ = ["DirectTile"]


class DirectTile(SlideNetwork):
    """The mean over tiles of one map from a tile to the profile.

    Parameters
    ----------
    hidden
        Width of a hidden layer; 0, as published, is linear, and then the same as a linear map of the mean tile.
    rank, tiles, training
        As `SlideNetwork`.
    """

    card: ClassVar[Card] = Card(
        name="direct-tile",
        summary="One layer predicts the profile from each tile; a slide's profile is the mean over its tiles.",
        paper="evaluating-deep-regression-models-for-wsi-based-2024",
        deviations=(
            "No code was released: optimiser and stopping are ours, on donors out of the training set.",
            "Genes are standardised, so that they count alike, and the layer gives their leading principal scores.",
        ),
    )

    def __init__(
        self, *, hidden: int = 0, rank: int = 256, tiles: int = 512, training: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(rank=rank, tiles=tiles, training=training)
        self.hidden = hidden

    def build(self, dim: int, n_scores: int) -> nn.Module:
        """Make the map."""
        return _Network(dim, n_scores, self.hidden)


class _Network(nn.Module):
    def __init__(self, dim: int, n_scores: int, hidden: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(dim, hidden), nn.GELU()) if hidden else nn.Identity()
        self.head = nn.Linear(hidden or dim, n_scores)
        # The first prediction is the training mean.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        share = mask / mask.sum(1, keepdim=True)
        # The layer is linear: the mean of its outputs is its output for the mean.
        return self.head((self.body(x) * share[..., None]).sum(1))
