"""BLEEP: tiles and profiles in one space; a prediction is the mean of the nearest measured profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from histoscribe.core.card import Card
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.methods._tile_encoder import TileBranch, tile_view
from histoscribe.train import Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.core.section import Section
    from histoscribe.methods._batches import Unit

__all__ = ["Bleep", "contrastive_loss"]


class Bleep(NetworkPredictor):
    """Contrastive learning of tiles and profiles, then retrieval of the k profiles nearest to a tile.

    Two projection heads bring a tile's features and the panel's expression into one space, in which a tile and its own
    profile are drawn together, as are tiles and profiles that resemble them (`contrastive_loss`). A prediction is the
    mean measured profile of the k references whose profile embeddings have the largest cosine with the tile's.
    Source: Xie et al. 2023 (bleep-2023).

    Parameters
    ----------
    width
        Dimensions of the common space.
    k
        Profiles retrieved.
    average
        ``"mean"`` of the k profiles, or ``"weighted"``: weights ``exp(-d^2)`` of the distance d between unit vectors.
    temperature
        Divides the logits and multiplies the soft targets' similarities.
    dropout
        Of both heads.
    backbone, weights
        Train this network from the tile's pixels, starting from a file of weights; None keeps the encoder frozen.
    training
        Options that differ from the published ones.

    Attributes
    ----------
    memory_
        ``"y"``: ``(m, g)`` the reference profiles, in the target's unit; those that validate are not among them while
        they validate.
    """

    card: ClassVar[Card] = Card(
        name="bleep",
        summary="Contrastive space of tiles and profiles; predicts the mean of the k nearest measured profiles.",
        paper="bleep-2023",
        deviations=(
            "ResNet50 is replaced by the registered encoder, frozen, standardised; backbone= trains one from pixels.",
            "No Harmony: the authors align expression over all sections, the test section included.",
            "The profile head sees the panel, standardised by gene, not 3,467 highly variable genes.",
            "Training stops by a held-out training group whose profiles are not among the references meanwhile "
            "(released: a fixed number of epochs, 4 by default).",
            "Tiles are cut in um, RGB (the released transform permutes axes and swaps colours).",
            "Under several processes each contrasts its own share of a batch.",
            "Preset 'laptop': 64 dimensions, temperature 16, more dropout and decay, refitted on all training groups.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"backbone": "efficientnet-lite0", "training": {"epochs": 4, "patience": 0}},
        "laptop": {
            "width": 64,
            "temperature": 16.0,
            "dropout": 0.4,
            "training": {"lr": 3e-4, "weight_decay": 1e-2, "epochs": 60, "patience": 10, "refit": True},
        },
        "tiny": {
            "width": 32,
            "k": 15,
            "training": {"batch": 128, "lr": 5e-3, "epochs": 20, "patience": 6},
        },
    }
    kinds: ClassVar[Mapping[str, Any]] = {"pixels": "pixels", "tokens": "tokens"}
    scaled: ClassVar[tuple[str, ...]] = ("tokens",)
    defaults: ClassVar[Training] = Training(
        epochs=50, batch=256, optimiser="adamw", lr=1e-3, weight_decay=1e-3, patience=5, augment=True
    )

    def __init__(
        self,
        *,
        width: int = 256,
        k: int = 50,
        average: Literal["mean", "weighted"] = "mean",
        temperature: float = 1.0,
        dropout: float = 0.1,
        backbone: str | None = None,
        weights: str | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.width = width
        self.k = k
        self.average = average
        self.temperature = temperature
        self.dropout = dropout
        self.backbone = backbone
        self.weights = weights

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return the tile's tokens or pixels."""
        assert self.spec_ is not None
        return dict([tile_view(section, self.spec_, backbone=self.backbone, tile_px=224)])

    def memorise(self, units: Sequence[Unit], allowed: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Keep the profiles that may be retrieved."""
        return {"y": np.concatenate([u.y[rows] for u, rows in zip(units, allowed, strict=True)]).astype(np.float32)}

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> nn.Module:
        """Make the tile branch, both heads and the references."""
        del n_genes  # as many as the references have
        tile = TileBranch(shapes, None, backbone=self.backbone, weights=self.weights)
        return _Network(tile, torch.tensor(self.memory_["y"]), width=self.width, dropout=self.dropout)

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Average the profiles of the nearest references."""
        images = functional.normalize(network.image(network.tile(part.views).mean(1)), dim=1)
        cosine = images @ network.references().T  # (b, m)
        near = cosine.topk(min(self.k, cosine.shape[1]), dim=1)
        profiles = network.y[near.indices]  # (b, k, g)
        if self.average == "mean":
            return profiles.mean(1)
        # Of unit vectors d^2 = 2 - 2 cosine: a softmax of twice the cosine is exp(-d^2), scaled to sum 1.
        return (torch.softmax(2 * near.values, dim=1)[..., None] * profiles).sum(1)

    def loss(self, network: nn.Module, parts: Sequence[Part]) -> torch.Tensor:
        """Contrast the tiles of the batch with their profiles."""
        images = torch.cat([network.image(network.tile(p.views).mean(1)) for p in parts])
        profiles = torch.cat([network.embed(p.y) for p in parts])
        return contrastive_loss(images, profiles, temperature=self.temperature)


def contrastive_loss(images: torch.Tensor, profiles: torch.Tensor, *, temperature: float) -> torch.Tensor:
    """Return the symmetric cross-entropy of ``(b, d)`` embeddings to soft targets.

    Logits ``S = P I^T / t``; targets ``T = softmax((I I^T + P P^T) / 2 * t)`` over rows; the loss is the mean of
    ``CE(S, T)`` and ``CE(S^T, T^T)``. Source: Xie et al. 2023 (bleep-2023), section 3.
    """
    logits = profiles @ images.T / temperature
    targets = torch.softmax((images @ images.T + profiles @ profiles.T) / 2 * temperature, dim=1)
    of_profiles = -(targets * logits.log_softmax(1)).sum(1)
    of_images = -(targets.T * logits.T.log_softmax(1)).sum(1)
    return ((of_profiles + of_images) / 2).mean()


class _Head(nn.Module):
    """Projection, then a residual layer and a norm: ``LN(p + dropout(W gelu(p)))``."""

    def __init__(self, n_in: int, width: int, dropout: float) -> None:
        super().__init__()
        self.project = nn.Linear(n_in, width)
        self.layer = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        projected = self.project(x)
        return self.norm(projected + self.dropout(self.layer(functional.gelu(projected))))


class _Network(nn.Module):
    def __init__(self, tile: TileBranch, y: torch.Tensor, *, width: int, dropout: float) -> None:
        super().__init__()
        self.tile = tile
        self.image = _Head(tile.width, width, dropout)
        self.profile = _Head(y.shape[1], width, dropout)
        # Saved as memory, not as weights: not persistent.
        self.register_buffer("y", y, persistent=False)
        self.register_buffer("mean", y.mean(0), persistent=False)
        self.register_buffer("sd", y.std(0, unbiased=False).clamp_min(1e-6), persistent=False)
        self._references: tuple[tuple[int, ...], torch.Tensor] | None = None

    def embed(self, y: torch.Tensor) -> torch.Tensor:
        """Embed ``(b, g)`` profiles."""
        return self.profile((y - self.mean) / self.sd)

    def references(self) -> torch.Tensor:
        """Return the ``(m, width)`` unit embeddings of the references, computed again when weights change."""
        # PyTorch counts every change of an array in place, those of an optimiser and of loading weights as well.
        versions = tuple(p._version for p in self.profile.parameters())
        if self.training or self._references is None or self._references[0] != versions:
            self._references = versions, functional.normalize(self.embed(self.y), dim=1)
        return self._references[1]
