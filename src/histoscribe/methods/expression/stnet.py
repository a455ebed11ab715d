"""ST-Net: one linear layer on an image network, the template that every later method edits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from histoscribe.core.card import Card
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.methods._tile_encoder import TileBranch, tile_view
from histoscribe.train import SYMMETRIES, Training, transform_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from histoscribe.core.section import Section

__all__ = ["STNet"]


class STNet(NetworkPredictor):
    """A linear layer on the pooled features of one tile; it starts at weight 0 and the training mean.

    Source: He et al. 2020 (st-net-2020).

    Parameters
    ----------
    backbone
        Train this network from pixels with the layer (``"resnet18"``, ``"efficientnet-lite0"``); None keeps the
        features frozen.
    weights
        File of weights to start the backbone from.
    eight
        Average the prediction over the eight symmetries of the tile; only where pixels are seen.
    training
        Options that differ from the published ones.
    """

    card: ClassVar[Card] = Card(
        name="stnet",
        summary="One linear layer on an image network's tile features, initialised at the training mean.",
        paper="st-net-2020",
        deviations=(
            "DenseNet-121 is replaced by any registered encoder, frozen by default.",
            "The target is that of the benchmark, not ln((1 + count) / (genes + total)).",
            "Early stopping on one held-out training group replaces the inner 4-fold choice of the epoch.",
            "Preset 'laptop': AdamW at 1e-4 on standardised frozen features, not SGD at 1e-6 on the whole network.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"backbone": "efficientnet-lite0"},
        "laptop": {
            "training": {
                "optimiser": "adamw",
                "lr": 1e-4,
                "weight_decay": 1e-2,
                "epochs": 60,
                "patience": 8,
                "refit": True,
            }
        },
        "tiny": {"training": {"optimiser": "adam", "lr": 2e-2, "epochs": 30, "batch": 64, "patience": 10}},
    }
    kinds: ClassVar[Mapping[str, Any]] = {"pixels": "pixels", "tokens": "tokens"}
    scaled: ClassVar[tuple[str, ...]] = ("tokens",)
    defaults: ClassVar[Training] = Training(
        epochs=50, batch=32, optimiser="sgd", lr=1e-6, momentum=0.9, patience=10, augment=True
    )

    def __init__(
        self,
        *,
        backbone: str | None = None,
        weights: str | None = None,
        eight: bool = True,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.backbone = backbone
        self.weights = weights
        self.eight = eight

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return the tile's tokens or pixels."""
        assert self.spec_ is not None
        return dict([tile_view(section, self.spec_, backbone=self.backbone, tile_px=224)])

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> nn.Module:
        """Make encoder and linear layer."""
        return _Network(shapes, n_genes, backbone=self.backbone, weights=self.weights)

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Predict; in evaluation averaged over the eight symmetries of the pixels."""
        if network.training or not self.eight or "pixels" not in part.views:
            return network(part.views)
        turned = [network({"pixels": transform_view(part.views["pixels"], "pixels", s)}) for s in SYMMETRIES]
        return torch.stack(turned).mean(0)

    def loss(self, network: nn.Module, parts: Sequence[Part]) -> torch.Tensor:
        """Mean over genes; the published sum over observations is kept for SGD, whose learning rate it belongs to."""
        mean = super().loss(network, parts)
        return mean * sum(len(p.rows) for p in parts) if self.options.optimiser == "sgd" else mean


class _Network(nn.Module):
    def __init__(
        self, shapes: Mapping[str, tuple[int, ...]], n_genes: int, *, backbone: str | None, weights: str | None
    ) -> None:
        super().__init__()
        self.tile = TileBranch(shapes, None, backbone=backbone, weights=weights)
        self.head = nn.Linear(self.tile.width, n_genes)
        nn.init.zeros_(self.head.weight)

    def forward(self, views: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self.head(self.tile(views).mean(1))
