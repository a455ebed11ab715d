"""HisToGene: a transformer over all observations of a section, which knows them by tile and place on the array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from histoscribe.core.card import Card
from histoscribe.methods import _views
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.nn.attention import SelfLayer
from histoscribe.nn.places import PlaceEmbedding, seen_places
from histoscribe.train import Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from histoscribe.core.section import Section
    from histoscribe.methods._batches import Unit

__all__ = ["HisToGene"]


class HisToGene(NetworkPredictor):
    """Self-attention over a section's observations: a linear layer on each tile plus embeddings of row and column.

    Source: Pang et al. 2021 (histogene-2021).

    Parameters
    ----------
    pixels
        Put the linear layer on the raw pixels of a small tile, as published; False puts it on frozen features.
    tile_um, tile_px
        Side of that tile. 77 um is what the published 112 px show on her2st (0.687 um/px).
    width, depth, heads, head_width, ratio, dropout
        Of the transformer; the dropout is also that of the tokens that go in.
    training
        Options that differ from the published ones.
    """

    card: ClassVar[Card] = Card(
        name="histogene",
        summary="A transformer over all observations of a section, with learned embeddings of array row and column.",
        paper="histogene-2021",
        deviations=(
            "By default frozen features of any registered encoder stand in for the raw 112 px tile (pixels=True).",
            "Embedding tables cover the rows and columns seen in training; a place beyond takes the nearest seen one. "
            "The released tables have 64 entries, untrained where unseen.",
            "In pixels mode a tile has a fixed side in um (77), not 112 px of whatever scale; patient A of her2st was "
            "scanned at another scale. The released image axes are transposed, ours are not.",
            "The head starts at the training mean.",
            "Early stopping on one held-out training group replaces the fixed 100 epochs ('published' keeps them).",
            "Sections of more than max_context observations are cut into windows; the published ones never are.",
            "With training.augment (off, as published) tiles turn and array coordinates stay.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"pixels": True, "training": {"patience": 0}},
        "laptop": {
            "width": 128,
            "depth": 1,
            "heads": 4,
            "head_width": 32,
            "dropout": 0.5,
            "training": {
                "lr": 1e-3,
                "weight_decay": 1e-2,
                "optimiser": "adamw",
                "epochs": 60,
                "patience": 10,
                "refit": True,
                "max_context": 1024,
            },
        },
        "tiny": {
            "width": 64,
            "depth": 1,
            "heads": 2,
            "head_width": 16,
            "training": {"lr": 5e-3, "epochs": 30, "patience": 10},
        },
    }
    kinds: ClassVar[Mapping[str, Any]] = {"pixels": "pixels"}
    context: ClassVar[bool] = True
    defaults: ClassVar[Training] = Training(epochs=100, batch=0, lr=1e-5, patience=20, augment=False)

    def __init__(
        self,
        *,
        pixels: bool = False,
        tile_um: float = 77.0,
        tile_px: int = 112,
        width: int = 1024,
        depth: int = 8,
        heads: int = 16,
        head_width: int = 64,
        ratio: float = 2.0,
        dropout: float = 0.1,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.pixels = pixels
        self.tile_um = tile_um
        self.tile_px = tile_px
        self.width = width
        self.depth = depth
        self.heads = heads
        self.head_width = head_width
        self.ratio = ratio
        self.dropout = dropout

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return tiles or features, and places on the array."""
        assert self.spec_ is not None
        pixels_um = self.tile_um if self.pixels else None
        return _views.tile_and_place(section, self.spec_, pixels_um=pixels_um, tile_px=self.tile_px)

    def memorise(self, units: Sequence[Unit], allowed: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Keep which rows and columns are trained on."""
        return {"seen": seen_places(u.views["places"][rows] for u, rows in zip(units, allowed, strict=True))}

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> nn.Module:
        """Make the transformer, with tables for the places that training has seen."""
        layers = [
            SelfLayer(self.width, self.heads, self.ratio, dropout=self.dropout, head_width=self.head_width)
            for _ in range(self.depth)
        ]
        return _Network(
            shapes, n_genes, width=self.width, layers=layers, dropout=self.dropout, seen=self.memory_["seen"]
        )

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Predict the part's rows from the whole section."""
        return network(part.views)[part.rows]


class _Network(nn.Module):
    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        n_genes: int,
        *,
        width: int,
        layers: Sequence[nn.Module],
        dropout: float,
        seen: np.ndarray,
    ) -> None:
        super().__init__()
        self.view = "pixels" if "pixels" in shapes else "features"
        self.tile = nn.Linear(int(torch.Size(shapes[self.view]).numel()), width)
        self.place = PlaceEmbedding(width, seen)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, n_genes)

    def forward(self, views: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Predict ``(n, g)`` for all observations given."""
        # Pixels go in as 0-255, as published: no mean or sd of the image is taken off.
        x = self.tile(views[self.view].flatten(1).float()) + self.place(views["places"])
        x = self.dropout(x)[None]  # (1, n, d): the observations are the sequence
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x[0]))
