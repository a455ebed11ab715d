"""Learned embeddings of the observations' places on their array, one table for rows and one for columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PlaceEmbedding", "seen_places"]


def seen_places(places: Iterable[np.ndarray]) -> np.ndarray:
    """Return ``(2, 2)`` int64: lowest row and column, and highest, over arrays of ``(n, 2)`` places."""
    every = np.concatenate([np.asarray(p, dtype=np.int64) for p in places])
    return np.stack([every.min(0), every.max(0)])


class PlaceEmbedding(nn.Module):
    """The sum of a learned vector of the row and one of the column, as in HisToGene and Hist2ST.

    A place beyond those seen in training takes the nearest row and column that were seen: its own vectors would be
    untrained, which is what the released tables of 64 entries hand out (and past 64 they fail).
    Source: Pang et al. 2021 (histogene-2021).

    Parameters
    ----------
    width
        Size of a token.
    seen
        ``(2, 2)`` lowest and highest row and column, from `seen_places`.
    """

    def __init__(self, width: int, seen: np.ndarray) -> None:
        super().__init__()
        seen = np.asarray(seen, dtype=np.int64)
        n_rows, n_columns = (int(n) for n in seen[1] - seen[0] + 1)
        self.register_buffer("low", torch.as_tensor(seen[0]), persistent=False)
        self.register_buffer("high", torch.as_tensor(seen[1]), persistent=False)
        self.row = nn.Embedding(n_rows, width)
        self.column = nn.Embedding(n_columns, width)

    def forward(self, places: torch.Tensor) -> torch.Tensor:
        """Embed ``(n, 2)`` int64 rows and columns as ``(n, width)``."""
        index = places.clamp(self.low, self.high) - self.low
        return self.row(index[:, 0]) + self.column(index[:, 1])
