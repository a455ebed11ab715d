"""TRIPLEX: a tile, its surroundings and its whole section, each predicting alone and all of them fused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from histoscribe.core.card import Card
from histoscribe.methods import _views
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.methods._tile_encoder import TileBranch, tile_view
from histoscribe.nn.triplex import Fusion, GlobalEncoder, Size, SurroundEncoder, match_width, taught_loss
from histoscribe.train import Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from histoscribe.core.section import Section

__all__ = ["Triplex"]


class Triplex(NetworkPredictor):
    """Fuses tokens of the tile, of the k x k tiles around it, and of all observations of the section.

    Loss, with fused prediction f and those of the tile, surroundings and section j:
    ``MSE(f, y) + sum_j (1 - alpha) MSE(j, y) + alpha MSE(j, f)``. Source: Chung et al. 2024 (triplex-2024).

    Parameters
    ----------
    width
        Size of a token.
    fusion, section, surround
        Depth, heads, feed-forward ratio and dropout of the three encoders.
    k
        Tiles along a side of the surroundings, the tile itself in the middle.
    alpha
        Weight of the fused prediction as a teacher of the branches.
    detach
        Stop the gradient of the teacher; the released code does not.
    clamp
        Cut predictions at 0 in the loss, as the rewrite of 2025 does (no gradient where negative).
    backbone, weights
        Train this network from the tile's pixels, starting from a file of weights; None keeps the encoder frozen.
    training
        Options that differ from the published ones.
    """

    card: ClassVar[Card] = Card(
        name="triplex",
        summary="Tile, surroundings and whole section, fused by cross-attention; each branch also predicts alone.",
        paper="triplex-2024",
        deviations=(
            "The pathology ResNet18 is replaced by the registered encoder, frozen; backbone='resnet18' with weights= "
            "trains one from pixels as published.",
            "The checkpoint is chosen on a held-out training group, not on the test fold.",
            "The output dropout of the global encoder is off in evaluation (it stays on in the released code).",
            "Position encoding by index: observations in any order, duplicates refused (released: sorted and merged).",
            "Target, surroundings and places are flipped and turned together (released: the target alone).",
            "Tiles have one side in um on every slide (released: 224 px, another scale for donor A).",
            "The surroundings' own prediction averages tiles outside the slide as well, as released.",
            "Heads start at the training mean.",
            "Preset 'laptop': narrower, one section a step, 9 tokens a tile, refitted on all training groups.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "her2st": {},
        "her2st-2024-04": {"fusion": [1, 4, 4, 0.4], "section": [5, 8, 4, 0.3], "surround": [4, 4, 4, 0.3]},
        "skin": {"fusion": [2, 8, 4, 0.1], "section": [2, 16, 1, 0.1], "surround": [4, 16, 1, 0.3]},
        "stnet": {"fusion": [3, 16, 4, 0.4], "section": [3, 8, 2, 0.1], "surround": [4, 8, 4, 0.3]},
        "laptop": {
            "width": 128,
            "fusion": [1, 4, 4, 0.2],
            "section": [2, 4, 2, 0.1],
            "surround": [1, 4, 1, 0.3],
            "training": {
                "mixed": False,
                "lr": 5e-4,
                "optimiser": "adamw",
                "weight_decay": 1e-2,
                "epochs": 40,
                "patience": 6,
                "clip": 1.0,
                "refit": True,
                "max_context": 1200,
            },
        },
        "tiny": {
            "width": 32,
            "fusion": [1, 2, 2, 0.0],
            "section": [1, 2, 2, 0.0],
            "surround": [1, 2, 1, 0.0],
            "k": 3,
            "training": {"mixed": False, "lr": 1e-2, "epochs": 8, "batch": 40, "patience": 4},
        },
    }
    default_encoder: ClassVar[str] = "efficientnet-lite0[grid7]"
    default_size_um: ClassVar[tuple[float, ...]] = (154.0,)
    uses_pixels: ClassVar[bool] = True
    kinds: ClassVar[Mapping[str, Any]] = {
        "tokens": "tokens",
        "pixels": "pixels",
        "around": "tokens",
        "inside": "tokens",
        "lattice": "places",
    }
    scaled: ClassVar[tuple[str, ...]] = ("tokens", "around", "features")
    row_views: ClassVar[tuple[str, ...]] = ("tokens", "pixels", "around", "inside")
    context: ClassVar[bool] = True
    defaults: ClassVar[Training] = Training(
        epochs=200, batch=128, mixed=True, lr=1e-4, schedule="step", step=50, gamma=0.9, patience=20
    )

    def __init__(
        self,
        *,
        width: int = 512,
        fusion: Sequence[float] = (1, 4, 4, 0.2),
        section: Sequence[float] = (3, 16, 4, 0.1),
        surround: Sequence[float] = (3, 16, 1, 0.3),
        k: int = 5,
        alpha: float = 0.3,
        detach: bool = False,
        clamp: bool = False,
        backbone: str | None = None,
        weights: str | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.width = width
        self.fusion, self.section, self.surround = list(fusion), list(section), list(surround)
        self.k = k
        self.alpha = alpha
        self.detach = detach
        self.clamp = clamp
        self.backbone = backbone
        self.weights = weights

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return the tile, its surroundings, every observation's features, and the lattice."""
        assert self.spec_ is not None
        name, tile = tile_view(section, self.spec_, backbone=self.backbone, tile_px=224)
        return {name: tile} | _views.neighbourhood(section, self.spec_, k=self.k)

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> nn.Module:
        """Make the network."""
        sizes = [Size(int(s[0]), int(s[1]), s[2], s[3]) for s in (self.fusion, self.section, self.surround)]
        tile = TileBranch(shapes, self.width, backbone=self.backbone, weights=self.weights)
        return _Network(shapes, n_genes, tile=tile, width=self.width, sizes=sizes, k=self.k)

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Return the fused prediction."""
        return network(part.views, part.rows)[0]

    def loss(self, network: nn.Module, parts: Sequence[Part]) -> torch.Tensor:
        """Return the fused error and those of the branches, each also taught by the fused prediction."""
        outputs = [torch.cat(found) for found in zip(*(network(p.views, p.rows) for p in parts), strict=True)]
        y = torch.cat([p.y for p in parts])
        if self.clamp:
            outputs = [functional.relu(o) for o in outputs]
        fused, *branches = outputs
        return taught_loss(fused, branches, y, alpha=self.alpha, detach=self.detach)


class _Network(nn.Module):
    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        n_genes: int,
        *,
        tile: TileBranch,
        width: int,
        sizes: Sequence[Size],
        k: int,
    ) -> None:
        super().__init__()
        fusion, section, surround = sizes
        self.tile = tile
        self.around_in = match_width(shapes["around"][-1], width)
        self.section_in = match_width(shapes["features"][-1], width)
        self.around = SurroundEncoder(width, k, surround)
        self.section = GlobalEncoder(width, section)
        self.fusion = Fusion(width, fusion)
        self.head_fused, self.head_tile, self.head_around, self.head_section = (
            nn.Linear(width, n_genes) for _ in range(4)
        )

    def forward(self, views: Mapping[str, torch.Tensor], rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Predict ``(b, g)`` from the fusion, the tile, the surroundings and the section."""
        tile = self.tile(views)
        around = self.around(self.around_in(views["around"]), views["inside"])
        section = self.section(self.section_in(views["features"]), views["lattice"])[rows]
        fused = self.fusion(section, tile, around, views["inside"])
        heads = (self.head_fused, self.head_tile, self.head_around, self.head_section)
        return tuple(head(x) for head, x in zip(heads, (fused, tile.mean(1), around.mean(1), section), strict=True))
