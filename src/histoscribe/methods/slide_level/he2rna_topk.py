"""HE2RNA's idea: each gene is predicted from the k tiles in which it is highest, k drawn anew in training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn

from histoscribe.core.card import Card
from histoscribe.methods._slide_network import SlideNetwork

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["He2rnaTopk"]

_KS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
#: Genes whose tiles are ranked at once: 10,000 tiles x 512 genes are 20 MB.
_CHUNK = 512


class He2rnaTopk(SlideNetwork):
    """A two-layer network on each tile; a gene of a slide is the mean of its k highest tiles.

    In training k is drawn for each batch; prediction is the mean over all k up to the number of tiles.

    Parameters
    ----------
    hidden
        Width of the hidden layer.
    dropout
        After the hidden layer.
    tiles, training
        As `SlideNetwork`.
    """

    card: ClassVar[Card] = Card(
        name="he2rna-topk",
        summary="A small network on each tile; a gene is the mean of its k highest tiles, k drawn in training.",
        paper="he2rna-2020",
        deviations=(
            "From the description alone: tiles are drawn in place of 100 clusters of them, and genes are standardised.",
            "One hidden layer; sizes and optimiser are ours, stopping is on donors out of the training set.",
        ),
    )

    def __init__(
        self,
        *,
        hidden: int = 256,
        dropout: float = 0.25,
        tiles: int = 128,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(tiles=tiles, training=training)
        self.hidden = hidden
        self.dropout = dropout
        del self.rank  # the highest tiles of a gene are not those of a score: all genes are put out

    def aim(self, y: np.ndarray) -> np.ndarray:
        """Return the standardised genes themselves."""
        self.axes_ = np.zeros((0, y.shape[1]), dtype=np.float32)
        self.share_ = np.full(y.shape[1], 1 / y.shape[1], dtype=np.float32)
        return y

    def build(self, dim: int, n_scores: int) -> nn.Module:
        """Make the network."""
        return _Network(dim, n_scores, self.hidden, self.dropout)

    def _predict(self, x: np.ndarray) -> np.ndarray:
        ks = [k for k in _KS if k <= len(x)]
        network = self.network_
        found = []
        with torch.no_grad():
            hidden = network.body(torch.from_numpy(x))
            for i in range(0, len(self.genes_), _CHUNK):
                rows = slice(i, i + _CHUNK)
                tiles = nn.functional.linear(hidden, network.head.weight[rows], network.head.bias[rows])
                top = tiles.topk(ks[-1], dim=0).values
                found.append(torch.stack([top[:k].mean(0) for k in ks]).mean(0))
        return torch.cat(found).numpy()

    def _predict_tiles(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self.network_.head(self.network_.body(torch.from_numpy(x))).numpy()


class _Network(nn.Module):
    def __init__(self, dim: int, n_genes: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout))
        self.head = nn.Linear(hidden, n_genes)
        # The first prediction is the training mean.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        tiles = self.head(self.body(x)).masked_fill(~mask[..., None], -torch.inf)  # (b, n, g)
        sizes = mask.sum(1)
        ks = [k for k in _KS if k <= int(sizes.max())]
        if self.training:
            ks = [ks[int(torch.randint(len(ks), ()))]]
        top = tiles.topk(ks[-1], dim=1).values
        total, n_used = 0.0, 0.0
        for k in ks:
            counted = torch.arange(k, device=x.device) < sizes[:, None]  # a slide of fewer tiles takes all of its own
            mean = top[:, :k].masked_fill(~counted[..., None], 0.0).sum(1) / counted.sum(1)[:, None]
            # In prediction a slide is asked for no more tiles than it has, whatever slides are beside it.
            used = torch.ones_like(sizes, dtype=x.dtype) if self.training else (sizes >= k).to(x.dtype)
            total, n_used = total + mean * used[:, None], n_used + used
        return total / n_used[:, None]
