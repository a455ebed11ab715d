"""M2OST: one observation seen at several scales, whose tokens attend within a scale and across scales by turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from histoscribe.core.card import Card
from histoscribe.methods import _views
from histoscribe.methods._m2ost_network import M2OSTNetwork
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.train import Training

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch
    from torch import nn

    from histoscribe.core.section import Section

__all__ = ["M2OST"]


class M2OST(NetworkPredictor):
    """A transformer over the tokens of several scales: within, one feed-forward for all, across, and a channel gate.

    Reads every tile side that the section was encoded with, smallest first; the published three are the default.
    Source: Wang et al. 2025 (m2ost-2025).

    Parameters
    ----------
    pixels
        Cut raw tiles into cells, as published: the whole field coarsely, its middle finer; False sees frozen tokens.
    tile_px, cell_px
        Of the pixels, at every scale.
    width, depth, heads, cross_heads, head_width, ratio, dropout, token_dropout
        Of the transformer; `width` and `heads` are those of one scale.
    released
        Layers as the released code has them: no norm before attention within a scale, no shortcut around attention
        across scales.
    training
        Options that differ from the published ones.
    """

    card: ClassVar[Card] = Card(
        name="m2ost",
        summary="A transformer over three scales of one observation, attending within and across scales by turns.",
        paper="m2ost-2025",
        deviations=(
            "By default frozen tokens of any registered encoder, equally fine at every scale, stand in for cells of "
            "raw pixels that are finer in the middle (pixels=True).",
            "Sides are 154, 308 and 616 um: the published 224, 448 and 896 px at her2st's 0.687 um/px.",
            "Norm before attention within a scale and a shortcut around attention across scales; the released code has "
            "neither (released=True).",
            "With pixels, the finest cells cover the middle quarter of the third scale. The released crop is off "
            "centre and 84 px instead of 56: 834 tokens for 589 positions, so it does not run (commit 60fd90a).",
            "A symmetry is drawn each epoch and turns all scales together; the released data set turns each scale by "
            "its own random angle, once.",
            "The head starts at the training mean.",
            "Early stopping on one held-out training group replaces the choice of the epoch on the test sections.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"pixels": True},
        "released": {"pixels": True, "released": True},
        "laptop": {
            "width": 64,
            "depth": 1,
            "heads": 2,
            "cross_heads": 2,
            "head_width": 32,
            "dropout": 0.3,
            "token_dropout": 0.3,
            "training": {
                "lr": 5e-4,
                "weight_decay": 1e-2,
                "optimiser": "adamw",
                "epochs": 40,
                "patience": 8,
                "refit": True,
            },
        },
        "tiny": {
            "width": 16,
            "depth": 1,
            "heads": 2,
            "cross_heads": 2,
            "head_width": 8,
            "training": {"lr": 1e-2, "epochs": 20, "batch": 64, "patience": 10},
        },
    }
    default_encoder: ClassVar[str] = "efficientnet-lite0[grid3]"
    default_size_um: ClassVar[tuple[float, ...]] = (154.0, 308.0, 616.0)
    kinds: ClassVar[Mapping[str, Any]] = {f"{kind}{i}": kind for kind in ("pixels", "tokens") for i in range(9)}
    scaled: ClassVar[tuple[str, ...]] = tuple(f"tokens{i}" for i in range(9))
    defaults: ClassVar[Training] = Training(epochs=200, batch=48, mixed=True, lr=1e-4, patience=20, augment=True)

    def __init__(
        self,
        *,
        pixels: bool = False,
        tile_px: int = 224,
        cell_px: int = 16,
        width: int = 192,
        depth: int = 4,
        heads: int = 3,
        cross_heads: int = 3,
        head_width: int = 64,
        ratio: float = 2 / 3,
        dropout: float = 0.0,
        token_dropout: float = 0.0,
        released: bool = False,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.pixels = pixels
        self.tile_px = tile_px
        self.cell_px = cell_px
        self.width = width
        self.depth = depth
        self.heads = heads
        self.cross_heads = cross_heads
        self.head_width = head_width
        self.ratio = ratio
        self.dropout = dropout
        self.token_dropout = token_dropout
        self.released = released

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return tokens or pixels of each scale, smallest field first."""
        assert self.spec_ is not None
        if not self.pixels:
            return {f"tokens{i}": x for i, x in enumerate(_views.scale_tokens(section, self.spec_))}
        sides = sorted(float(side) for side in self.spec_.geometry["sides_um"])
        return {f"pixels{i}": _views.pixels(section, side_um=s, tile_px=self.tile_px) for i, s in enumerate(sides)}

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> nn.Module:
        """Make the network for as many scales as there are."""
        names = ("heads", "cross_heads", "head_width", "ratio", "dropout", "released")
        return M2OSTNetwork(
            shapes,
            n_genes,
            width=self.width,
            depth=self.depth,
            cell_px=self.cell_px,
            token_dropout=self.token_dropout,
            size={name: getattr(self, name) for name in names},
        )

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Predict each observation from its own scales."""
        return network(part.views)
