"""Pre-training on images alone: a slide's vector must tell of tiles that it did not see, or find its other half."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import torch
from torch import nn
from torch.nn import functional

from histoscribe.core.card import Card
from histoscribe.core.errors import DataError
from histoscribe.methods._pretrain_network import NetworkPretrainer, SlideBatch
from histoscribe.methods._slide_encoder import SlideEncoder, info_nce

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

__all__ = ["Intra"]

Objective = Literal["masked", "views", "mean-contrast", "mean-reconstruct"]


class Intra(NetworkPretrainer):
    """Learns from slides without expression: TANGLE's image-only branch.

    Parameters
    ----------
    objective
        ``"masked"``: predict the mean of hidden tiles from the vector of the others (mean squared error).
        ``"views"``: contrast the vectors of two disjoint random halves of the tiles.
        ``"mean-contrast"``, ``"mean-reconstruct"``: contrast the vector with the mean tile, or predict that.
    mask_share
        Share of the tiles that ``"masked"`` hides.
    temperature
        Divides the cosines of contrasts.
    heads, hidden, n_tiles, selection, training
        As in `NetworkPretrainer`.
    """

    card: ClassVar[Card] = Card(
        name="intra",
        summary="Slide vectors from images alone: masked tiles, two views, or the mean tile.",
        paper="tangle-2024",
        deviations=(
            "Hidden tiles are not seen by the encoder (released: features are multiplied by the number of hidden "
            "tiles, and nothing is hidden).",
            "What is predicted is the mean of the hidden tiles: a vector without places cannot tell one from another.",
            "Views are disjoint halves; tiles are drawn without replacement.",
            "Features are standardised by the training slides; the epoch is chosen on donors not trained on.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {"selection": "smooth-rank"},
        "laptop": {
            "hidden": 128,
            "n_tiles": 256,
            "training": {"lr": 1e-3, "batch": 32, "epochs": 60, "patience": 15},
        },
        "tiny": {"hidden": 16, "n_tiles": 32, "training": {"lr": 3e-3, "epochs": 12}},
    }

    def __init__(
        self,
        *,
        objective: Objective = "masked",
        mask_share: float = 0.5,
        temperature: float = 0.01,
        heads: int = 1,
        hidden: int = 768,
        n_tiles: int = 2048,
        selection: Literal["validation", "smooth-rank", "last"] = "validation",
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(heads=heads, hidden=hidden, n_tiles=n_tiles, selection=selection, training=training)
        self.objective = objective
        self.mask_share = mask_share
        self.temperature = temperature

    def build(self, encoder: SlideEncoder, n_genes: int) -> nn.Module:
        """Make the encoder, and what leads from its vector to a tile's features."""
        del n_genes
        if self.objective not in get_args(Objective) or not 0 < self.mask_share < 1:
            msg = (
                f"objective is {self.objective!r} with mask_share {self.mask_share:g}. Give one of "
                f"{', '.join(get_args(Objective))}, and a share between 0 and 1."
            )
            raise DataError(msg)
        dim, width = encoder.before[0].in_features, encoder.width
        decoder = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, dim))
        return nn.ModuleDict({"slide": encoder, "decoder": decoder})

    def loss(self, network: nn.Module, batch: SlideBatch) -> torch.Tensor:
        """Return the loss of the chosen objective."""
        if self.objective == "views":
            a, b = zip(*(self.split(tiles, 0.5) for tiles in batch.tiles), strict=True)
            return info_nce(self.encode(list(a)), self.encode(list(b)), self.temperature)
        seen, hidden = batch.tiles, batch.tiles
        if self.objective == "masked":
            seen, hidden = zip(*(self.split(tiles, self.mask_share) for tiles in batch.tiles), strict=True)
        guess = network["decoder"](self.encode(list(seen)))
        mean = torch.as_tensor([tiles.mean(0).tolist() for tiles in hidden], device=guess.device)  # (b, dim)
        if self.objective == "mean-contrast":
            return info_nce(guess, mean, self.temperature)
        return functional.mse_loss(guess, mean)

    def split(self, tiles: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Part tiles at random into those that are seen and a share that is hidden, at least one each.

        In evaluation the parts are always the same, so that epochs can be compared; one tile alone is both.
        """
        n = len(tiles)
        generator = None if self.network_.training else torch.Generator().manual_seed(n)
        order = torch.randperm(n, generator=generator).numpy()
        n_hidden = min(max(1, round(share * n)), n - 1)
        return (tiles[order[n_hidden:]], tiles[order[:n_hidden]]) if n > 1 else (tiles, tiles)
