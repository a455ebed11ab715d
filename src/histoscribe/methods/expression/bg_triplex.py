"""BG-TRIPLEX: TRIPLEX whose tile and surroundings also look at maps of edges and of nuclei."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from histoscribe.core.card import Card
from histoscribe.methods import _views
from histoscribe.methods._crops import Crops, reduced
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.methods._tile_encoder import TileBranch, tile_view
from histoscribe.nn.boundary import Guide, SurroundMapEncoder, TileMapEncoder
from histoscribe.nn.triplex import Fusion, GlobalEncoder, Size, SurroundEncoder, match_width, taught_loss
from histoscribe.tiles.maps import boundary_maps
from histoscribe.train import Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from histoscribe.core.section import Section

__all__ = ["BgTriplex"]

#: Tile, surroundings and section: how the released loss indexes them among the five branches.
_RELEASED = (0, 1, 2)


class BgTriplex(NetworkPredictor):
    """Guides the tokens of the tile and of its surroundings by edge and nuclei maps, then fuses them as TRIPLEX does.

    The maps are computed here by classical filters (`histoscribe.tiles.maps`): **substitutes for PiDiNet and
    HoVer-Net**. Loss, with fused prediction f and those of the tile and the surroundings, each before and after
    guidance, and of the section, j: ``MSE(f, y) + sum_j (1 - alpha) MSE(j, y) + alpha MSE(j, f)``.
    Source: Qu et al. 2024 (bg-triplex-2024).

    Parameters
    ----------
    width
        Size of a token.
    fusion, section, surround
        Depth, heads, feed-forward ratio and dropout of the fusion (and of the guidance), the global and the neighbour
        encoder.
    map_widths
        Channels of the map encoders before the last, whose width is `width`.
    map_mpp
        um per px of the maps as they are computed; the default gives 224 px to a tile of 154 um, as published.
    reduce_tile, reduce_surround
        Average the maps of the tile and of the surroundings over squares of so many px; 1 as published.
    k
        Tiles along a side of the surroundings, the tile itself in the middle.
    tile_grid
        Average the frozen encoder's tokens to so many along a side of the tile; None keeps them.
    alpha
        Weight of the fused prediction as a teacher of the branches.
    released_loss
        Supervise the first three branches alone (the tile before and after guidance, and the surroundings before it):
        the released code calls them tile, surroundings and section, and so never trains the section's own head.
    backbone, weights
        Train this network from the tile's pixels, starting from a file of weights; None keeps the encoder frozen.
    training
        Options that differ from the published ones.
    """

    card: ClassVar[Card] = Card(
        name="bg-triplex",
        summary="TRIPLEX guided by edge and nuclei maps (substitutes for PiDiNet and HoVer-Net, made by filters).",
        paper="bg-triplex-2024",
        deviations=(
            "The maps are substitutes for PiDiNet and HoVer-Net: edges are the gradient of the haematoxylin channel, "
            "nuclei its local threshold, both by colour deconvolution; no pretrained network is behind them.",
            "The paper's map encoders and guidance are not in its repository; they follow the classes of the same "
            "names in the authors' NH2ST code.",
            "Maps have one channel (the published neighbour maps repeat theirs three times).",
            "True batches, each observation guided by its own maps, channels kept by transposing (released: one "
            "observation a step and raw views, which mix channels with places and, in evaluation, observations).",
            "All five branches are supervised; released_loss=True trains three of them as the released code does.",
            "The pathology ResNet18 is replaced by the registered encoder, frozen; backbone='resnet18' with weights= "
            "trains one from pixels as published.",
            "The checkpoint is chosen on a held-out training group, not on the test fold.",
            "Batches of 128 as TRIPLEX's (released: 1).",
            "Position encoding by index; target, surroundings, maps and places are flipped and turned together.",
            "Tiles have one side in um on every slide (released: 224 px, another scale for donor A).",
            "Heads start at the training mean.",
            "Preset 'laptop': narrower, 9 tokens a tile, coarser maps, one section a step, refitted on all groups.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "her2st": {},
        "skin": {"fusion": [2, 8, 4, 0.1], "section": [2, 16, 1, 0.1], "surround": [4, 16, 1, 0.3]},
        "stnet": {"fusion": [3, 16, 4, 0.4], "section": [3, 8, 2, 0.1], "surround": [4, 8, 4, 0.3]},
        "laptop": {
            "width": 96,
            "fusion": [1, 4, 2, 0.2],
            "section": [2, 4, 1, 0.1],
            "surround": [1, 4, 1, 0.3],
            "tile_grid": 3,
            "map_widths": [8, 16, 32],
            "map_mpp": 1.1,
            "reduce_tile": 2,
            "reduce_surround": 10,
            "training": {
                "mixed": False,
                "batch": 48,
                "lr": 1e-3,
                "optimiser": "adamw",
                "weight_decay": 1e-2,
                "epochs": 12,
                "patience": 4,
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
            "map_widths": [4, 8, 8],
            "map_mpp": 2.0,
            "reduce_tile": 2,
            "reduce_surround": 4,
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
        "edges": "pixels",
        "nuclei": "pixels",
        "edges_around": "pixels",
        "nuclei_around": "pixels",
    }
    scaled: ClassVar[tuple[str, ...]] = ("tokens", "around", "features")
    row_views: ClassVar[tuple[str, ...]] = tuple(name for name in kinds if name != "lattice")
    context: ClassVar[bool] = True
    defaults: ClassVar[Training] = Training(
        epochs=200, batch=128, mixed=True, lr=1e-4, schedule="step", step=50, gamma=0.9, patience=20
    )

    def __init__(
        self,
        *,
        width: int = 512,
        fusion: Sequence[float] = (1, 4, 4, 0.4),
        section: Sequence[float] = (5, 8, 4, 0.3),
        surround: Sequence[float] = (4, 4, 4, 0.3),
        map_widths: Sequence[int] = (64, 128, 256),
        map_mpp: float = 0.6875,
        reduce_tile: int = 1,
        reduce_surround: int = 1,
        k: int = 5,
        tile_grid: int | None = None,
        alpha: float = 0.3,
        released_loss: bool = False,
        backbone: str | None = None,
        weights: str | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.width = width
        self.fusion, self.section, self.surround = list(fusion), list(section), list(surround)
        self.map_widths = list(map_widths)
        self.map_mpp = map_mpp
        self.reduce_tile, self.reduce_surround = reduce_tile, reduce_surround
        self.k = k
        self.tile_grid = tile_grid
        self.alpha = alpha
        self.released_loss = released_loss
        self.backbone = backbone
        self.weights = weights

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return what TRIPLEX sees, and both maps of the tile and of its surroundings."""
        assert self.spec_ is not None
        name, tile = tile_view(section, self.spec_, backbone=self.backbone, tile_px=224)
        if name == "tokens" and self.tile_grid:
            tile = _coarser(tile, self.tile_grid)
        return {name: tile} | _views.neighbourhood(section, self.spec_, k=self.k) | self._maps(section)

    def _maps(self, section: Section) -> dict[str, np.ndarray]:
        assert self.spec_ is not None
        side_um = float(min(self.spec_.geometry["sides_um"]))
        maps = boundary_maps(section, reach_um=self.k * side_um / 2, mpp=self.map_mpp)
        if section.slide is not None:
            # A large JPEG is decoded as a whole: only one is held at a time.
            section.slide.close()
        views: dict[str, Any] = {}
        for suffix, tiles, factor in (("", 1, self.reduce_tile), ("_around", self.k, self.reduce_surround)):
            mpp = self.map_mpp * factor
            px = max(1, round(tiles * side_um / mpp))
            for kind, plane in (("edges", maps.edges), ("nuclei", maps.nuclei)):
                views[kind + suffix] = Crops(reduced(plane, factor), section.xy_um / mpp, px)
        return views

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> nn.Module:
        """Make the network."""
        sizes = [Size(int(s[0]), int(s[1]), s[2], s[3]) for s in (self.fusion, self.section, self.surround)]
        tile = TileBranch(shapes, self.width, backbone=self.backbone, weights=self.weights)
        widths = [*self.map_widths, self.width]
        return _Network(shapes, n_genes, tile=tile, width=self.width, sizes=sizes, k=self.k, map_widths=widths)

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Return the fused prediction."""
        return network(part.views, part.rows)[0]

    def loss(self, network: nn.Module, parts: Sequence[Part]) -> torch.Tensor:
        """Return the fused error and those of the branches, each also taught by the fused prediction."""
        outputs = [torch.cat(found) for found in zip(*(network(p.views, p.rows) for p in parts), strict=True)]
        y = torch.cat([p.y for p in parts])
        fused, *branches = outputs
        if self.released_loss:
            branches = [branches[i] for i in _RELEASED]
        return taught_loss(fused, branches, y, alpha=self.alpha)


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
        map_widths: Sequence[int],
    ) -> None:
        super().__init__()
        fusion, section, surround = sizes
        self.tile = tile
        self.around_in = match_width(shapes["around"][-1], width)
        self.section_in = match_width(shapes["features"][-1], width)
        self.around = SurroundEncoder(width, k, surround)
        self.section = GlobalEncoder(width, section)
        # One encoder for both maps of the tile, one for both of the surroundings, one guidance for tile and
        # surroundings, as published.
        self.tile_map = TileMapEncoder(map_widths)
        self.around_map = SurroundMapEncoder(map_widths, shapes["edges_around"][-1], k)
        self.guide = Guide(width, fusion)
        self.fusion = Fusion(width, fusion)
        self.head_fused, self.head_tile, self.head_around, self.head_section = (
            nn.Linear(width, n_genes) for _ in range(4)
        )

    def forward(self, views: Mapping[str, torch.Tensor], rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Predict ``(b, g)`` from the fusion, the tile and the surroundings before and after guidance, the section."""
        tile = self.tile(views)
        guided_tile = self.guide(tile, self.tile_map(views["edges"]), self.tile_map(views["nuclei"]))
        around = functional.relu(self.around(self.around_in(views["around"]), views["inside"]))
        edges, nuclei = self.around_map(views["edges_around"]), self.around_map(views["nuclei_around"])
        guided_around = self.guide(around, edges, nuclei)
        section = self.section(self.section_in(views["features"]), views["lattice"])[rows]
        fused = self.fusion(section, guided_tile, guided_around, views["inside"])
        return (
            self.head_fused(fused),
            self.head_tile(tile.mean(1)),
            self.head_tile(guided_tile.mean(1)),
            self.head_around(around.mean(1)),
            self.head_around(guided_around.mean(1)),
            self.head_section(section),
        )


def _coarser(tokens: np.ndarray, k: int) -> np.ndarray:
    """Average the ``(n, t, d)`` tokens of a square grid to a k x k one."""
    side = round(tokens.shape[1] ** 0.5)
    grid = torch.from_numpy(tokens).transpose(1, 2).unflatten(2, (side, side))  # (n, d, side, side)
    return functional.adaptive_avg_pool2d(grid, k).flatten(2).transpose(1, 2).contiguous().numpy()
