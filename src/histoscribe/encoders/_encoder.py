"""The contract of an encoder: pixels in, features out, and the facts that make its output reproducible."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np

    from histoscribe.core.card import Card

__all__ = ["Encoder"]


class Encoder(ABC):
    """Turns tiles into features.

    Attributes
    ----------
    card
        Facts; `card.name` is the registry name.
    dim
        Number of features.
    tile_px
        Side of the tiles it expects, px.
    """

    card: ClassVar[Card]
    dim: ClassVar[int]
    tile_px: ClassVar[int] = 224

    @abstractmethod
    def encode(self, tiles: np.ndarray) -> np.ndarray:
        """Encode ``(b, 3, tile_px, tile_px)`` uint8 RGB tiles into ``(b, dim)`` float32.

        The encoder's own transform (scaling, normalisation) happens inside. A tile's features do not depend on the
        other tiles of its batch.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Name weights, code version and whatever else changes the output; part of the cache key and of bundles."""
