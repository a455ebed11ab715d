"""TANGLE-Rec: a slide's vector is learned by predicting its expression."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional

from histoscribe.core.card import Card
from histoscribe.methods._pretrain_network import NetworkPretrainer, SlideBatch
from histoscribe.methods._slide_encoder import SlideEncoder
from histoscribe.methods._slide_network import SlideNetwork, padded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = ["TangleRec", "TangleRecRegressor"]


class TangleRec(NetworkPretrainer):
    """Predicts standardised expression from the slide's vector, and keeps the vector.

    Parameters
    ----------
    heads, hidden, n_tiles, selection, training
        As in `NetworkPretrainer`.
    """

    card: ClassVar[Card] = Card(
        name="tangle-rec",
        summary="Slide vectors learned by predicting bulk expression: gated attention, mean squared error.",
        paper="tangle-2024",
        deviations=(
            "Features and genes are standardised by the training slides.",
            "The epoch is chosen by the loss on donors that were not trained on (released: the last).",
            "Tiles are drawn without replacement; weight decay and warm-up are as asked for.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"selection": "last"},
        "laptop": {
            "hidden": 128,
            "n_tiles": 256,
            "training": {"lr": 1e-3, "batch": 32, "epochs": 60, "patience": 15},
        },
        "tiny": {"hidden": 16, "n_tiles": 32, "training": {"lr": 3e-3, "epochs": 12}},
    }
    uses_expression: ClassVar[bool] = True

    def __init__(
        self,
        *,
        heads: int = 1,
        hidden: int = 768,
        n_tiles: int = 2048,
        selection: Literal["validation", "smooth-rank", "last"] = "validation",
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(heads=heads, hidden=hidden, n_tiles=n_tiles, selection=selection, training=training)

    def build(self, encoder: SlideEncoder, n_genes: int) -> nn.Module:
        """Make the encoder and the layers to the genes."""
        return _Network(encoder, n_genes)

    def loss(self, network: nn.Module, batch: SlideBatch) -> torch.Tensor:
        """Return the mean squared error of standardised genes."""
        return functional.mse_loss(network.genes(self.encode(batch.tiles)), batch.y)


class TangleRecRegressor(SlideNetwork):
    """The same network as a regressor: its predictions are what is kept.

    Parameters
    ----------
    heads, hidden
        Of the slide encoder; see `SlideEncoder`.
    rank, tiles, training
        As `SlideNetwork`.
    """

    card: ClassVar[Card] = replace(
        TangleRec.card,
        summary="Layers on each tile, gated attention, three layers to all genes: TANGLE-Rec as a regressor.",
        deviations=(
            "Features and genes are standardised; the last layer gives the genes' leading principal scores.",
            "Sizes and stopping are those of the other networks here, on donors out of the training set.",
        ),
    )
    has_attention: ClassVar[bool] = True

    def __init__(
        self,
        *,
        heads: int = 1,
        hidden: int = 128,
        rank: int = 256,
        tiles: int = 512,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(rank=rank, tiles=tiles, training=training)
        self.heads = heads
        self.hidden = hidden

    def build(self, dim: int, n_scores: int) -> nn.Module:
        """Make the encoder and the layers to the scores."""
        return _Network(SlideEncoder(dim, self.hidden, self.heads), n_scores)

    def _attention(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.network_.slide.attend(*padded([x]))[1].numpy()[0]


class _Network(nn.Module):
    def __init__(self, encoder: SlideEncoder, n_out: int) -> None:
        super().__init__()
        self.slide, width = encoder, encoder.width
        layers = (nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, n_out))
        self.genes = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.genes(self.slide(x, mask))
