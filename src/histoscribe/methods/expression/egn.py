"""EGN: a vision transformer whose layers are revised by measured exemplars that look alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from histoscribe.core.card import Card
from histoscribe.methods import _views
from histoscribe.methods._exemplars import Exclude, find_exemplars, remember
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.methods._scale import Scale, TargetScale, fit_scale
from histoscribe.methods._tile_encoder import TileBranch, tile_view
from histoscribe.nn.attention import SelfLayer
from histoscribe.nn.exemplars import Bridge, ClassAttention, Exemplars, mse_and_correlation
from histoscribe.train import Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from histoscribe.core.section import Section
    from histoscribe.methods._batches import Unit

__all__ = ["EGN"]


class EGN(NetworkPredictor):
    """Tokens of a tile pass a transformer; every second layer, they and the nearest exemplars revise each other.

    Exemplars are the k training observations whose image features are nearest (Euclidean distance of the encoder's
    pooled features, each standardised). The genes pool the last tokens by class-specific attention. Loss: MSE plus
    half of one minus the correlation of each gene over the batch. Source: Yang et al. 2023 (egn-2023).

    Parameters
    ----------
    width, depth, heads, ratio, dropout
        Of the transformer: size of a token, layers, heads, hidden width of the feed-forward per token width, dropout.
    every
        A bridging block follows each layer whose number is a multiple of this.
    bridge
        Heads and width of a head of the bridging blocks.
    k
        Exemplars of each tile.
    exclude
        What a training tile may not retrieve: all sections of its own ``"donor"``, or its own ``"section"`` alone as
        in the released code. Where the training data hold nothing else, the next smaller thing: section, then strip.
    pool
        Weight (lambda) and sharpness (T) of the pooling.
    correlation
        Weight of the correlation in the loss.
    scale
        Unit in which the loss is taken: ``"none"`` the target's own; ``"minmax"`` each gene's training range becomes
        0 to 1, as published; ``"sd"`` each gene's training sd is 1. Predictions are always in the target's unit.
    side
        Average the frozen encoder's k x k tokens to this many a side before anything else; None keeps them.
    backbone, weights
        Tile tokens from pixels: ``"squares"`` (raw squares of 32 px, as published) or a network to train; None takes
        the frozen encoder's. Exemplars are found by the frozen encoder either way.
    training
        Options that differ from the published ones.

    Attributes
    ----------
    memory_
        Image features, target and origin of the exemplars, and the target's scale.
    """

    card: ClassVar[Card] = Card(
        name="egn",
        summary="Vision transformer whose layers are revised by the measured profiles of tiles that look alike.",
        paper="egn-2023",
        deviations=(
            "ResNet50 for retrieval is replaced by the registered encoder; the transformer's tokens are the encoder's "
            "7 x 7, frozen; backbone='squares' takes 8 x 8 raw squares of 256 px as published.",
            "The paper's inner equations of the bridging block were not at hand: ours is cross-attention both ways, of "
            "its published size (8 heads of 64, after every second layer).",
            "Training tiles retrieve from other donors (released: other sections, those of the same patient included; "
            "exclude='section').",
            "The target is the benchmark's, not log10(count + 1); scale='minmax' scales it by gene as published.",
            "The epoch is chosen on a held-out training group, whose profiles are no exemplars meanwhile (released: on "
            "the test fold).",
            "Flips and turns are applied to the tile; exemplars are found by its unturned features.",
            "The head starts at weight 0 and the training mean.",
            "Preset 'laptop': 3 x 3 tokens of width 64, two layers, refitted on all training groups.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"k": 9, "scale": "minmax", "backbone": "squares"},
        "readme": {"k": 6, "scale": "minmax", "backbone": "squares", "exclude": "section"},
        "laptop": {
            "width": 64,
            "depth": 2,
            "heads": 4,
            "ratio": 2,
            "dropout": 0.4,
            "bridge": [4, 16],
            "side": 3,
            "training": {"lr": 1e-3, "batch": 64, "weight_decay": 1e-2, "epochs": 30, "patience": 6, "refit": True},
        },
        "tiny": {
            "width": 32,
            "depth": 2,
            "heads": 2,
            "ratio": 2,
            "bridge": [2, 16],
            "k": 5,
            "training": {"lr": 3e-3, "batch": 64, "epochs": 10, "patience": 4, "schedule": "none"},
        },
    }
    default_encoder: ClassVar[str] = "efficientnet-lite0[grid7]"
    kinds: ClassVar[Mapping[str, Any]] = {"pixels": "pixels", "tokens": "tokens"}
    scaled: ClassVar[tuple[str, ...]] = ("tokens", "key")
    defaults: ClassVar[Training] = Training(
        epochs=50,
        batch=32,
        optimiser="adamw",
        lr=5e-4,
        weight_decay=1e-4,
        schedule="cosine-restarts",
        step=10,
        patience=10,
        augment=True,
    )

    def __init__(
        self,
        *,
        width: int = 1024,
        depth: int = 8,
        heads: int = 16,
        ratio: float = 4,
        dropout: float = 0.1,
        every: int = 2,
        bridge: Sequence[int] = (8, 64),
        k: int = 9,
        exclude: Exclude = "donor",
        pool: Sequence[float] = (0.5, 0.1),
        correlation: float = 0.5,
        scale: Scale = "none",
        side: int | None = None,
        backbone: str | None = None,
        weights: str | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.width, self.depth, self.heads, self.ratio, self.dropout = width, depth, heads, ratio, dropout
        self.every = every
        self.bridge = list(bridge)
        self.k = k
        self.exclude = exclude
        self.pool = list(pool)
        self.correlation = correlation
        self.scale = scale
        self.side = side
        self.backbone = backbone
        self.weights = weights

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return the tile's tokens or pixels, and its pooled features to find exemplars by."""
        assert self.spec_ is not None
        name, tile = tile_view(section, self.spec_, backbone=self.backbone, tile_px=256)
        if self.side is not None and name == "tokens":
            tile = _coarser(tile, self.side)
        return {name: tile, "key": _views.features(section, self.spec_)}

    def memorise(self, units: Sequence[Unit], allowed: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Keep features and target of what may be learned from."""
        memory = remember(units, allowed, lambda unit: unit.views["key"])
        return memory | fit_scale(memory["y"], self.scale)

    def relate(self, unit: Unit) -> dict[str, np.ndarray]:
        """Find each tile's exemplars."""
        key = unit.views["key"]
        found = find_exemplars(self.memory_, key, k=self.k, origin=unit.origin, exclude=self.exclude)
        return {"exemplars": found}

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> nn.Module:
        """Make the transformer, its bridges and the pooling."""
        return _Network(self, shapes, n_genes)

    def initialise(self, network: nn.Module) -> None:
        """Start at the training mean, in the loss's unit: weights 0, as ST-Net's."""
        nn.init.zeros_(network.pool.head.weight)
        network.pool.head.bias.data.copy_(network.scale.into(torch.as_tensor(self.train_mean_)))

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Predict in the target's unit."""
        return network.scale.back(network(part.views))

    def loss(self, network: nn.Module, parts: Sequence[Part]) -> torch.Tensor:
        """Take the squared error and the correlation in the loss's unit."""
        guess = torch.cat([network(part.views) for part in parts])
        y = torch.cat([network.scale.into(part.y) for part in parts])
        return mse_and_correlation(guess, y, weight=self.correlation)


class _Network(nn.Module):
    def __init__(self, method: EGN, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> None:
        super().__init__()
        memory, width = {name: torch.tensor(value) for name, value in method.memory_.items()}, method.width
        self.scale = TargetScale(memory["low"], memory["span"])
        self.tile = TileBranch(shapes, width, backbone=method.backbone, weights=method.weights)
        self.place = nn.Parameter(0.02 * torch.randn(_n_tokens(self.tile, shapes), width))
        self.exemplars = Exemplars(memory["key"], memory["y"], width)
        self.dropout = nn.Dropout(method.dropout)
        options = {"ratio": method.ratio, "dropout": method.dropout}
        self.layers = nn.ModuleList([SelfLayer(width, method.heads, **options) for _ in range(method.depth)])
        heads, head_width = method.bridge
        self.bridges = nn.ModuleDict(
            {
                str(i): Bridge(width, heads=heads, head_width=head_width, **options)
                for i in range(method.depth)
                if (i + 1) % method.every == 0
            }
        )
        self.norm = nn.LayerNorm(width)
        weight, sharpness = method.pool
        self.pool = ClassAttention(width, n_genes, weight=weight, sharpness=sharpness)

    def forward(self, views: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Predict ``(b, g)`` in the loss's unit."""
        x = self.dropout(self.tile(views) + self.place)  # (b, t, width)
        e, mask = self.exemplars(views["exemplars"])
        e = self.dropout(e)
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if str(i) in self.bridges:
                x, e = self.bridges[str(i)](x, e, mask)
        return self.pool(self.norm(x))


def _coarser(tokens: np.ndarray, side: int) -> np.ndarray:
    """Average ``(n, k * k, d)`` tokens of a k x k grid to ``(n, side * side, d)``."""
    n, t, d = tokens.shape
    k = round(t**0.5)
    maps = torch.from_numpy(tokens).transpose(1, 2).reshape(n, d, k, k)
    pooled = nn.functional.adaptive_avg_pool2d(maps, min(side, k))
    return pooled.flatten(2).transpose(1, 2).contiguous().numpy()


def _n_tokens(tile: TileBranch, shapes: Mapping[str, tuple[int, ...]]) -> int:
    if "tokens" in shapes:
        return shapes["tokens"][0]
    was = tile.training
    with torch.no_grad():
        n = tile.eval()({"pixels": torch.zeros(1, *shapes["pixels"])}).shape[1]
    tile.train(was)
    return n
