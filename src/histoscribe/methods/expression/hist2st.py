"""Hist2ST: convolution, attention over the section and a graph of near tiles, trained on counts and on itself too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from histoscribe.core.card import Card
from histoscribe.core.target import Target
from histoscribe.methods import _views
from histoscribe.methods._hist2st_network import Hist2STNetwork, blend
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.nn.places import seen_places
from histoscribe.train import SYMMETRIES, Training, transform_view

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from histoscribe.core.section import Section
    from histoscribe.methods._batches import Unit

__all__ = ["Hist2ST"]

#: Luma of ITU-R BT.601, which image libraries use for grey.
_LUMA = (0.299, 0.587, 0.114)


class Hist2ST(NetworkPredictor):
    """ConvMixer, transformer, GraphSAGE and LSTM; squared error, count likelihood and self-distillation.

    ``L = MSE + zinb * NLL of the raw counts + distil * MSE(blend of augmented views, prediction)``.
    Source: Zeng et al. 2022 (hist2st-2022).

    Parameters
    ----------
    pixels
        See raw pixels of a small tile, as published; False sees frozen features.
    tile_um, tile_px, cell_px, channels, kernel, mixers
        Of the pixels: side (77 um is 112 px on her2st), cells of the first convolution, ConvMixer blocks. The width is
        then ``(tile_px / cell_px)^2 * channels / 8``, 1024 as published.
    width
        Of a token where features are seen.
    depth, heads, head_width, ratio, dropout
        Of the transformer; the dropout is also that of the tile's map or token.
    graph_depth, neighbours, reach
        SAGE layers, and who is joined: the nearest places of the array within `reach` steps.
    own
        SAGE layers read an observation's own token beside its neighbours' mean; False as released.
    zinb, distil
        Weights of the two further losses; 0 leaves one out.
    n_views
        Augmented views in self-distillation.
    noise
        Sd of the noise that stands in for augmentation where features are seen, in sd of the feature.
    detach
        No gradient from the distillation into the plain prediction.
    training
        Options that differ from the published ones.
    """

    card: ClassVar[Card] = Card(
        name="hist2st",
        summary="ConvMixer, section transformer, GraphSAGE and LSTM, with a count likelihood and self-distillation.",
        paper="hist2st-2022",
        deviations=(
            "By default frozen features and a linear layer stand in for raw pixels and ConvMixer (pixels=True).",
            "With frozen features, noise on the standardised features stands in for augmented views; with pixels, "
            "quarter turns, mirrors and grey stand in for turns by any angle, flips and grey.",
            "SAGE layers read the observation itself too, as GraphSAGE does; the released ones do not (preset "
            "'released').",
            "An observation without neighbours gets a mean of zeros; the released layer divides by 0 there.",
            "Equally near neighbours are taken from the top left; released: in file order. Columns of a hexagonal "
            "array are closed up before distances are taken.",
            "Pixels are divided by 255; a tile has a fixed side in um (77), not 112 px of whatever scale.",
            "Embedding tables cover the rows and columns seen in training; a place beyond takes the nearest seen one.",
            "A count mean is scaled by library size over its median among the section's training observations.",
            "The head starts at the training mean, the count mean at each gene's mean count.",
            "Early stopping on one held-out training group replaces the choice of the epoch on the test section.",
            "Sections of more than max_context observations are cut into windows, which also cuts their graph.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"pixels": True},
        "released": {"pixels": True, "own": False},
        "laptop": {
            "width": 128,
            "depth": 1,
            "heads": 4,
            "head_width": 32,
            "dropout": 0.5,
            "graph_depth": 2,
            "n_views": 2,
            "training": {
                "lr": 1e-3,
                "weight_decay": 1e-2,
                "optimiser": "adamw",
                "epochs": 50,
                "patience": 10,
                "refit": True,
                "max_context": 1024,
            },
        },
        "tiny": {
            "width": 32,
            "depth": 1,
            "heads": 2,
            "head_width": 16,
            "graph_depth": 2,
            "n_views": 2,
            "dropout": 0.0,
            "training": {"lr": 1e-2, "epochs": 18, "patience": 12, "clip": 1.0},
        },
    }
    kinds: ClassVar[Mapping[str, Any]] = {"pixels": "pixels"}
    context: ClassVar[bool] = True
    learns: ClassVar[tuple[str, ...]] = (Target.kind,)  # beside a likelihood of counts
    defaults: ClassVar[Training] = Training(
        epochs=350, batch=0, lr=1e-5, schedule="step", step=50, gamma=0.9, patience=20, augment=False
    )

    def __init__(
        self,
        *,
        pixels: bool = False,
        tile_um: float = 77.0,
        tile_px: int = 112,
        cell_px: int = 7,
        channels: int = 32,
        kernel: int = 5,
        mixers: int = 2,
        width: int = 1024,
        depth: int = 8,
        heads: int = 16,
        head_width: int = 64,
        ratio: float = 1.0,
        dropout: float = 0.2,
        graph_depth: int = 4,
        neighbours: int = 4,
        reach: float = 2.0,
        own: bool = True,
        zinb: float = 0.25,
        distil: float = 0.5,
        n_views: int = 5,
        noise: float = 0.2,
        detach: bool = False,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.pixels = pixels
        self.tile_um = tile_um
        self.tile_px = tile_px
        self.cell_px = cell_px
        self.channels = channels
        self.kernel = kernel
        self.mixers = mixers
        self.width = width
        self.depth = depth
        self.heads = heads
        self.head_width = head_width
        self.ratio = ratio
        self.dropout = dropout
        self.graph_depth = graph_depth
        self.neighbours = neighbours
        self.reach = reach
        self.own = own
        self.zinb = zinb
        self.distil = distil
        self.n_views = n_views
        self.noise = noise
        self.detach = detach

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return tiles or features, and places on the array."""
        assert self.spec_ is not None
        pixels_um = self.tile_um if self.pixels else None
        return _views.tile_and_place(section, self.spec_, pixels_um=pixels_um, tile_px=self.tile_px)

    def memorise(self, units: Sequence[Unit], allowed: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Keep which rows and columns are trained on, and each gene's mean count there."""
        pairs = list(zip(units, allowed, strict=True))
        counts = np.concatenate([u.counts[rows] for u, rows in pairs]).mean(0, dtype=np.float64)
        return {"seen": seen_places(u.views["places"][rows] for u, rows in pairs), "counts": counts}

    def initialise(self, network: nn.Module) -> None:
        """Start the head at the training mean, and the count mean at each gene's mean count."""
        super().initialise(network)
        if self.zinb > 0:
            with torch.no_grad():
                log_mean = np.log(np.maximum(self.memory_["counts"], 1e-3))
                network.counts.bias[: len(log_mean)].copy_(torch.as_tensor(log_mean))

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> Hist2STNetwork:
        """Make the network."""
        return Hist2STNetwork(shapes, n_genes, self.params(), self.memory_["seen"])

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Predict the part's rows from the whole section."""
        return network.expression(network.tokens(part.views, network.neighbours(part.views)))[part.rows]

    def loss(self, network: nn.Module, parts: Sequence[Part]) -> torch.Tensor:
        """Return the mean over rows of the three losses."""
        return torch.cat([self._row_losses(network, part) for part in parts]).mean()

    def _row_losses(self, network: nn.Module, part: Part) -> torch.Tensor:
        assert part.y is not None
        near = network.neighbours(part.views)
        tokens = network.tokens(part.views, near)[part.rows]
        guess = network.expression(tokens)
        losses = ((guess - part.y) ** 2).mean(1)
        if self.zinb > 0:
            assert part.counts is not None
            assert part.depth is not None
            depth = part.depth.clamp(min=1.0)
            losses = losses + self.zinb * network.count_nll(tokens, part.counts, depth / depth.median()).mean(1)
        if self.distil > 0 and self.n_views > 0:
            shown = [self._augmented(part.views) for _ in range(self.n_views)]
            seen = torch.stack([network.tokens(views, near)[part.rows] for views in shown])  # (v, b, d)
            weights = network.weigh(seen) if self.n_views > 1 else seen.new_zeros(1, 1, 1)
            blended = blend(network.expression(seen), weights)
            losses = losses + self.distil * ((blended - (guess.detach() if self.detach else guess)) ** 2).mean(1)
        return losses

    def _augmented(self, views: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Show the section otherwise, all of its observations in the same way; places stay."""
        if "features" in views:
            return {**views, "features": views["features"] + self.noise * torch.randn_like(views["features"])}
        turned = transform_view(views["pixels"], "pixels", SYMMETRIES[int(torch.randint(len(SYMMETRIES), ()))])
        if float(torch.rand(())) < 0.1:
            luma = turned.new_tensor(_LUMA, dtype=torch.float32).view(3, 1, 1)
            turned = (turned.float() * luma).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        return {**views, "pixels": turned}
