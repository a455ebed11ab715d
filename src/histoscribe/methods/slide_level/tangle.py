"""TANGLE: a slide's vector and its expression's vector, drawn together by contrast."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from torch import nn

from histoscribe.core.card import Card
from histoscribe.methods._pretrain_network import NetworkPretrainer, SlideBatch
from histoscribe.methods._slide_encoder import ProfileEncoder, SlideEncoder, found_first, info_nce

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

__all__ = ["Tangle"]


class Tangle(NetworkPretrainer):
    """Contrasts slides with bulk expression; needs none to embed.

    Parameters
    ----------
    expression_hidden
        Width of the expression's layers; 0 for as many as there are genes (published: 50 million weights for 5,000).
    temperature
        Divides the cosines.
    heads, hidden, n_tiles, selection, training
        As in `NetworkPretrainer`.
    """

    card: ClassVar[Card] = Card(
        name="tangle",
        summary="Slide vectors contrasted with bulk expression: gated attention, InfoNCE.",
        paper="tangle-2024",
        deviations=(
            "Features and genes are standardised by the training slides.",
            "A batch has one slide of each donor: two of one donor would be each other's negatives.",
            "Tiles are drawn without replacement, and as many as are asked for (released: with replacement; in its "
            "second version as many as there are genes).",
            "Weight decay is what is asked for (released: its argument is dropped, and 0.01 holds).",
            "Warm-up is exactly as many epochs as are asked for (released: one more).",
            "The epoch is chosen by how well slides and profiles of donors that were not trained on find each other "
            "(released: by the smooth rank of the training slides' vectors, `selection='smooth-rank'`).",
            "Genes, their order and their unit are in the model's file (released models do not tell their genes).",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"expression_hidden": 0, "selection": "smooth-rank"},
        "published.v2": {"heads": 4, "hidden": 512, "selection": "smooth-rank", "training": {"batch": 200}},
        "laptop": {
            "hidden": 128,
            "expression_hidden": 256,
            "n_tiles": 256,
            "training": {"lr": 1e-3, "batch": 32, "epochs": 60, "patience": 15},
        },
        "tiny": {"hidden": 16, "expression_hidden": 16, "n_tiles": 32, "training": {"lr": 3e-3, "epochs": 12}},
    }
    uses_expression: ClassVar[bool] = True

    def __init__(
        self,
        *,
        heads: int = 1,
        hidden: int = 768,
        expression_hidden: int = 512,
        temperature: float = 0.01,
        n_tiles: int = 2048,
        selection: Literal["validation", "smooth-rank", "last"] = "validation",
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(heads=heads, hidden=hidden, n_tiles=n_tiles, selection=selection, training=training)
        self.expression_hidden = expression_hidden
        self.temperature = temperature

    def build(self, encoder: SlideEncoder, n_genes: int) -> nn.Module:
        """Make both encoders."""
        profile = ProfileEncoder(n_genes, self.expression_hidden or n_genes, encoder.width)
        return nn.ModuleDict({"slide": encoder, "profile": profile})

    def loss(self, network: nn.Module, batch: SlideBatch) -> torch.Tensor:
        """Contrast slides with profiles."""
        return info_nce(self.encode(batch.tiles), network["profile"](batch.y), self.temperature)

    def judge(self, network: nn.Module, batch: SlideBatch) -> float:
        """Score how well held-out slides and profiles find each other.

        The loss would punish sure cosines more than wrong ones, and stops when slides are told apart by site.
        """
        return found_first(self.encode(batch.tiles), network["profile"](batch.y))
