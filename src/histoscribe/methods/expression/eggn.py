"""EGGN: a graph of a section's tiles and of the measured exemplars that each of them resembles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import nn
from torch.nn import functional

from histoscribe.core.card import Card
from histoscribe.methods import _views
from histoscribe.methods._exemplars import Exclude, find_exemplars, remember
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.methods._scale import Scale, TargetScale, fit_scale
from histoscribe.nn.exemplars import Bridge, ClassAttention, Exemplars, mse_and_correlation
from histoscribe.nn.sage import neighbour_mean
from histoscribe.train import Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.core.section import Section
    from histoscribe.methods._batches import Unit

__all__ = ["EGGN", "HeteroSage", "neighbours_within"]

#: Neighbours may lie this much (a share) beyond the radius: arrays are not printed exactly.
_SLACK = 0.05


class EGGN(NetworkPredictor):
    """Graph layers over tiles side by side and their exemplars, each followed by a bridging block.

    Nodes are the observations of a section and, for each, its k exemplars: the training observations of nearest image
    features with their measured profiles. An observation is linked to those within `radius` pitches and to its
    exemplars. A layer is a GraphSAGE step with means for each kind of link (`HeteroSage`) and an exemplar bridge. The
    genes pool an observation's node and its exemplars by class-specific attention. Source: Yang et al. 2024
    (eggn-2024).

    Parameters
    ----------
    width, depth, dropout
        Of the graph layers: size of a node, layers, dropout.
    bridge
        Heads, width of a head and feed-forward ratio of the bridging blocks.
    radius
        Observations this close are linked, in pitches; sqrt 2 is the 3 x 3 square on a square array and the six
        neighbours on Visium's.
    k
        Exemplars of each observation.
    exclude
        What a training observation may not retrieve; see `EGN`.
    pool, correlation, scale
        As in EGN: pooling's weight and sharpness, weight of the correlation in the loss, unit of the loss.
    training
        Options that differ from the published ones.

    Attributes
    ----------
    memory_
        Image features, target and origin of the exemplars, and the target's scale.
    """

    card: ClassVar[Card] = Card(
        name="eggn",
        summary="Graph of a section's tiles and of measured exemplars that look like them: GraphSAGE and bridging.",
        paper="eggn-2024",
        deviations=(
            "ResNet18 is replaced by the registered encoder, frozen.",
            "The paper's inner equations of the bridging block and of the prediction block were not at hand: bridging "
            "is cross-attention both ways, prediction is EGN's pooling over a node and its exemplars.",
            "An exemplar's profile is its own target (the released code cuts it from the last 250 columns after "
            "a transform).",
            "Training observations retrieve from other donors (exclude='section': from other sections, as released).",
            "Distances are in pitches along the fitted array; duplicates of a place are refused.",
            "Optimiser, learning rate and loss are EGN's; the epoch is chosen on a held-out training group, whose "
            "profiles are no exemplars meanwhile.",
            "The target is the benchmark's; scale='minmax' scales it by gene as published. The head starts at weight 0 "
            "and the training mean.",
            "Presets may split large sections into windows, whose borders have fewer neighbours.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"scale": "minmax"},
        "released": {"scale": "minmax", "exclude": "section"},
        "laptop": {
            "width": 64,
            "depth": 2,
            "dropout": 0.4,
            "bridge": [4, 16, 1],
            "training": {
                "lr": 1e-3,
                "weight_decay": 1e-2,
                "epochs": 60,
                "patience": 10,
                "refit": True,
                "max_context": 1200,
            },
        },
        "tiny": {
            "width": 32,
            "depth": 2,
            "bridge": [2, 16, 1],
            "training": {"lr": 1e-2, "epochs": 12, "patience": 5},
        },
    }
    scaled: ClassVar[tuple[str, ...]] = ("features",)
    context: ClassVar[bool] = True
    defaults: ClassVar[Training] = Training(
        epochs=300, batch=0, optimiser="adamw", lr=5e-4, weight_decay=1e-4, patience=20, augment=False
    )

    def __init__(
        self,
        *,
        width: int = 512,
        depth: int = 4,
        dropout: float = 0.1,
        bridge: Sequence[float] = (8, 64, 4),
        radius: float = 2**0.5,
        k: int = 3,
        exclude: Exclude = "donor",
        pool: Sequence[float] = (0.5, 0.1),
        correlation: float = 0.5,
        scale: Scale = "none",
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.width, self.depth, self.dropout = width, depth, dropout
        self.bridge = list(bridge)
        self.radius = radius
        self.k = k
        self.exclude = exclude
        self.pool = list(pool)
        self.correlation = correlation
        self.scale = scale

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return the tiles' features and places."""
        assert self.spec_ is not None
        return {"features": _views.features(section, self.spec_), "places": _views.positions(section)}

    def memorise(self, units: Sequence[Unit], allowed: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Keep features and target of what may be learned from."""
        memory = remember(units, allowed, lambda unit: unit.views["features"])
        return memory | fit_scale(memory["y"], self.scale)

    def relate(self, unit: Unit) -> dict[str, np.ndarray]:
        """Link observations to their neighbours and to their exemplars."""
        key = unit.views["features"]
        exemplars = find_exemplars(self.memory_, key, k=self.k, origin=unit.origin, exclude=self.exclude)
        return {"exemplars": exemplars, "neighbours": neighbours_within(unit.views["places"], self.radius)}

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> nn.Module:
        """Make the graph layers, bridges and pooling."""
        return _Network(self, shapes["features"][0], n_genes)

    def initialise(self, network: nn.Module) -> None:
        """Start at the training mean, in the loss's unit: weights 0, as ST-Net's."""
        nn.init.zeros_(network.pool.head.weight)
        network.pool.head.bias.data.copy_(network.scale.into(torch.as_tensor(self.train_mean_)))

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Predict in the target's unit."""
        return network.scale.back(network(part.views)[part.rows])

    def loss(self, network: nn.Module, parts: Sequence[Part]) -> torch.Tensor:
        """Take the squared error and the correlation in the loss's unit."""
        guess = torch.cat([network(part.views)[part.rows] for part in parts])
        y = torch.cat([network.scale.into(part.y) for part in parts])
        return mse_and_correlation(guess, y, weight=self.correlation)


def neighbours_within(places: np.ndarray, radius: float) -> np.ndarray:
    """Return ``(n, m)`` int64: the other observations within `radius` of each, -1 where there are fewer than most have.

    Parameters
    ----------
    places
        ``(n, 2)``, in pitches.
    """
    n = len(places)
    pairs = cKDTree(places).query_pairs(radius * (1 + _SLACK), output_type="ndarray").astype(np.int64)
    edges = np.concatenate([pairs, pairs[:, ::-1]])
    edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))]
    degree = np.bincount(edges[:, 0], minlength=n)
    column = np.arange(len(edges)) - np.repeat(np.cumsum(degree) - degree, degree)
    out = np.full((n, max(int(degree.max(initial=0)), 1)), -1, dtype=np.int64)
    out[edges[:, 0], column] = edges[:, 1]
    return out


class HeteroSage(nn.Module):
    """One GraphSAGE step with a mean for each kind of link.

    ``x <- norm(relu(A x + B mean_neighbours(x) + C mean_exemplars(e)))``, ``e <- norm(relu(D e + E x))``.
    Source: Hamilton et al. 2017, mean aggregator, summed over kinds of links.
    """

    def __init__(self, width: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.own, self.around, self.alike = nn.Linear(width, width), *_unbiased(width, 2)
        self.exemplar, self.of_tile = nn.Linear(width, width), *_unbiased(width, 1)
        self.norm, self.norm_exemplar = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: torch.Tensor, e: torch.Tensor, neighbours: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Transform ``(n, d)`` nodes and their ``(n, k, d)`` exemplars; `mask` ``(n, k)`` says which of them exist."""
        share = mask / mask.sum(1, keepdim=True)
        alike = (share[..., None] * e).sum(1)  # (n, d)
        new = self.own(x) + self.around(neighbour_mean(x, neighbours)) + self.alike(alike)
        revised = self.exemplar(e) + self.of_tile(x)[:, None]
        return (
            self.dropout(self.norm(functional.relu(new))),
            self.dropout(self.norm_exemplar(functional.relu(revised))),
        )


def _unbiased(width: int, n: int) -> list[nn.Module]:
    return [nn.Linear(width, width, bias=False) for _ in range(n)]


class _Network(nn.Module):
    def __init__(self, method: EGGN, n_features: int, n_genes: int) -> None:
        super().__init__()
        memory, width = {name: torch.tensor(value) for name, value in method.memory_.items()}, method.width
        self.scale = TargetScale(memory["low"], memory["span"])
        self.project = nn.Linear(n_features, width)
        self.dropout = nn.Dropout(method.dropout)
        self.exemplars = Exemplars(memory["key"], memory["y"], width)
        heads, head_width, ratio = int(method.bridge[0]), int(method.bridge[1]), method.bridge[2]
        options = {"heads": heads, "head_width": head_width, "ratio": ratio, "dropout": method.dropout}
        self.layers = nn.ModuleList([HeteroSage(width, dropout=method.dropout) for _ in range(method.depth)])
        self.bridges = nn.ModuleList([Bridge(width, **options) for _ in range(method.depth)])
        self.norm = nn.LayerNorm(width)
        weight, sharpness = method.pool
        self.pool = ClassAttention(width, n_genes, weight=weight, sharpness=sharpness)

    def forward(self, views: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Predict ``(n, g)`` in the loss's unit for all observations of the graph."""
        x = self.dropout(self.project(views["features"]))
        e, mask = self.exemplars(views["exemplars"])
        e = self.dropout(e)
        for layer, bridge in zip(self.layers, self.bridges, strict=True):
            x, e = layer(x, e, views["neighbours"], mask)
            revised, e = bridge(x[:, None], e, mask)
            x = revised[:, 0]
        nodes = self.norm(torch.cat([x[:, None], e], dim=1))  # (n, 1 + k, width)
        return self.pool(nodes, torch.cat([torch.ones_like(mask[:, :1]), mask], dim=1))
